/*
 * The stress program's insides.
 *
 *   stress.c           the command line, the loop over the combinations, the time
 *   stress_plan.c      what an episode does, drawn from the seed
 *   stress_episode.c   one episode: a runtime, threads around it, its end, and the books' audit
 *   stress_unit.c      the tasks and the books that are kept on them
 *   stress_kinds.c     what the tasks do (stress_io.c: those with sockets)
 *   stress_watch.c     the watchdog and what a failure prints
 *   stress_table.c     counts, progress and the verdict
 *
 * Each task is a unit with an entry in the episode's books. What must hold of it: polled by one worker at a time and
 * not after it was ready; everything that its spawner, its waker and its earlier polls wrote is seen by the next
 * poll, with no other ordering than the runtime's; ready at most once; dropped exactly once if it was accepted, never
 * if it was refused; its memory released once; its output seen by who joins it. Counters are relaxed atomics, so that
 * the books order nothing that the runtime ought to order.
 */
#ifndef STEALYARD_STRESS_STRESS_H
#define STEALYARD_STRESS_STRESS_H

#include "support.h"

/* ---- what is counted for each combination ---- */

enum count {
    COUNT_EPISODES,
    COUNT_TASKS,
    COUNT_POLLS,
    COUNT_STEALS,
    COUNT_STEAL_OPERATIONS,
    COUNT_OVERFLOWS,
    COUNT_SPILLS,
    COUNT_OFFERS,
    COUNT_PARKS,
    COUNT_WAKES,
    COUNT_MAIL,
    COUNT_TIMERS,
    COUNT_IO,
    COUNT_JOBS,
    COUNT_ABORTS,
    COUNT_GUESTS, /* threads that came for one push */
    COUNT_SHUTDOWNS,
    COUNTS
};

struct combination {
    struct sy_part global_queue, local_deque, reactor;
    bool dynamic;
    char name[96];
    uint64_t counts[COUNTS];
    uint64_t spent_ns;
    uint64_t next_episode;
};

/* ---- options ---- */

/* Faults that the program commits itself, so that its checks can be seen to work. */
enum inject { INJECT_NONE, INJECT_LOST_WAKE, INJECT_DOUBLE_RUN, INJECT_IDLE, INJECTS };

struct options {
    uint64_t seconds, seed, watchdog_s;
    int64_t episode; /* only this one; -1: all */
    const char *global_queue, *local_deque, *reactor;
    enum { DISPATCH_BOTH, DISPATCH_STATIC, DISPATCH_DYNAMIC } dispatch;
    enum inject inject;
};

extern const char *const inject_names[INJECTS];

/* ---- an episode ---- */

enum { SPAWNERS_MAX = 4, WAKERS_MAX = 3, UNITS = 2048 };

/* What an episode does, all drawn from its seed. */
struct plan {
    uint64_t seed;
    struct sy_config config;
    unsigned spawners, wakers; /* outside threads */
    unsigned roots;            /* that each spawner spawns */
    bool mid_flight;           /* shut down while everything is under way */
    uint32_t threshold;        /* that is, after so many units have ended */
    bool late_wakers;          /* the waking threads go on after the runtime is gone */
};

void plan_draw(struct plan *plan, const struct combination *combination, uint64_t seed, uint64_t number,
               enum inject inject);
uint64_t plan_random(uint64_t *state);
/* From 0 to n - 1. */
unsigned plan_below(uint64_t *state, unsigned n);

/* The books' entry on one task. Plain fields are ordered by the runtime or not at all. */
struct unit {
    const char *kind; /* its name */
    struct au32 accepted, refused, inside, ready, dropped, released, embedded, open;
    uint64_t payload; /* written by the spawner before the spawn */
    uint64_t letter;  /* written by the waking thread before the wake-up */
    uint64_t polls;   /* written by each poll */
    struct sy_waker waker;
    bool pestered; /* woken many times for nothing before it is opened */
};

struct episode {
    struct combination *combination;
    struct plan plan;
    enum inject inject;
    struct sy_runtime *runtime;
    struct unit *units;
    struct au32 next_unit;
    struct ai64 pending;  /* accepted units and spawning threads that have not ended */
    struct au32 ended;    /* units */
    struct au32 injected; /* the fault was committed */
    struct support_counter midway, quiet;
    struct au64 io_operations, aborts, jobs, mail, guests;
    struct ai64 sockets_left, ports_left;

    pthread_mutex_t post_lock; /* guards the next three */
    pthread_cond_t post_changed;
    uint32_t post[UNITS];
    uint32_t post_length;
    bool post_closed;
};

