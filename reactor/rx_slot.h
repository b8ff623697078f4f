/*
 * The slots of rx_uring_local: a ring for each thread that waits, with a pool of buffers (rx_pool.h), and the mail by
 * which other threads ask the slot's thread for what only it may ask of its ring. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_SLOT_H
#define STEALYARD_REACTOR_RX_SLOT_H

#include <liburing.h>

#include "reactor/rx_pool.h"
#include "reactor/rx_slab.h"

/* What is wanted of the kernel in a direction; 0: nothing is under way. */
#define RX_LOCAL_RECEIVE UINT32_C(1) /* receive ahead */
#define RX_LOCAL_ACCEPT UINT32_C(2)  /* accept ahead */
#define RX_LOCAL_POLL UINT32_C(4)    /* tell readiness, once */
#define RX_LOCAL_TELLING UINT32_C(8) /* nothing is under way, but the home still reads the waker that it was for */

/* The state of a slot's thread. */
enum { RX_SLOT_EMPTY, RX_SLOT_ATTACHED, RX_SLOT_LEAVING };

/* The mail of a source. */
#define RX_MAIL_IN UINT32_C(1)
#define RX_MAIL_OUT UINT32_C(2)
#define RX_MAIL_CLOSE UINT32_C(4)   /* nobody is left: close the descriptor and give the source back */
#define RX_MAIL_RELEASE UINT32_C(8) /* nobody is left: tell `let_go` */
#define RX_MAIL_STOP UINT32_C(16)   /* nothing is in flight: stop what is asked for inwards, and tell `let_go` */
#define RX_MAIL_QUEUED UINT32_C(32) /* it is in a mailbox, about to be put there, or among the orphans */

struct rx_local_source {
    struct rx_slab_source slab;
    struct au32 wanted_in, wanted_out;
    struct au32 mail;
    struct au32 home;   /* the slot it lives in; changed by who has it while it is queued and that slot has no thread */
    struct au32 let_go; /* see RX_MAIL_RELEASE and RX_MAIL_STOP */
    struct rx_inbox inbox;
    struct rx_local_source *next_mail;
    int32_t error;            /* that a receive or accept ahead ended with; before wanted_in is 0 */
    bool tcp;                 /* may be received from ahead */
    uint32_t armed_in;        /* the home's: which request is in its ring, or 0 */
    bool armed_out, stopping; /* the home's: another is in its ring; the first is being cancelled */
    bool starved;             /* the home's: it ran out of buffers, so wait for readiness instead */
    bool pausing;             /* the home's: it is being stopped for RX_MAIL_STOP */
    uint32_t ending;          /* the home's: RX_MAIL_CLOSE or _RELEASE, once it came */
};

struct rx_slot {
    struct rx *rx;
    struct rx_slot *outer; /* the slot of another reactor that this thread is attached to as well */
    struct io_uring ring;
    unsigned in_kernel; /* requests whose last completion has not come */
    bool wake_armed;    /* among them the one that tells wakes */
    bool noticed;       /* a wake, outside of a wait: the next one does not block */
    unsigned index;

    SY_ALIGNAS(SY_CACHE_LINE) struct aptr mailbox; /* a stack of sources */
    struct au32 thread;                            /* RX_SLOT_… */
    struct au32 sleeping;
    struct au32 woken;
    int event_fd;
    struct rx_pool pool;
};

struct rx {
    unsigned batch, slot_count;
    bool speculative;
    struct rx_slab sources;
    struct au32 next_home;
    pthread_mutex_t lock;            /* guards attaching, detaching and `orphans` */
    struct rx_local_source *orphans; /* queued while no slot had a thread */
    SY_ALIGNAS(SY_CACHE_LINE) struct rx_slot slots[];
};

/* A ring as slots have them is made and taken away. 0, -ENOTSUP where it is refused, -EMFILE, -ENOMEM. */
int rx_slot_probe(void);

/* Memory and the means to wake; the rest is zero. 0, -ENOMEM, -EMFILE, -ENFILE. */
int rx_slot_create(struct rx_slot *slot);
void rx_slot_destroy(struct rx_slot *slot);

/* As rx_ops.attach and detach. */
int rx_slot_attach(struct rx_slot *slot);
void rx_slot_detach(struct rx_slot *slot);

/* The slot of `rx` that the calling thread is attached to, or NULL. */
struct rx_slot *rx_slot_here(const struct rx *rx);

/* As rx_ops.wait and wake, the first by the thread that is attached. */
int rx_slot_wait(struct rx_slot *slot, int64_t timeout_ns);
void rx_slot_wake(struct rx_slot *slot);

/* Sends mail to the source's home, from any thread; nothing is waited for. */
void rx_slot_post(struct rx *rx, struct rx_local_source *source, uint32_t mail);

/* With nobody left to poll an operation of the source: ends it if nothing of it is under way. True: it is done. */
bool rx_slot_end_now(struct rx *rx, struct rx_local_source *source, uint32_t how);

/* Reads the own mail, asks the kernel and takes what it answers at once; a wake among that ends the next wait. */
void rx_slot_pump(struct rx_slot *slot);

/* Sends mail that is answered by `let_go`, and returns when it was. */
void rx_slot_post_and_await(struct rx *rx, struct rx_local_source *source, uint32_t mail);

#endif
