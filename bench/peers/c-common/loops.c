/* See loops.h. */
#include "bench/peers/c-common/loops.h"

#include <stdlib.h>

/* ---- the loop's thread ---- */

void mailbox_read(struct mailbox *mailbox, struct loop *loop) {
    pthread_mutex_lock(&mailbox->lock);
    struct letter *letters = mailbox->letters;
    size_t count = mailbox->count;
    bool begin = mailbox->begin, stop = mailbox->stop;
    mailbox->letters = NULL;
    mailbox->count = mailbox->room = 0;
    mailbox->begin = false;
    pthread_mutex_unlock(&mailbox->lock);
    for (size_t i = 0; i < count; i++) {
        loop_open(loop, &letters[i]);
    }
    free(letters);
    if (begin) {
        loop_begin(loop);
    }
    if (stop) {
        loop_close(loop);
    }
}

/* ---- other threads ---- */

void loops_start(struct loops *loops, unsigned count) {
    *loops = (struct loops){.mailboxes = peer_need(calloc(count, sizeof(struct mailbox)), "no memory for the loops"),
                            .count = count};
    for (unsigned i = 0; i < count; i++) {
        struct mailbox *mailbox = &loops->mailboxes[i];
        int error = pthread_mutex_init(&mailbox->lock, NULL);
        if (error) {
            peer_die("a lock cannot be made", error);
        }
        mailbox->loop = loop_start(mailbox);
    }
}

void loops_hand(struct loops *loops, unsigned index, int fd, struct echo_client *client) {
    struct mailbox *mailbox = &loops->mailboxes[index % loops->count];
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->count == mailbox->room) {
        mailbox->room = mailbox->room ? 2 * mailbox->room : 64;
        mailbox->letters = peer_need(realloc(mailbox->letters, mailbox->room * sizeof(struct letter)), "no memory");
    }
    mailbox->letters[mailbox->count++] = (struct letter){.fd = fd, .client = client};
    pthread_mutex_unlock(&mailbox->lock);
    loop_wake(mailbox->loop);
}

void loops_deal(struct loops *loops, int fd) {
    loops_hand(loops, loops->next, fd, NULL);
    loops->next = (loops->next + 1) % loops->count;
}

static void tell(struct mailbox *mailbox, bool *what) {
    pthread_mutex_lock(&mailbox->lock);
    *what = true;
    pthread_mutex_unlock(&mailbox->lock);
    loop_wake(mailbox->loop);
}

void loops_begin(struct loops *loops) {
    for (unsigned i = 0; i < loops->count; i++) {
        tell(&loops->mailboxes[i], &loops->mailboxes[i].begin);
    }
}

uint64_t loops_stop(struct loops *loops) {
    uint64_t echoed = 0;
    for (unsigned i = 0; i < loops->count; i++) {
        struct mailbox *mailbox = &loops->mailboxes[i];
        tell(mailbox, &mailbox->stop);
        echoed += loop_join(mailbox->loop);
        pthread_mutex_destroy(&mailbox->lock);
    }
    free(loops->mailboxes);
    return echoed;
}
