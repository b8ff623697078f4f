/*
 * ctest-each: dq_list
 * ctest-label: queues
 * Recorded histories of the deques of dq_list.h, judged whole: every answer of the owner and of three thieves at once,
 * DQ_EMPTY too. And what a thief must not hear where more is inside than all can take.
 */
#define _GNU_SOURCE
#include "stress/dq_record.h"
#include "stress/threads.h"

#define OWNER_STEPS 16
#define THIEF_STEPS 6
#define SHAPE_NS INT64_C(250000000)

/* Room for next to nothing, so that blocks and slots are used again at once; and counters about to end. */
static const struct dq_config shapes[] = {
    {.capacity = 2, .block = 2},
    {.capacity = 4, .block = 2, .first = UINT64_MAX - 4},
    {.capacity = 8, .block = 4, .first = UINT32_MAX - 6},
    {.capacity = 16, .block = 0, .first = UINT16_MAX - 8},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

struct recording {
    struct record record;
    struct threads_rounds rounds;
    const struct dq_ops *ops;
    struct dq_config config;
    struct item *items;
};

static void record_owner(struct record *r, uint64_t *random) {
    for (size_t i = 0; i < OWNER_STEPS; i++) {
        switch (check_random(random) % 8) {
        case 0:
        case 1:
        case 2:
        case 3:
            if (record_push(r) == DQ_FULL) {
                record_take_oldest(r, RECORD_BATCH);
            }
            break;
        case 4:
        case 5:
            record_pop(r);
            break;
        case 6:
            record_look(r);
            break;
        default:
            record_take_oldest(r, 1 + check_random(random) % 3);
        }
    }
}

static void record_thief(struct record *r, size_t self, uint64_t *random) {
    size_t moved;
    for (size_t i = 0; i < THIEF_STEPS; i++) {
        bool into_own = check_random(random) % 2;
        record_steal(r, self, into_own, 1 + check_random(random) % RECORD_BATCH, &moved);
    }
}

static void recording_member(size_t self, void *shared) {
    struct recording *recording = shared;
    struct record *r = &recording->record;
    uint64_t round = 0, random = check_seed() + self;
    reclaim_register_thread();
    for (size_t i = 0; threads_round(&recording->rounds, &round, self, i); i++) {
        if (self == 0) {
            record_owner(r, &random);
        } else {
            record_thief(r, self, &random);
        }
        reclaim_quiescent();
        threads_meet(&recording->rounds, &round);
        if (self == 0) {
            record_end(r);
            record_begin(r, recording->ops, &recording->config, recording->items);
        }
        reclaim_quiescent();
    }
    reclaim_unregister_thread();
}

static void recorded_history(size_t variant) {
    static struct recording recording;
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < SHAPES; i++) {
        recording = (struct recording){.ops = implementations[variant],
                                       .config = shapes[i],
                                       .items = create_items(RECORD_VALUES),
                                       .rounds = threads_rounds_of(RECORD_THREADS, threads_scaled(20000))};
        recording.rounds.deadline_ns = check_now_ns() + SHAPE_NS;
        recording.config.reclaim = reclaim;
        record_begin(&recording.record, recording.ops, &recording.config, recording.items);
        threads_run(RECORD_THREADS, recording_member, &recording);
        reclaim_register_thread();
        record_end(&recording.record);
        reclaim_unregister_thread();
        free(recording.items);
    }
    reclaim_destroy(reclaim);
}

#define PLENTY 256
#define TAKES 40 /* of each thread in a round: fewer than PLENTY for all four */

/* An owner and thieves at a deque that stays far from empty: every "empty" is a lie. */
struct plenty {
    const struct dq_ops *ops;
    struct dq *deque;
    struct item *items;
    struct threads_rounds rounds;
};

static void plenty_fill(struct plenty *p) {
    struct sy_node *node;
    while (p->ops->pop(p->deque, &node) == DQ_OK) {
        CHECK_EQ(++((struct item *)(void *)node)->taken, 1);
    }
    for (size_t i = 0; i < PLENTY; i++) {
        CHECK_EQ(p->items[i].taken, 1);
        p->items[i].taken = 0;
        CHECK_EQ(p->ops->push(p->deque, dirty(&p->items[i])), DQ_OK);
    }
}

static void plenty_member(size_t self, void *shared) {
    struct plenty *p = shared;
    uint64_t round = 0;
    reclaim_register_thread();
    for (size_t i = 0; threads_round(&p->rounds, &round, self, i); i++) {
        if (self == 0) {
            plenty_fill(p);
        }
        threads_meet(&p->rounds, &round);
        for (size_t k = 0; k < TAKES; k++) {
            struct sy_node *node;
            size_t moved;
            enum dq_status status =
                self == 0 ? p->ops->pop(p->deque, &node) : p->ops->steal(p->deque, NULL, 1, &node, &moved);
            CHECK(status == DQ_OK || (status == DQ_RETRY && self > 0));
            if (status == DQ_OK) {
                CHECK_EQ(++((struct item *)(void *)node)->taken, 1);
            } else {
                sched_yield();
            }
        }
        reclaim_quiescent();
        threads_meet(&p->rounds, &round);
    }
    reclaim_unregister_thread();
}

static void never_empty(size_t variant) {
    struct plenty plenty = {.ops = implementations[variant], .items = create_items(PLENTY)};
    struct reclaim *reclaim = create_reclaim();
    for (size_t block = 0; block <= 16; block = block ? 4 * block : 4) {
        for (size_t i = 0; i < PLENTY; i++) {
            plenty.items[i].taken = 1;
        }
        plenty.deque = create(plenty.ops, PLENTY, block, reclaim);
        plenty.rounds = threads_rounds_of(RECORD_THREADS, threads_scaled(4000));
        plenty.rounds.deadline_ns = check_now_ns() + SHAPE_NS;
        threads_run(RECORD_THREADS, plenty_member, &plenty);
        plenty.ops->destroy(plenty.deque);
    }
    reclaim_destroy(reclaim);
    free(plenty.items);
}

static const struct check_test tests[] = {
    {"recorded_history", recorded_history},
    {"never_empty", never_empty},
};

static const struct check_suite suite = DQ_SUITE("suite_dq_history");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
