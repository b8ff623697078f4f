/*
 * The end of a visiting thread. A thread key's destructor unregisters it. Another key's destructor may wake a task
 * after ours has run, even in the last of the PTHREAD_DESTRUCTOR_ITERATIONS rounds, in which a value that is set again
 * is destroyed no more; and liburcu's registry must not keep a thread that is gone. So from then on each visit
 * registers and unregisters: two locks more, and nothing is left behind. The same where the process has no key left,
 * or no memory for the key's value: such threads are slower, and nothing else. (C++'s thread_local destructors run
 * before any key's.)
 *
 * One case is left: a thread whose first visit of all comes in that last round, from the destructor of a key that was
 * made after ours. It is never told of its end, and nothing can tell it which round it is: the registry then keeps a
 * thread that is gone, and grace periods hang. Only a destructor that has set its value again in each round before gets
 * there; one that visits in an earlier round too does no harm.
 */
#include "executor/visit.h"

#include <pthread.h>

#include "queues/reclaim.h"

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;
static SY_THREAD_LOCAL bool ending __attribute__((tls_model("initial-exec")));

static void end_thread(void *value) {
    (void)value;
    ending = true;
    reclaim_stays_no_more();
}

static void make_key(void) {
    key_made = pthread_key_create(&key, end_thread) == 0;
}

/* True: end_thread will be called when this thread ends. */
static bool told_at_end(void) {
    pthread_once(&key_once, make_key);
    return key_made && !ending && pthread_setspecific(key, &key) == 0;
}

enum visit visit_enter(void) {
    if (reclaim_is_online()) {
        return VISIT_NONE;
    }
    if (reclaim_is_registered()) {
        reclaim_online();
        return VISIT_ONLINE;
    }
    reclaim_register_thread();
    if (!told_at_end()) {
        return VISIT_REGISTERED;
    }
    reclaim_stays = true;
    return VISIT_ONLINE;
}

void visit_leave(enum visit visit) {
    if (visit == VISIT_ONLINE) {
        reclaim_offline();
    } else if (visit == VISIT_REGISTERED) {
        reclaim_unregister_thread();
    }
}
