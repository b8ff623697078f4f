/* 1,000 tasks that each exchange two messages with a child over oneshot channels. */
#include "bench/workload.h"

enum { PINGS = 1000 };

static struct au64 left;
static struct au64 lost; /* messages that did not arrive */

static struct sy_oneshot *new_channel(void) {
    struct sy_oneshot *channel;
    int error = sy_oneshot_create(&channel);
    if (error) {
        workload_die("a channel cannot be made", error);
    }
    return channel;
}

static void count_lost(enum sy_oneshot_result result) {
    if (result != SY_ONESHOT_VALUE) {
        au64_fetch_add_relaxed(&lost, 1);
    }
}

/* Waits for the message there, sends one back. */
struct pong {
    struct sy_oneshot *there; /* the receiving end */
    struct sy_oneshot *back;  /* the sending end */
};

static enum sy_poll pong_poll(void *future, struct sy_context *cx) {
    struct pong *f = future;
    enum sy_oneshot_result result;
    void *message;
    if (sy_oneshot_poll(f->there, cx, &result, &message) == SY_PENDING) {
        return SY_PENDING;
    }
    count_lost(result);
    if (sy_oneshot_send(f->back, NULL) != 0) {
        au64_fetch_add_relaxed(&lost, 1);
    }
    return SY_READY;
}

static void pong_drop(void *future) {
    struct pong *f = future;
    sy_oneshot_drop_receiver(f->there);
    sy_oneshot_drop_sender(f->back);
}

static const struct sy_future_type pong_type = {"pong", sizeof(struct pong), pong_poll, pong_drop};

/* Spawns a pong, sends it a message, waits for the one back. */
struct ping {
    struct sy_oneshot *back; /* the receiving end; NULL before the first poll */
};

static void ping_begin(struct ping *f, struct sy_context *cx) {
    struct sy_oneshot *there = new_channel();
    f->back = new_channel();
    workload_spawn(cx->runtime, &pong_type, &(struct pong){there, f->back}, NULL);
    if (sy_oneshot_send(there, NULL) != 0) {
        au64_fetch_add_relaxed(&lost, 1);
    }
    sy_oneshot_drop_sender(there);
}

static enum sy_poll ping_poll(void *future, struct sy_context *cx) {
    struct ping *f = future;
    if (!f->back) {
        ping_begin(f, cx);
    }
    enum sy_oneshot_result result;
    void *message;
    if (sy_oneshot_poll(f->back, cx, &result, &message) == SY_PENDING) {
        return SY_PENDING;
    }
    count_lost(result);
    if (au64_fetch_sub_relaxed(&left, 1) == 1) {
        sem_post(&workload_done);
    }
    return SY_READY;
}

static void ping_drop(void *future) {
    struct ping *f = future;
    if (f->back) {
        sy_oneshot_drop_receiver(f->back);
    }
}

static const struct sy_future_type ping_type = {"ping", sizeof(struct ping), ping_poll, ping_drop};

/* Spawns all the pings, from a worker. */
struct starter {
    int pings;
};

static enum sy_poll starter_poll(void *future, struct sy_context *cx) {
    const struct starter *f = future;
    for (int i = 0; i < f->pings; i++) {
        workload_spawn(cx->runtime, &ping_type, &(struct ping){NULL}, NULL);
    }
    return SY_READY;
}

static const struct sy_future_type starter_type = {"starter", sizeof(struct starter), starter_poll, NULL};

static bool ping_pong_iterate(struct workload_run *run) {
    au64_store_relaxed(&left, PINGS);
    workload_spawn(run->runtime, &starter_type, &(struct starter){PINGS}, NULL);
    workload_wait();
    return workload_expect(run, "pings left", au64_load_relaxed(&left), 0) &&
           workload_expect(run, "messages lost", au64_load_relaxed(&lost), 0);
}

const struct workload workload_ping_pong = {
    .name = "ping_pong",
    .summary = "1,000 tasks, each with a child and two oneshot channels: a message there and one back",
    .check = "each message arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = PINGS,
    .iterate = ping_pong_iterate,
};
