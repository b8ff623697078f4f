/*
 * ctest-each: gq_list
 * ctest-label: queues
 * Recorded histories of the global queues of gq_list.h, judged whole; of those that are FIFO for each producer
 * only, the order of each producer's values.
 */
#define _GNU_SOURCE
#include "stress/gq_items.h"
#include "stress/history.h"
#include "stress/threads.h"

static bool is_strict_fifo(const struct gq_ops *ops) {
    return strcmp(ops->order, "FIFO") == 0;
}

/* Recorded runs: short and many, so that the threads meet at an almost empty queue. */
#define RECORD_VALUES 48
#define RECORD_PUSHERS 2
#define RECORD_THREADS 4
#define RECORD_BATCH 3
#define RECORD_LOG 512 /* events of one thread in one run: at most RECORD_VALUES * (1 push + 1 look + 2 * 3 popped) */

/* Room for next to nothing, a few segments, and as it is used. */
static const struct gq_config shapes[] = {
    {.capacity = 2, .segment = 2, .workers = RECORD_THREADS},
    {.capacity = 4, .segment = 4, .workers = RECORD_THREADS, .first = UINT64_MAX - 20},
    {.capacity = 64, .segment = 2, .workers = RECORD_THREADS},
    {.capacity = GQ_CAPACITY_DEFAULT, .segment = 0, .workers = RECORD_THREADS, .first = UINT32_MAX - 20},
};
#define SHAPE_NS INT64_C(300000000)

struct recording {
    const struct gq_ops *ops;
    const struct gq_config *config;
    struct gq *queue;
    struct item *items;
    size_t producers[RECORD_VALUES]; /* of each value */
    struct threads_rounds rounds;
    struct au64 clock;
    size_t logged[RECORD_THREADS];
    struct history_event events[RECORD_THREADS][RECORD_LOG];
};

static uint64_t moment(struct recording *r) {
    return au64_fetch_add_seq_cst(&r->clock, 1) + 1;
}

static void record(struct recording *r, size_t index, enum history_kind kind, size_t value, uint64_t invoked,
                   uint64_t returned) {
    CHECK(r->logged[index] < RECORD_LOG);
    r->events[index][r->logged[index]++] = (struct history_event){kind, value, invoked, returned};
}

/* What a full queue does not take was never pushed. */
static void record_push(struct recording *r, size_t index, const size_t *values, size_t n) {
    struct sy_node *batch[RECORD_BATCH];
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        r->items[values[i]].producer = index;
        batch[i] = dirty(&r->items[values[i]]);
    }
    uint64_t invoked = moment(r);
    if (n == 1) {
        done = r->ops->push(r->queue, batch[0]) == GQ_OK;
    } else {
        r->ops->push_batch(r->queue, batch, n, &done);
    }
    uint64_t returned = moment(r);
    for (size_t i = 0; i < done; i++) {
        record(r, index, HISTORY_PUSH, values[i], invoked, returned);
    }
}

/* "Empty" by is_empty has to be as true as by a pop; "not empty" promises nothing. */
static void record_look(struct recording *r, size_t index) {
    uint64_t invoked = moment(r);
    if (r->ops->is_empty(r->queue)) {
        record(r, index, HISTORY_EMPTY, 0, invoked, moment(r));
    }
}

static enum gq_status record_pop(struct recording *r, size_t index, size_t max) {
    struct sy_node *batch[RECORD_BATCH];
    size_t got = 0;
    uint64_t invoked = moment(r);
    enum gq_status status = r->ops->pop_batch(r->queue, batch, max, &got);
    uint64_t returned = moment(r);
    if (status == GQ_EMPTY) {
        record(r, index, HISTORY_EMPTY, 0, invoked, returned);
    }
    for (size_t i = 0; i < got; i++) {
        record(r, index, HISTORY_POP, (size_t)((struct item *)(void *)batch[i] - r->items), invoked, returned);
    }
    return status;
}

/* Pushers push every value of theirs, in batches; everybody looks and pops, once more after a "retry". */
static void record_run(struct recording *r, size_t index, uint64_t *random) {
    size_t values[RECORD_BATCH], next = index;
    for (size_t i = 0; i < RECORD_VALUES / RECORD_PUSHERS; i++) {
        size_t n = 0, wanted = 1 + check_random(random) % RECORD_BATCH;
        for (; index < RECORD_PUSHERS && n < wanted && next < RECORD_VALUES; next += RECORD_PUSHERS) {
            values[n++] = next;
        }
        if (n > 0) {
            record_push(r, index, values, n);
        }
        rest(r->ops);
        if (check_random(random) % 2) {
            record_look(r, index);
        }
        if (index >= RECORD_PUSHERS || check_random(random) % 4 == 0) {
            size_t max = 1 + check_random(random) % RECORD_BATCH;
            if (record_pop(r, index, max) == GQ_RETRY) {
                record_pop(r, index, max);
            }
        }
    }
}

static void judge_recording(struct recording *r) {
    struct history_event all[RECORD_THREADS * RECORD_LOG];
    size_t n = 0;
    for (size_t i = 0; i < RECORD_THREADS; i++) {
        memcpy(all + n, r->events[i], r->logged[i] * sizeof *all);
        n += r->logged[i];
        r->logged[i] = 0;
    }
    const char *wrong = history_check_lines(all, n, RECORD_VALUES, is_strict_fifo(r->ops) ? NULL : r->producers);
    if (wrong) {
        check_fail(__FILE__, __LINE__, "%s: %s", r->ops->name, wrong);
    }
    r->ops->destroy(r->queue); /* what is left was never popped; the judge knows */
    r->queue = create_as(r->ops, r->config);
}

static void recording_member(size_t index, void *shared) {
    struct recording *r = shared;
    uint64_t round = 0, random = check_seed() + index;
    for (size_t i = 0; threads_round(&r->rounds, &round, index, i); i++) {
        attach(r->ops, r->queue);
        record_run(r, index, &random);
        detach(r->ops, r->queue);
        threads_meet(&r->rounds, &round);
        if (index == 0) {
            judge_recording(r);
        }
    }
}

static void recorded_history(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    if (!keeps_order(ops)) {
        check_skip("%s claims no order but \"%s\"", ops->name, ops->order);
        return;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static struct recording recording;
        recording = (struct recording){.ops = ops, .config = &shapes[i]};
        for (size_t value = 0; value < RECORD_VALUES; value++) {
            recording.producers[value] = value % RECORD_PUSHERS;
        }
        recording.rounds = threads_rounds_of(RECORD_THREADS, threads_scaled(20000));
        recording.rounds.deadline_ns = check_now_ns() + SHAPE_NS;
        recording.items = create_items(RECORD_VALUES);
        recording.queue = create_as(ops, &shapes[i]);
        threads_run(RECORD_THREADS, recording_member, &recording);
        ops->destroy(recording.queue);
        free(recording.items);
    }
}

static const struct check_test tests[] = {{"recorded_history", recorded_history}};

static const struct check_suite suite = GQ_SUITE("suite_gq_history");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
