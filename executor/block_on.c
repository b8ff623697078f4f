#include "executor/block_on.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "executor/runtime.h"

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

static void reference_drop(void *data) {
    struct thread_waker *waker = data;
    /* acq_rel: the last to leave frees after everything that the others did. */
    if (au32_fetch_sub_acq_rel(&waker->references, 1) == 1) {
        event_destroy(&waker->event);
        free(waker);
    }
}

static void reference_clone(void *data) {
    struct thread_waker *waker = data;
    au32_fetch_add_relaxed(&waker->references, 1); /* made from a reference that exists */
}

static void wake_by_ref(void *data) {
    struct thread_waker *waker = data;
    event_set(&waker->event);
}

static void wake(void *data) {
    wake_by_ref(data);
    reference_drop(data);
}

const struct sy_waker_vtable thread_waker_vtable = {reference_clone, wake, wake_by_ref, reference_drop};

static void make_key(void) {
    key_made = pthread_key_create(&key, reference_drop) == 0;
}

struct thread_waker *thread_waker_current(void) {
    pthread_once(&key_once, make_key);
    if (!key_made) {
        return NULL;
    }
    struct thread_waker *waker = pthread_getspecific(key);
    if (!waker) {
        waker = malloc(sizeof *waker);
        if (!waker) {
            return NULL;
        }
        event_init(&waker->event);
        au32_store_relaxed(&waker->references, 1);
        if (pthread_setspecific(key, waker) != 0) {
            reference_drop(waker);
            return NULL;
        }
    }
    return waker;
}

/* The event may hold a wake-up that was meant for an earlier call: one poll too many, which every future allows. */
int sy_block_on(struct sy_runtime *runtime, const struct sy_future_type *type, void *future) {
    if (worker_current) {
        return -EDEADLK;
    }
    struct thread_waker *waker = thread_waker_current();
    if (!waker) {
        return -ENOMEM;
    }
    struct sy_context cx = {.waker = {&thread_waker_vtable, waker}, .runtime = runtime};
    for (;;) {
        cx.budget = BLOCK_ON_BUDGET;
        if (type->poll(future, &cx) == SY_READY) {
            break;
        }
        driver_flush(&runtime->driver);
        event_wait(&waker->event, -1);
    }
    if (type->drop) {
        type->drop(future);
    }
    return 0;
}
