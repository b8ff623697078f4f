/*
 * What every engine is put through: libevent's bench.c, one pair that plays ping-pong, and a wake-up from another
 * thread.
 *
 * reactor/bench/n:N/a:A/w:W. N socketpairs, A of which get a byte at the start, N / A apart. Whenever a byte is read
 * from one, another is written to the next, until W were written so. An operation is a byte that was read; a write that
 * the kernel refuses is a failed operation ("full"), and its byte is not waited for. As in libevent's test/bench.c the
 * bytes are written by send(2) itself, whatever the engine, and only the loop is timed. Unlike there a read asks for up
 * to RX_READ_MOST bytes, in every engine. The reading ends stay watched from one run to the next.
 *
 * reactor/pingpong/<transport>. A byte there and back is an operation; sending goes through the engine too.
 *
 * reactor/wake. A thread waits, another wakes it, and again when it has answered and has had time to fall asleep. The
 * latency is from just before the wake-up to the return of the wait. An operation's duration means nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/micro_list.h"
#include "bench/micro_rx_rig.h"

enum {
    SPARE_DESCRIPTORS = 64,
    PINGPONG_ROUND = 64,    /* operations between two looks at the clock */
    FALL_ASLEEP_NS = 50000, /* more than a thread takes from its answer to its wait */
};

/* ---- has anything happened? ---- */

/* An event that is lost would be waited for in vain. */
struct patience {
    uint64_t progress;
    uint64_t idle_since_ns; /* 0: not idle */
};

static bool is_worth_waiting(struct patience *patience, uint64_t progress) {
    if (progress != patience->progress) {
        *patience = (struct patience){.progress = progress};
        return true;
    }
    uint64_t now_ns = micro_now_ns();
    if (patience->idle_since_ns == 0) {
        patience->idle_since_ns = now_ns;
    }
    return now_ns - patience->idle_since_ns < (uint64_t)RX_PATIENCE_NS;
}

/* ---- bench ---- */

struct bench {
    const struct rx_engine *engine;
    struct rx_loop *loop;
    struct rx_rig rig;
    struct rx_end *pairs; /* an end reads from the first of its pair; into the second it is written */
    size_t active, writes;
    size_t writes_left, fired, count, failed; /* of this run */
};

static void bench_write(struct bench *b, size_t index) {
    if (send(b->pairs[index].out, "e", 1, MSG_NOSIGNAL) == 1) {
        b->fired++;
    } else if (errno == EAGAIN) {
        b->failed++;
    } else {
        b->rig.failure = "a byte cannot be written";
    }
}

static void bench_arrived(struct rx_rig *rig, size_t index, unsigned char byte) {
    struct bench *b = rig->argument;
    b->count++;
    if (byte != 'e') {
        rig->failure = "another byte came than was written";
    }
    if (b->writes_left > 0) {
        b->writes_left--;
        bench_write(b, index + 1 < rig->count ? index + 1 : 0);
    }
}

static void bench_round(void *argument, struct micro_thread *self) {
    struct bench *b = argument;
    struct patience patience = {.progress = 0};
    b->writes_left = b->writes;
    b->fired = b->count = b->failed = 0;
    for (size_t i = 0; i < b->active; i++) {
        bench_write(b, i * (b->rig.count / b->active));
    }
    while (b->count < b->fired && !b->rig.failure) {
        b->engine->turn(b->loop);
        if (!is_worth_waiting(&patience, b->count)) {
            b->rig.failure = "an event was lost";
        }
    }
    micro_count(&self->operations, b->count);
    micro_count(&self->full, b->failed);
    self->failure = b->rig.failure;
}

/* Every byte that was written was read, so nothing may be left. */
static void bench_check(struct bench *b) {
    char byte;
    for (size_t i = 0; i < b->rig.count && !b->rig.failure; i++) {
        if (recv(b->pairs[i].in, &byte, 1, MSG_DONTWAIT) != -1) {
            b->rig.failure = "more bytes were there than were written";
        }
    }
}

static bool bench_connect(struct bench *b, size_t pairs) {
    b->pairs = calloc(pairs, sizeof *b->pairs);
    rx_rig_descriptors();
    for (size_t i = 0; b->pairs && i < pairs; i++) {
        struct rx_end ends[2];
        if (!rx_rig_connect(&b->rig, RX_SOCKETPAIR, ends)) {
            return false;
        }
        b->pairs[i] = (struct rx_end){.in = ends[0].in, .out = ends[1].out};
        b->rig.count++;
    }
    b->rig.ends = b->pairs;
    b->rig.failure = b->pairs ? NULL : "no memory";
    return b->pairs;
}

