/*
 * ctest-each: gq_list
 * ctest-label: queues
 * Recorded histories of the global queues of gq_list.h that claim to be FIFO, judged whole.
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
#define RECORD_LOG 256 /* events of one thread in one run: at most RECORD_VALUES * (1 push + 1 look + 3 popped) */

struct recording {
    const struct gq_ops *ops;
    struct gq *queue;
    struct item *items;
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

static void record_push(struct recording *r, size_t index, size_t value) {
    uint64_t invoked = moment(r);
    if ((r->items[value].producer = index, r->ops->push(r->queue, dirty(&r->items[value]))) == GQ_OK) {
        record(r, index, HISTORY_PUSH, value, invoked, moment(r));
    }
}

/* "Empty" by is_empty has to be as true as by a pop; "not empty" promises nothing. */
static void record_look(struct recording *r, size_t index) {
    uint64_t invoked = moment(r);
    if (r->ops->is_empty(r->queue)) {
        record(r, index, HISTORY_EMPTY, 0, invoked, moment(r));
    }
}

static void record_pop(struct recording *r, size_t index, size_t max) {
    struct sy_node *batch[3];
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
}

static void record_run(struct recording *r, size_t index, uint64_t *random) {
    for (size_t value = index; value < RECORD_VALUES; value += RECORD_PUSHERS) {
        if (index < RECORD_PUSHERS) {
            record_push(r, index, value);
        }
        rest(r->ops);
        if (check_random(random) % 2) {
            record_look(r, index);
        }
        if (index >= RECORD_PUSHERS || check_random(random) % 4 == 0) {
            record_pop(r, index, 1 + check_random(random) % 3);
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
    const char *wrong = history_check_fifo(all, n, RECORD_VALUES);
    if (wrong) {
        check_fail(__FILE__, __LINE__, "%s: %s", r->ops->name, wrong);
    }
    r->ops->destroy(r->queue); /* what is left was never popped; the judge knows */
    r->queue = create(r->ops, 16, 0);
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
    if (!is_strict_fifo(ops)) {
        check_skip("%s claims \"%s\", not FIFO", ops->name, ops->order);
        return;
    }
    static struct recording recording;
    recording = (struct recording){.ops = ops, .rounds = threads_rounds_of(RECORD_THREADS, threads_scaled(50000))};
    recording.items = calloc(RECORD_VALUES, sizeof *recording.items);
    recording.queue = create(ops, 16, 0);
    threads_run(RECORD_THREADS, recording_member, &recording);
    ops->destroy(recording.queue);
    free(recording.items);
}

static const struct check_test tests[] = {{"recorded_history", recorded_history}};

static const struct check_suite suite = {
    .title = "suite_gq_history",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
    .variant_count = IMPLEMENTATIONS,
    .variant_name = variant_name,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
