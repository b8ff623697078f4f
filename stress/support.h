/*
 * What the executor's tests and the stress program share: the combinations of parts, a counter that a plain thread can
 * wait on, and a gate that a future can wait at.
 */
#ifndef STEALYARD_STRESS_SUPPORT_H
#define STEALYARD_STRESS_SUPPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/executor.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SUPPORT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SUPPORT_SANITIZED 1
#endif
#endif
#ifndef SUPPORT_SANITIZED
#define SUPPORT_SANITIZED 0
#endif

/* Rounds of a test: fewer under a sanitizer, which slows everything by 5 to 15 times. */
static inline unsigned support_rounds(unsigned plain) {
    unsigned fewer = plain / 10;
    return !SUPPORT_SANITIZED ? plain : fewer ? fewer : 1;
}

/* Prints the message with its place on stderr and ends the process with status 1. From any thread. */
__attribute__((noreturn, format(printf, 3, 4))) void support_fatal(const char *file, int line, const char *format, ...);
#define SUPPORT_REQUIRE(condition) ((condition) ? (void)0 : support_fatal(__FILE__, __LINE__, "%s", #condition))

/*
 * One runtime to test. The first of every kind of part with 1, 2 and 4 workers, and once dynamically; then one for each
 * other part, with a reactor (but for timers), timers and a number of workers in their turn, and a queue with a deque
 * in its turn as well. All combinations would take a hundred times as long, and parts of one kind know nothing of those
 * of another (the stress program does take all). What does not work on this machine takes no turn; the combination that
 * is there for it is skipped.
 */
struct support_combo {
    const char *global_queue;
    const char *local_deque;
    const char *reactor;
    const char *timers;
    struct sy_part queue, deque; /* their claims */
    bool dynamic;
    unsigned workers;
    char name[96];  /* queue.deque.reactor.timers.workers */
    char lack[160]; /* why it cannot run here, or "" */
};

size_t support_combo_count(void);
const struct support_combo *support_combo(size_t index);
const char *support_combo_name(size_t index);
/* The default configuration with this combination's parts. */
void support_combo_config(size_t index, struct sy_config *config);
/* Starts `config`'s runtime, or ends the process. */
struct sy_runtime *support_runtime_start(const struct sy_config *config);
struct sy_runtime *support_runtime(size_t combo);

/* Counts events and lets plain threads wait for them; all on one mutex, so it is destroyed with its memory. */
struct support_counter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t value;
};
#define SUPPORT_COUNTER_INIT                                                                                           \
    { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

void support_counter_add(struct support_counter *counter, uint64_t n);
uint64_t support_counter_get(struct support_counter *counter);
/* Blocks until the counter is at least `value`; whoever calls bounds the wait with a watchdog. */
void support_counter_wait(struct support_counter *counter, uint64_t value);

/* What a future waits at until somebody opens it. One future at a time; any thread opens, any number of times. */
struct support_gate {
    pthread_mutex_t mutex;
    struct sy_waker waker;
    bool open;
};
#define SUPPORT_GATE_INIT                                                                                              \
    { .mutex = PTHREAD_MUTEX_INITIALIZER }

enum sy_poll support_gate_poll(struct support_gate *gate, struct sy_context *cx);
void support_gate_open(struct support_gate *gate);
/* Gives back the waker that is stored, if there is one. */
void support_gate_clear(struct support_gate *gate);

/* Threads of this process now. One that was joined is listed for a moment more. */
unsigned support_thread_count(void);
/* Waits until there are as many, for 10 s at most; then ends the process. */
void support_wait_for_threads(unsigned count);
/* CPU time of the whole process so far. */
uint64_t support_cpu_ns(void);
/* Open file descriptors of this process now. */
unsigned support_fd_count(void);
/* The sum of one counter over a runtime's workers, by its offset in struct sy_worker_metrics. */
uint64_t support_metric(const struct sy_runtime *runtime, size_t offset);
#define SUPPORT_METRIC(runtime, field) support_metric(runtime, offsetof(struct sy_worker_metrics, field))

#endif