static void bench_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    struct bench b = {.engine = one->subject, .active = one->parameters.active, .writes = one->parameters.depth};
    b.rig = (struct rx_rig){.sockets = true, .argument = &b, .arrived = bench_arrived};
    if (bench_connect(&b, one->parameters.size) && (b.loop = b.engine->open(b.engine, &b.rig))) {
        micro_run_alone(bench_round, &b, extent, result);
        bench_check(&b);
        b.engine->close(b.loop);
    }
    rx_rig_disconnect(b.pairs, b.rig.count);
    free(b.pairs);
    result->failure = b.rig.failure;
}

/* ---- ping-pong ---- */

struct pingpong {
    const struct rx_engine *engine;
    struct rx_loop *loop;
    struct rx_rig rig;
    unsigned char byte; /* on its way */
    size_t left, hops;
};

static void pingpong_arrived(struct rx_rig *rig, size_t index, unsigned char byte) {
    struct pingpong *p = rig->argument;
    p->hops++;
    if (byte != p->byte) {
        rig->failure = "another byte came than was sent";
        return;
    }
    if (index == 0 && --p->left == 0) {
        return;
    }
    p->byte++;
    p->engine->send(p->loop, index, p->byte);
}

static void pingpong_round(void *argument, struct micro_thread *self) {
    struct pingpong *p = argument;
    struct patience patience = {.progress = p->hops};
    p->left = PINGPONG_ROUND;
    p->byte++;
    p->engine->send(p->loop, 0, p->byte);
    while (p->left > 0 && !p->rig.failure) {
        p->engine->turn(p->loop);
        if (!is_worth_waiting(&patience, p->hops)) {
            p->rig.failure = "an event was lost";
        }
    }
    micro_count(&self->operations, PINGPONG_ROUND);
    self->failure = p->rig.failure;
}

static void pingpong_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    enum rx_transport transport = (enum rx_transport)one->parameters.size;
    struct rx_end ends[2];
    struct pingpong p = {.engine = one->subject};
    p.rig = (struct rx_rig){.ends = ends,
                            .count = 2,
                            .sockets = transport != RX_PIPE,
                            .sends = true,
                            .argument = &p,
                            .arrived = pingpong_arrived};
    if (rx_rig_connect(&p.rig, transport, ends)) {
        if ((p.loop = p.engine->open(p.engine, &p.rig))) {
            micro_run_alone(pingpong_round, &p, extent, result);
            p.engine->close(p.loop);
        }
        rx_rig_disconnect(ends, 2);
    }
    result->failure = p.rig.failure;
}

/* ---- wake ---- */

/*
 * Accesses: (1) number, store release, by the waker before it wakes. Partner (2): load acquire, by the waiter after its
 * wait; so it reads the time that belongs to the number. (3) answer, store release, and (4) load acquire: only then the
 * waker writes the time anew. (5) over, store relaxed, and (6) load relaxed: it says only that there is no more to
 * come.
 */
struct wake {
    const struct rx_engine *engine;
    struct rx_loop *loop;
    struct rx_rig rig;
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 number; /* of the wake-up; 0: none yet */
    struct au64 sent_ns;
    struct au32 over;                             /* the waker has had its last answer */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 answer; /* the last number that the waiter saw */
};

static void let_fall_asleep(struct micro_thread *self) {
    uint64_t until_ns = micro_now_ns() + FALL_ASLEEP_NS;
    while (micro_now_ns() < until_ns) {
        micro_pause(self);
    }
}

static void waker_body(struct wake *w, struct micro_thread *self) {
    for (uint64_t number = 1; micro_goes_on(self) && !self->failure; number++) {
        let_fall_asleep(self);
        uint64_t sent_ns = micro_now_ns();
        au64_store_relaxed(&w->sent_ns, sent_ns);
        au64_store_release(&w->number, number); /* (1) */
        w->engine->wake(w->loop);
        while (au64_load_acquire(&w->answer) < number && !self->failure) { /* (4) */
            micro_pause(self);
            if (micro_now_ns() - sent_ns > (uint64_t)RX_PATIENCE_NS / 2) {
                self->failure = "a wake-up was lost";
            }
        }
        micro_count(&self->operations, 1);
    }
    au32_store_relaxed(&w->over, 1); /* (5) */
    w->engine->wake(w->loop);
}

