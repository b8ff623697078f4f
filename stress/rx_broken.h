/*
 * Faulty reactors, each a good one that does one thing wrong, always or now and then. The reactor suites are linked
 * with the list in rx_broken.c in place of reactor_list.c, and test_rx_broken.sh expects each to be found out by the
 * tests that it names. There is one reactor of a kind at a time, so a fault may keep what it needs in globals.
 */
#ifndef STEALYARD_STRESS_RX_BROKEN_H
#define STEALYARD_STRESS_RX_BROKEN_H

#include "queues/atomics.h"
#include "reactor/reactor.h"

extern const struct rx_ops rx_epoll_ops, rx_uring_local_ops;

static const struct rx_ops *const good = &rx_epoll_ops;

/* Whether this operation is to go wrong: one in so many. */
bool broken_is_time(uint64_t one_in);

/* One line each. FAULT(name, function): the ops table `name` has this one in place of the good reactor's. */
#define RX_FAULTS(FAULT)                                                                                               \
    /* rx_broken_poll.c */                                                                                             \
    FAULT(deaf, poll)                                                                                                  \
    FAULT(strands, poll)                                                                                               \
    FAULT(keeper, poll)                                                                                                \
    FAULT(faithful, poll)                                                                                              \
    FAULT(mortal, poll)                                                                                                \
    FAULT(hoards, poll)                                                                                                \
    FAULT(doomed, poll)                                                                                                \
    FAULT(doubles, poll)                                                                                               \
    FAULT(greedy, poll)                                                                                                \
    FAULT(stutters, poll)                                                                                              \
    FAULT(hopeful, poll)                                                                                               \
    FAULT(crowded, poll)                                                                                               \
    FAULT(loud, poll)                                                                                                  \
    FAULT(hollow, poll)                                                                                                \
    FAULT(nameless, poll)                                                                                              \
    FAULT(single, poll)                                                                                                \
    FAULT(blocking, poll)                                                                                              \
    FAULT(careless, cancel)                                                                                            \
    FAULT(generous, cancel)                                                                                            \
    FAULT(stubborn, cancel)                                                                                            \
    FAULT(occupying, cancel)                                                                                           \
    /* rx_broken.c */                                                                                                  \
    FAULT(sound, wait)                                                                                                 \
    FAULT(early, wait)                                                                                                 \
    FAULT(coarse, wait)                                                                                                \
    FAULT(late, wait)                                                                                                  \
    FAULT(deep, wait)                                                                                                  \
    FAULT(twitchy, wait)                                                                                               \
    FAULT(stoic, wait)                                                                                                 \
    FAULT(endless, wait)                                                                                               \
    FAULT(favours, wait)                                                                                               \
    FAULT(bound, wait)                                                                                                 \
    FAULT(spins, wait)                                                                                                 \
    FAULT(counting, wait)                                                                                              \
    FAULT(insistent, wait)                                                                                             \
    FAULT(absent_minded, wait)                                                                                         \
    FAULT(sleepy, wake)                                                                                                \
    FAULT(misdirects, wake)                                                                                            \
    FAULT(lingers, deregister)                                                                                         \
    FAULT(hasty, close)                                                                                                \
    FAULT(lazy, close)                                                                                                 \
    FAULT(clinging, close)                                                                                             \
    FAULT(vague, register_fd)                                                                                          \
    FAULT(welcomes, create)                                                                                            \
    FAULT(spills, create)                                                                                              \
    FAULT(starves, create)                                                                                             \
    FAULT(mute, summary)

/* ---- rx_broken_poll.c ---- */

typedef enum rx_status broken_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker);
typedef enum rx_status broken_cancel(struct rx *rx, struct rx_op *op);

extern broken_poll deaf_poll, strands_poll, keeper_poll, faithful_poll, mortal_poll, hoards_poll, doomed_poll,
    doubles_poll, greedy_poll, stutters_poll, hopeful_poll, crowded_poll, loud_poll, hollow_poll, nameless_poll,
    single_poll, blocking_poll, favours_poll, spins_poll;
extern broken_cancel careless_cancel, generous_cancel, stubborn_cancel, occupying_cancel;

/* favours: the descriptor that was told last and still has something, told once more; false: there is none. */
bool favours_tells(void);

/* spins: an accept has found no descriptor to spare. */
bool spins_is_full(void);

#endif