/* Runs the combination's episode of that number and audits the books; a failure ends the process. */
void episode_run(struct combination *combination, const struct options *options, uint64_t number);

/* ---- units ---- */

enum kind {
    KIND_READY,
    KIND_YIELDS,
    KIND_WAKES_ITSELF,
    KIND_COMPUTES,
    KIND_SPAWNS, /* children, detached */
    KIND_JOINS,  /* children, one after the other */
    KIND_ABORTS, /* children that would not end */
    KIND_SLEEPS,
    KIND_TIMES_OUT,
    KIND_MAIL, /* waits for a thread outside to wake it */
    KIND_ONESHOT,
    KIND_JOIN_SET,
    KIND_USES_POOL,
    KIND_PAIR, /* sockets of a socketpair, echoed */
    KIND_TCP,  /* the same through the loopback */
    KINDS_TO_DRAW,
    KIND_SENDS = KINDS_TO_DRAW, /* the other sides of the above */
    KIND_FOREVER,
    KIND_JOB,
    KIND_ECHOES,
    KINDS
};

enum { STRESS_MESSAGE = 4096, STRESS_CHILDREN = 4 };

struct stress_io {
    struct sy_socket socket, listener; /* fd -1: closed */
    struct sy_address address;
    union {
        struct sy_accept accept;
        struct sy_connect connect;
        struct sy_recv recv;
        struct sy_send_all send;
    };
    unsigned char *buffer;
    size_t received, length;
    unsigned rounds;
    int peer_fd;   /* an echo's, until its first poll; -1: it has to connect first */
    bool borrowed; /* from the episode's sockets_left */
};

/* The future. */
struct unit_future {
    struct episode *episode;
    uint32_t id;
    enum kind kind;
    unsigned depth; /* generations below */
    unsigned step, left;
    uint64_t polls, random, payload, output, not_before_ns;
    bool ready;
    struct sy_join joins[STRESS_CHILDREN];
    union {
        struct sy_sleep sleep;
        struct sy_timeout timeout;
        struct sy_oneshot *channel;
        struct sy_join_set *set;
        struct stress_io io;
    };
};

extern const struct sy_future_type unit_type;

enum spawn_how { SPAWN_PLAIN, SPAWN_EMBEDDED, SPAWN_BLOCKING, SPAWN_INTO_SET };

/* A future with what all have filled in; the caller may add what its kind needs. */
struct unit_future unit_make(struct episode *episode, enum kind kind, unsigned depth, uint64_t random);
/* Enters it into the books and spawns it. 0, -ESHUTDOWN, -ENOSPC (the books are full). */
int unit_spawn(struct unit_future *future, enum spawn_how how, struct sy_join *join, struct sy_join_set *set);
/* Checks what a joined unit came to, and gives the handle back. */
void unit_check_outcome(struct episode *episode, const struct sy_outcome *outcome);
void unit_audit(struct episode *episode);
/* One token of `pending` less; the last tells who waits. */
void episode_release(struct episode *episode);

typedef enum sy_poll kind_poll(struct unit_future *f, struct sy_context *cx);
typedef void kind_drop(struct unit_future *f);
struct kind_ops {
    const char *name;
    kind_poll *poll;
    kind_drop *drop; /* NULL: nothing to give back */
};
extern const struct kind_ops kind_table[KINDS];

enum sy_poll pair_poll(struct unit_future *f, struct sy_context *cx);
enum sy_poll tcp_poll(struct unit_future *f, struct sy_context *cx);
enum sy_poll echo_poll(struct unit_future *f, struct sy_context *cx);
void io_drop(struct unit_future *f);

/* ---- failure and progress ---- */

/* Tells the watchdog, from whatever thread, that something happened. */
void watch_progress(void);
void watch_start(const struct options *options);
void watch_episode_begins(const struct episode *episode, const struct options *options, uint64_t number);
/* Between these two the runtime's metrics may be read. */
void watch_runtime(struct sy_runtime *runtime);
void watch_episode_ends(void);

/* Prints what is wrong and how to repeat it; exit status 1. */
__attribute__((noreturn, format(printf, 3, 4))) void stress_fail(const char *file, int line, const char *format, ...);
#define STRESS_CHECK(condition, ...) ((condition) ? (void)0 : stress_fail(__FILE__, __LINE__, __VA_ARGS__))

void progress_show(uint64_t elapsed_ns, const struct options *options, uint64_t episodes, const char *name);
void progress_end(void);
/* The table; returns how many combinations were not tested. */
unsigned table_print(const struct combination *combinations, size_t n, bool one_episode);

#endif