static void waiter_body(struct wake *w, struct micro_thread *self) {
    uint64_t seen = 0;
    while (!au32_load_relaxed(&w->over) && !w->rig.failure) { /* (6) */
        w->engine->turn(w->loop);
        uint64_t now_ns = micro_now_ns();
        uint64_t number = au64_load_acquire(&w->number); /* (2) */
        if (number == seen) {
            micro_count(&self->empty, 1); /* it returned for nothing */
            continue;
        }
        if (micro_phase(self) == MICRO_MEASURE) {
            latency_record(self->latency, now_ns - au64_load_relaxed(&w->sent_ns));
        }
        seen = number;
        au64_store_release(&w->answer, number); /* (3) */
    }
    if (w->engine->leave) {
        w->engine->leave(w->loop);
    }
    self->failure = w->rig.failure;
}

static void wake_body(void *argument, struct micro_thread *self) {
    if (self->role == 0) {
        waker_body(argument, self);
    } else {
        waiter_body(argument, self);
    }
}

static void nothing_arrives(struct rx_rig *rig, size_t index, unsigned char byte) {
    (void)index;
    (void)byte;
    rig->failure = "a byte came from nowhere";
}

static void wake_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    struct wake w = {.engine = one->subject, .rig = {.wakes = true, .arrived = nothing_arrives}};
    struct micro_team team = {
        .threads = 2, .leaders = 1, .counts = {true, false}, .latency = true, .argument = &w, .body = wake_body};
    if ((w.loop = w.engine->open(w.engine, &w.rig))) {
        micro_run_team(&team, extent, result);
        w.engine->close(w.loop);
    } else {
        result->failure = w.rig.failure;
    }
}

/* ---- cases ---- */

/* As many pairs, or the thousands below for which there are descriptors. */
static size_t most_pairs(size_t most) {
    size_t descriptors = rx_rig_descriptors();
    while (most > 0 && 2 * most + SPARE_DESCRIPTORS > descriptors) {
        most -= 1000;
    }
    return most;
}

static void tell_left_out(size_t pairs) {
    static bool told; /* it is the same for every engine */
    if (!told) {
        fprintf(stderr, "micro: reactor/bench/n:%zu is left out: too few descriptors (ulimit -Hn)\n", pairs);
    }
    told = true;
}

static void add_bench(const struct micro_case *like) {
    const size_t pairs[] = {100, 1000, most_pairs(10000), 100000}, active[] = {1, 100}, writes[] = {100, 1000};
    for (size_t n = 0; n < 4; n++) {
        if (n == 2 && pairs[n] <= 1000) {
            tell_left_out(10000);
            break;
        }
        if (n == 3 && most_pairs(pairs[n]) < pairs[n]) {
            tell_left_out(pairs[n]);
            break;
        }
        for (size_t a = 0; a < 2; a++) {
            for (size_t w = 0; w < 2; w++) {
                struct micro_case one = *like;
                one.run = bench_run;
                one.parameters.size = pairs[n];
                one.parameters.active = active[a];
                one.parameters.depth = writes[w];
                one.core = n == 1 && w == 1;
                one.axis = "connections";
                one.x = (unsigned)pairs[n];
                micro_add(&one, "bench/n:%zu/a:%zu/w:%zu", pairs[n], active[a], writes[w]);
            }
        }
    }
}

void micro_rx_add_engine(const struct rx_engine *engine) {
    static const char *const transports[] = {[RX_SOCKETPAIR] = "socketpair", [RX_PIPE] = "pipe", [RX_TCP] = "tcp"};
    struct micro_case one = {.part = "reactor",
                             .implementation = engine->name,
                             .peer = engine->peer,
                             .measures = "duration",
                             .subject = engine};
    add_bench(&one);
    one.run = pingpong_run;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        one.core = i == RX_TCP;
        one.parameters.size = i;
        micro_add(&one, "pingpong/%s", transports[i]);
    }
    one.run = wake_run;
    one.core = true;
    one.measures = "p50 latency";
    micro_add(&one, "wake");
}
