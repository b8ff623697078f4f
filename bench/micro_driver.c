#include <pthread.h>
#include <sched.h>

#include "bench/micro_driver.h"
#include "executor/timer.h"
#include "queues/atomics.h"

enum { GO_WAIT, GO_RUN, GO_ABANDON };

struct crew {
    void (*body)(void *argument, unsigned index);
    void *argument;
    struct au32 ready; /* threads that wait for `go` */
    struct au32 go;
};

struct member {
    struct crew *crew;
    unsigned index;
    pthread_t thread;
    uint64_t start_ns;
    uint64_t end_ns;
};

static void member_run(struct member *member) {
    struct crew *crew = member->crew;
    member->start_ns = sy_now_ns();
    crew->body(crew->argument, member->index);
    member->end_ns = sy_now_ns();
}

static void *member_main(void *argument) {
    struct member *member = argument;
    struct crew *crew = member->crew;
    uint32_t go;
    au32_fetch_add_release(&crew->ready, 1);
    while ((go = au32_load_acquire(&crew->go)) == GO_WAIT) {
        sched_yield();
    }
    if (go == GO_RUN) {
        member_run(member);
    }
    return NULL;
}

static double span(const struct member *members, unsigned n) {
    uint64_t start_ns = members[0].start_ns;
    uint64_t end_ns = members[0].end_ns;
    for (unsigned i = 1; i < n; i++) {
        start_ns = members[i].start_ns < start_ns ? members[i].start_ns : start_ns;
        end_ns = members[i].end_ns > end_ns ? members[i].end_ns : end_ns;
    }
    return (double)(end_ns - start_ns) * 1e-9;
}

double micro_threads(unsigned n, void (*body)(void *argument, unsigned index), void *argument) {
    struct crew crew = {.body = body, .argument = argument};
    struct member members[MICRO_THREADS_MAX];
    unsigned started = 0;
    if (n == 1) {
        members[0] = (struct member){.crew = &crew};
        member_run(&members[0]);
        return span(members, 1);
    }
    for (; started < n; started++) {
        members[started] = (struct member){.crew = &crew, .index = started};
        if (pthread_create(&members[started].thread, NULL, member_main, &members[started]) != 0) {
            break;
        }
    }
    while (started == n && au32_load_acquire(&crew.ready) < n) {
        sched_yield();
    }
    au32_store_release(&crew.go, started == n ? GO_RUN : GO_ABANDON);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(members[i].thread, NULL);
    }
    return started == n ? span(members, n) : -1;
}
