/*
 * Safe memory reclamation: who frees what another thread may still be reading. Quiescent-state-based reclamation
 * (QSBR), which costs readers nothing: they say now and then that they hold no reference, and what was deferred before
 * everyone has said so is freed.
 *
 * Source: liburcu's qsbr flavour (Desnoyers, McKenney, Stern, Dagenais and Walpole: User-Level Implementations of
 * Read-Copy Update, IEEE TPDS 2012). It does the registry and the grace periods. The helper thread that waits for them
 * is ours, because liburcu's own (call_rcu) ends the process where it finds no memory or no thread, sleeps at least
 * 10 ms a batch, and up to 0.13 never joins its thread when that is freed. Ours is made at the first defer; where it
 * cannot be made the deferred objects wait for the next defer or urge, or for destroy.
 *
 * Contract. create and destroy: one thread, before and after everything else. A thread that reads shared structures
 *   register_thread   once, before its first read (liburcu's registry is one for the process and knows each thread
 *                     once); it is online from then on
 *   quiescent         between two tasks, say: every reference obtained before is dead
 *   offline, online   around a wait: an offline thread holds no references and keeps nobody waiting
 *   unregister_thread before it ends
 *   attach, detach    the same for those who share a thread: they nest, and the thread is online from the first attach
 *                     to the last detach. One that `stays` registered until it ends goes offline there instead
 *   defer             any thread: calls run(head) on the helper once every thread that is online now has been
 *                     quiescent. New readers must be unable to reach the object already. run must not defer to the same
 *                     reclaim
 *   urge              any thread: makes the helper where a defer could not, for those who defer one thing for many
 * No order of locks can go wrong: run is called without a lock held. destroy runs everything that is still deferred, so
 * the other registered threads must go on being quiescent, or be offline, until it returns.
 *
 * Progress. quiescent, offline and online are wait-free; while a grace period waits they may wake its waiter (a futex
 * call). defer takes a short lock, and so does urge as long as there is no helper. A registered thread that stays
 * online without being quiescent stalls all reclamation, and nothing else.
 *
 * Memory order. [Q] quiescent, offline and unregister are full barriers after the thread's reads; [S] synchronize_rcu
 * is a full barrier after it has seen every [Q]: so each read of the object happens before run. A defer's own writes
 * reach the helper through the lock. ThreadSanitizer sees into neither side (the library is not instrumented), so the
 * edge from [Q] to [S] is told to it; a reader that was not quiescent after its read has told nothing, and freeing
 * under it is still reported. [H] whether there is a helper is written under the lock; urge looks without it, relaxed:
 * a hint.
 *
 * Rejected: hazard pointers (a store and a full barrier for each pointer read, on every steal), the memb flavour
 * (workers that compute for long force broadcasts of membarrier), keeping everything until the deque goes (bounded by
 * the size of the newest array, but only for a structure that doubles).
 */
#ifndef STEALYARD_QUEUES_RECLAIM_H
#define STEALYARD_QUEUES_RECLAIM_H

#include "queues/atomics.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <urcu/urcu-qsbr.h>

#if defined(SY_TSAN)
#include <sanitizer/tsan_interface.h>
__attribute__((weak)) char reclaim_tsan_edge;
#endif

/* Embedded in whatever is to be freed. */
struct reclaim_head {
    struct reclaim_head *next;
    void (*run)(struct reclaim_head *head);
};

struct reclaim {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct reclaim_head *deferred;
    struct au32 has_helper; /* [H] */
    bool stopping;
    pthread_t helper; /* valid if has_helper */
};

SY_INLINE void reclaim_tell_quiescent(void) {
#if defined(SY_TSAN)
    __tsan_release(&reclaim_tsan_edge);
#endif
}

SY_INLINE void reclaim_register_thread(void) {
    urcu_qsbr_register_thread();
}

SY_INLINE void reclaim_unregister_thread(void) {
    reclaim_tell_quiescent();
    urcu_qsbr_unregister_thread(); /* Q */
}

SY_INLINE void reclaim_quiescent(void) {
    reclaim_tell_quiescent();
    urcu_qsbr_quiescent_state(); /* Q */
}

SY_INLINE void reclaim_offline(void) {
    reclaim_tell_quiescent();
    urcu_qsbr_thread_offline(); /* Q */
}

SY_INLINE void reclaim_online(void) {
    urcu_qsbr_thread_online();
}

/* False of a thread that is not registered, too. */
SY_INLINE bool reclaim_is_online(void) {
    return urcu_qsbr_read_ongoing();
}

/* How often this thread is attached, over all structures that need it registered, and whether it stays registered. */
__attribute__((weak)) SY_THREAD_LOCAL unsigned reclaim_attached;
__attribute__((weak)) SY_THREAD_LOCAL bool reclaim_stays;

