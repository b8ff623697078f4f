/*
 * The queue of the channel of many senders as shipped, but with blocks of one slot, under a model checker: every
 * execution that C11 allows of a few operations.
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/mpsc_queue.c         (stress/test_models.sh runs it)
 *
 * SENDERS threads send, the first SENDS values and the others one each; the main thread is the receiver and looks LOOKS
 * times, awaiting where there is nothing. What is left is received after the threads are joined. Each value must come
 * out once, in its sender's order; who awaited a value that came must have been told. Values, and all of a block but
 * its atomic fields, are plain memory: a block that is used again while somebody can reach it is a race.
 *
 * With GROWS another thread appends so many blocks and raises the room, as a sender does that stops before its claim,
 * and the senders start with a room of nothing.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef SENDS
#define SENDS 2
#endif
#ifndef LOOKS
#define LOOKS 2
#endif
#ifndef BLOCKS
#define BLOCKS 3 /* beside the first */
#endif
#ifndef GROWS
#define GROWS 0
#endif

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* genmc cannot copy as many bytes as it is told; here it is always one word. */
static inline void copy_word(void *to, const void *from, size_t size) {
    assert(size == sizeof(uint64_t));
    *(uint64_t *)to = *(const uint64_t *)from;
}
#define memcpy copy_word

#include "executor/sync/mpsc_queue.h"

#define VALUES (SENDS + SENDERS - 1)

static struct mpsc_queue queue;
static int told[VALUES]; /* by position; plain: only the sender of a position is told */
static int got[SENDERS]; /* how many came of each */
static uint64_t awaited = MPSC_NOT_PASSED;

static int sends_of(uint64_t sender) {
    return sender == 0 ? SENDS : 1;
}

static void *sender_main(void *argument) {
    uint64_t sender = (uint64_t)(uintptr_t)argument;
    for (int i = 0; i < sends_of(sender); i++) {
        uint64_t value = sender * SENDS + (uint64_t)i;
        uint64_t position;
        int error = mpsc_queue_claim(&queue, &position);
        assert(error == 0);
        told[position] = mpsc_queue_publish(&queue, position, &value);
    }
    return NULL;
}

static void *grower_main(void *argument) {
    (void)argument;
    pthread_mutex_lock(&queue.lock);
    for (int i = 0; i < GROWS; i++) {
        mpsc_queue_append(&queue, mpsc_block_create(&queue));
    }
    pthread_mutex_unlock(&queue.lock);
    mpsc_queue_raise(&queue);
    return NULL;
}

/* False: there is nothing. */
static bool receive(void) {
    int error;
    uint64_t *slot = mpsc_queue_look(&queue, &error);
    if (!slot) {
        assert(error == -EAGAIN);
        return false;
    }
    uint64_t sender = *slot / SENDS;
    assert(sender < SENDERS);
    assert(*slot % SENDS == (uint64_t)got[sender]); /* its next */
    got[sender]++;
    mpsc_queue_consume(&queue);
    return true;
}

static void look(void) {
    if (receive()) {
        return;
    }
    uint64_t position = mpsc_queue_head(&queue);
    if (mpsc_queue_await(&queue)) {
        awaited = position;
    } else {
        bool there = receive();
        assert(there);
    }
}

static void start(void) {
    int error = mpsc_queue_init(&queue, sizeof(uint64_t), MPSC_UNLIMITED);
    assert(error == 0);
    for (int i = 0; i < BLOCKS; i++) {
        mpsc_queue_append(&queue, mpsc_block_create(&queue));
    }
    if (GROWS == 0) {
        mpsc_queue_raise(&queue); /* which multiplies the executions */
    }
}

static void finish(void) {
    while (receive()) {
    }
    for (int i = 0; i < SENDERS; i++) {
        assert(got[i] == sends_of((uint64_t)i));
    }
    assert(awaited == MPSC_NOT_PASSED || told[awaited]);
    mpsc_queue_destroy(&queue);
}

int main(void) {
    pthread_t threads[SENDERS], grower;
    start();
    if (GROWS > 0) {
        pthread_create(&grower, NULL, grower_main, NULL);
    }
    for (uintptr_t i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, sender_main, (void *)i);
    }
    for (int i = 0; i < LOOKS; i++) {
        look();
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    if (GROWS > 0) {
        pthread_join(grower, NULL);
    }
    finish();
    return 0;
}
