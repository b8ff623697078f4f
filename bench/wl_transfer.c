/*
 * Tasks that all yield in a loop, one of which is the leader: it goes on only when each of the others has had a turn and
 * acknowledged it. A scheduler that runs some tasks again before others had their turn is seen here. After Waterloo's.
 *
 *   [1] named: stored with release by the leader; loaded with acquire by all. Pairs with itself: the next leader sees
 *       `leaders` as the last one left it.
 *   [2] acknowledged: stored with release by its member, loaded with acquire by the leader. Pairs with itself: what
 *       members did in a reign is before the next.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/workload_tools.h"

enum { MEMBERS = 100, REIGNS = 20 };

struct member_word {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 acknowledged; /* the last reign that the member acknowledged [2] */
};

static struct member_word *words;
static struct sy_join *joins;
static uint64_t members;
static struct au64 named; /* the reign, from 1, in the upper half; who leads it in the lower [1] */
static uint64_t leaders;  /* the generator of leaders; the leader's */

static uint64_t pick_leader(void) {
    return workload_random_next(&leaders) % members;
}

struct member {
    uint64_t acknowledgements; /* the output */
    uint64_t number;
    uint64_t reign;  /* acknowledged last */
    uint64_t looked; /* as a leader: members that are known to have acknowledged */
    bool leads;
};

static void member_acknowledge(struct member *f, uint64_t reign) {
    f->reign = reign;
    f->acknowledgements++;
    au64_store_release(&words[f->number].acknowledged, reign); /* [2] */
}

static bool all_have_acknowledged(struct member *f) {
    while (f->looked < members && au64_load_acquire(&words[f->looked].acknowledged) == f->reign) { /* [2] */
        f->looked++;
    }
    return f->looked == members;
}

static void member_lead(struct member *f) {
    if (all_have_acknowledged(f)) {
        f->leads = false;
        au64_store_release(&named, (f->reign + 1) << 32 | pick_leader()); /* [1] */
    }
}

static enum sy_poll member_poll(void *future, struct sy_context *cx) {
    struct member *f = future;
    if (!f->leads) {
        uint64_t now = au64_load_acquire(&named); /* [1] */
        if (now >> 32 > REIGNS) {
            return SY_READY;
        }
        if (now >> 32 != f->reign) {
            member_acknowledge(f, now >> 32);
            f->leads = (uint32_t)now == f->number;
            f->looked = 0;
        }
    }
    if (f->leads) {
        member_lead(f);
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type member_type = {"member", sizeof(struct member), member_poll, NULL};

static void transfer_setup(struct workload_run *run) {
    members = (uint64_t)run->workers * MEMBERS;
    joins = workload_allocate(members, sizeof *joins);
    words = workload_allocate_lines(members, sizeof *words);
    leaders = workload_random_start(run, 0);
}

static bool transfer_iterate(struct workload_run *run) {
    memset(words, 0, members * sizeof *words);
    au64_store_relaxed(&named, (uint64_t)1 << 32 | pick_leader());
    for (uint64_t i = 0; i < members; i++) {
        workload_spawn(run->runtime, &member_type, &(struct member){.number = i}, &joins[i]);
    }
    return workload_expect(run, "acknowledgements", workload_join_sum(joins, members), members * REIGNS);
}

static bool transfer_finish(struct workload_run *run) {
    (void)run;
    free(words);
    free(joins);
    return true;
}

const struct workload workload_transfer = {
    .name = "transfer",
    .summary = "100 tasks for each worker yield; 20 times one is named leader, which waits for all to have seen it",
    .check = "each task acknowledged each leader once",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = MEMBERS * REIGNS,
    .ops_per_worker = true,
    .effort = WORKLOAD_CORE,
    .setup = transfer_setup,
    .iterate = transfer_iterate,
    .finish = transfer_finish,
};
