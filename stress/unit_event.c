/* The event: a set is never lost, whether it comes before, during or after the waiter's going to sleep. */
#define _GNU_SOURCE
#include "executor/event.h"

#include <pthread.h>

#include "check.h"
#include "support.h"

static void set_before_wait(size_t variant) {
    (void)variant;
    struct event event;
    event_init(&event);
    CHECK_EQ(event_set(&event), EVENT_EMPTY);
    CHECK_EQ(event_set(&event), EVENT_SET); /* several are one */
    CHECK(event_wait(&event, -1));
    CHECK(!event_wait(&event, 0)); /* it was reset */
    event_destroy(&event);
}

static void wait_with_a_limit(size_t variant) {
    (void)variant;
    struct event event;
    event_init(&event);
    CHECK(!event_wait(&event, 1000000));
    event_set(&event);
    CHECK(event_wait(&event, 1000000));
    event_destroy(&event);
}

static void polling_is_told(size_t variant) {
    (void)variant;
    struct event event;
    event_init(&event);
    CHECK(event_begin_polling(&event));
    CHECK(!event_end_polling(&event)); /* nobody set it */
    CHECK(event_begin_polling(&event));
    CHECK_EQ(event_set(&event), EVENT_POLLING); /* the setter is to wake the reactor */
    CHECK(event_end_polling(&event));
    event_set(&event);
    CHECK(!event_begin_polling(&event)); /* set already: do not go to wait */
    CHECK(event_begin_polling(&event));  /* and that reset it */
    CHECK(!event_end_polling(&event));
    event_destroy(&event);
}

/* Two threads hand a plain number to and fro: each wait must end, and the event orders the number. */
struct rally {
    struct event to_partner, back;
    uint64_t ball;
    unsigned rounds;
};

static void *partner(void *argument) {
    struct rally *rally = argument;
    for (unsigned i = 0; i < rally->rounds; i++) {
        CHECK(event_wait(&rally->to_partner, -1));
        rally->ball++;
        event_set(&rally->back);
    }
    return NULL;
}

static void two_threads(size_t variant) {
    (void)variant;
    struct rally rally = {.rounds = support_rounds(20000)};
    uint64_t random = check_seed();
    pthread_t thread;
    event_init(&rally.to_partner);
    event_init(&rally.back);
    CHECK_EQ(pthread_create(&thread, NULL, partner, &rally), 0);
    for (unsigned i = 0; i < rally.rounds; i++) {
        for (uint64_t spin = check_random(&random) % 256; spin > 0; spin--) {
            cpu_relax();
        }
        rally.ball++;
        event_set(&rally.to_partner);
        if (check_random(&random) % 2) {
            CHECK(event_wait(&rally.back, -1));
        } else {
            while (!event_wait(&rally.back, 20000)) {
            }
        }
        CHECK_EQ(rally.ball, 2 * (i + 1));
    }
    pthread_join(thread, NULL);
    event_destroy(&rally.to_partner);
    event_destroy(&rally.back);
}

static const struct check_test tests[] = {
    {"set_before_wait", set_before_wait},
    {"wait_with_a_limit", wait_with_a_limit},
    {"polling_is_told", polling_is_told},
    {"two_threads", two_threads},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_event", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
