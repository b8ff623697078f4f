/* Six tasks that acquire a permit of a semaphore and release it, 1,000 times each. After tokio's. */
#include "bench/workload_tools.h"
#include "executor/sync/semaphore.h"

enum { HOLDERS = 6, ACQUISITIONS = 1000 /* of each */ };

static struct sy_semaphore semaphore;
static struct au64 holding;

struct holder {
    uint64_t good; /* the output: acquisitions with no more holders than permits */
    uint64_t permits;
    bool yields;
    unsigned done;
    enum { HOLDER_FREE, HOLDER_ACQUIRING, HOLDER_HOLDING } state;
    struct sy_acquire acquire;
};

static void holder_holds(struct holder *f, struct sy_context *cx) {
    f->good += au64_fetch_add_relaxed(&holding, 1) < f->permits;
    f->state = HOLDER_HOLDING;
    if (f->yields) {
        sy_yield_now(cx);
    }
}

static void holder_releases(struct holder *f) {
    au64_fetch_sub_relaxed(&holding, 1);
    f->state = HOLDER_FREE;
    f->done++;
    sy_semaphore_release(&semaphore, 1);
}

static enum sy_poll holder_poll(void *future, struct sy_context *cx) {
    struct holder *f = future;
    while (f->done < ACQUISITIONS) {
        switch (f->state) {
        case HOLDER_FREE:
            sy_acquire_init(&f->acquire, &semaphore, 1);
            f->state = HOLDER_ACQUIRING;
            break;
        case HOLDER_ACQUIRING:
            if (sy_acquire_poll(&f->acquire, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            holder_holds(f, cx);
            if (f->yields) {
                return SY_PENDING;
            }
            break;
        case HOLDER_HOLDING:
            holder_releases(f);
            break;
        }
    }
    return SY_READY;
}

static void holder_drop(void *future) {
    struct holder *f = future;
    if (f->state == HOLDER_ACQUIRING) {
        sy_acquire_drop(&f->acquire);
    }
}

static const struct sy_future_type holder_type = {"holder", sizeof(struct holder), holder_poll, holder_drop};

static bool hold_and_release(struct workload_run *run, uint64_t permits, bool yields) {
    struct sy_join joins[HOLDERS];
    sy_semaphore_init(&semaphore, permits);
    au64_store_relaxed(&holding, 0);
    for (unsigned i = 0; i < HOLDERS; i++) {
        struct holder holder = {.permits = permits, .yields = yields};
        workload_spawn(run->runtime, &holder_type, &holder, &joins[i]);
    }
    uint64_t good = workload_join_sum(joins, HOLDERS);
    uint64_t available = sy_semaphore_available(&semaphore);
    sy_semaphore_destroy(&semaphore);
    return workload_expect(run, "acquisitions with no more holders than permits", good, HOLDERS * ACQUISITIONS) &&
           workload_expect(run, "permits at the end", available, permits);
}

static bool uncontended_iterate(struct workload_run *run) {
    return hold_and_release(run, 10, false);
}

static bool contended_iterate(struct workload_run *run) {
    return hold_and_release(run, 5, true);
}

const struct workload workload_sync_semaphore_uncontended = {
    .name = "sync_semaphore_uncontended",
    .summary = "10 permits, 6 tasks that each acquire one and release it 1,000 times",
    .check = "never more holders than permits; each acquisition; all permits back",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = HOLDERS * ACQUISITIONS,
    .effort = WORKLOAD_WIDE,
    .iterate = uncontended_iterate,
};

const struct workload workload_sync_semaphore_contended = {
    .name = "sync_semaphore_contended",
    .summary = "5 permits, 6 tasks that each acquire one, yield, and release it 1,000 times",
    .check = "never more holders than permits; each acquisition; all permits back",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = HOLDERS * ACQUISITIONS,
    .effort = WORKLOAD_CORE,
    .iterate = contended_iterate,
};