SY_INLINE bool reclaim_is_registered(void) {
    return reclaim_attached > 0 || reclaim_stays;
}

/* Registers the thread, unless it is already, and puts it online. Nests. */
SY_INLINE void reclaim_attach(void) {
    if (!reclaim_is_registered()) {
        reclaim_register_thread();
    } else if (!reclaim_is_online()) {
        reclaim_online();
    }
    reclaim_attached++;
}

/* Undoes one attach. */
SY_INLINE void reclaim_detach(void) {
    if (--reclaim_attached > 0) {
        return;
    }
    if (reclaim_stays) {
        reclaim_offline();
    } else {
        reclaim_unregister_thread();
    }
}

/* Undoes `stays`, while the thread is offline or attached. */
SY_INLINE void reclaim_stays_no_more(void) {
    reclaim_stays = false;
    if (reclaim_attached == 0) {
        reclaim_unregister_thread();
    }
}

/* Waits until every thread that is online now has been quiescent. The caller must not be online itself. */
static inline void reclaim_wait_for_readers(void) {
    urcu_qsbr_synchronize_rcu(); /* S */
#if defined(SY_TSAN)
    __tsan_acquire(&reclaim_tsan_edge);
#endif
}

/* Runs a list that was taken out of `deferred`. */
static inline void reclaim_run(struct reclaim_head *list) {
    if (list) {
        reclaim_wait_for_readers();
    }
    while (list) {
        struct reclaim_head *next = list->next;
        list->run(list);
        list = next;
    }
}

static inline void *reclaim_helper(void *argument) {
    struct reclaim *reclaim = (struct reclaim *)argument;
    pthread_mutex_lock(&reclaim->lock);
    while (!reclaim->stopping) {
        struct reclaim_head *list = reclaim->deferred;
        if (!list) {
            pthread_cond_wait(&reclaim->changed, &reclaim->lock);
            continue;
        }
        reclaim->deferred = NULL;
        pthread_mutex_unlock(&reclaim->lock);
        reclaim_run(list);
        pthread_mutex_lock(&reclaim->lock);
    }
    pthread_mutex_unlock(&reclaim->lock);
    return NULL;
}

/* With the lock held. The helper takes no signals: they are for the program's own threads. */
static inline void reclaim_start_helper(struct reclaim *reclaim) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&reclaim->helper, NULL, reclaim_helper, reclaim) == 0;
    au32_store_relaxed(&reclaim->has_helper, made); /* [H] */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static inline void reclaim_defer(struct reclaim *reclaim, struct reclaim_head *head,
                                 void (*run)(struct reclaim_head *head)) {
    head->run = run;
    pthread_mutex_lock(&reclaim->lock);
    head->next = reclaim->deferred;
    reclaim->deferred = head;
    if (!au32_load_relaxed(&reclaim->has_helper)) { /* [H] */
        reclaim_start_helper(reclaim);
    }
    pthread_cond_signal(&reclaim->changed);
    pthread_mutex_unlock(&reclaim->lock);
}

static inline void reclaim_urge(struct reclaim *reclaim) {
    if (au32_load_relaxed(&reclaim->has_helper)) { /* [H] */
        return;
    }
    pthread_mutex_lock(&reclaim->lock);
    if (reclaim->deferred && !au32_load_relaxed(&reclaim->has_helper)) { /* [H] */
        reclaim_start_helper(reclaim);
    }
    pthread_mutex_unlock(&reclaim->lock);
}

/* 0 or -ENOMEM. */
static inline int reclaim_create(struct reclaim **out) {
    struct reclaim *reclaim = (struct reclaim *)calloc(1, sizeof *reclaim);
    if (!reclaim) {
        return -ENOMEM;
    }
    pthread_mutex_init(&reclaim->lock, NULL);
    pthread_cond_init(&reclaim->changed, NULL);
    *out = reclaim;
    return 0;
}

/* The caller may be registered: it counts as quiescent here. */
static inline void reclaim_destroy(struct reclaim *reclaim) {
    bool was_online = reclaim_is_online();
    if (was_online) {
        reclaim_offline();
    }
    pthread_mutex_lock(&reclaim->lock);
    reclaim->stopping = true;
    pthread_cond_signal(&reclaim->changed);
    pthread_mutex_unlock(&reclaim->lock);
    if (au32_load_relaxed(&reclaim->has_helper)) { /* [H] */
        pthread_join(reclaim->helper, NULL);
    }
    reclaim_run(reclaim->deferred); /* what the helper did not get to, or all if there was none */
    if (was_online) {
        reclaim_online();
    }
    pthread_cond_destroy(&reclaim->changed);
    pthread_mutex_destroy(&reclaim->lock);
    free(reclaim);
}

#endif
