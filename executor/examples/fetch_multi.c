/*
 * libcurl's multi interface on a runtime. See fetch_multi.h.
 *
 * A poll of the driver asks every watched descriptor, and each of these questions is cheap while nothing happened (the
 * operation is armed and its edge has not come). With thousands of transfers, a task for each descriptor would be the
 * better form.
 */
#include "executor/examples/fetch_multi.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

/* One descriptor that libcurl waits for. */
struct watch {
    struct sy_socket socket;
    struct sy_ready ready[2]; /* by enum sy_interest */
    bool wanted[2];           /* the same: initialised and to be polled */
    bool dead;                /* libcurl is done with it; freed by the next sweep */
    struct watch *next;
};

struct multi {
    struct sy_runtime *runtime;
    struct sy_join driver;
    pthread_mutex_t lock; /* guards all below */
    CURLM *handle;
    struct watch *watches;
    struct sy_sleep timer;
    bool timer_set;
    struct sy_waker waker; /* the driver's */
};

/* ---- what libcurl asks for; under the lock, from within a libcurl call ---- */

static void watch_want(struct watch *watch, enum sy_interest interest, bool want) {
    struct sy_ready *ready = &watch->ready[interest];
    if (want && !watch->wanted[interest]) {
        sy_ready_init(ready, &watch->socket, interest);
    } else if (!want && watch->wanted[interest]) {
        sy_ready_drop(ready);
    }
    watch->wanted[interest] = want;
}

static struct watch *watch_create(struct multi *multi, curl_socket_t fd) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        return NULL;
    }
    if (sy_socket_from_fd(&watch->socket, multi->runtime, fd)) {
        free(watch);
        return NULL;
    }
    watch->next = multi->watches;
    multi->watches = watch;
    curl_multi_assign(multi->handle, fd, watch);
    return watch;
}

static void watch_end(struct watch *watch) {
    watch_want(watch, SY_READABLE, false);
    watch_want(watch, SY_WRITABLE, false);
    sy_socket_release(&watch->socket);
    watch->dead = true;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned) {
    struct multi *multi = data;
    struct watch *watch = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(multi->handle, fd, NULL);
            watch_end(watch);
        }
        return 0;
    }
    if (!watch) {
        watch = watch_create(multi, fd);
    }
    if (!watch) {
        return -1; /* libcurl ends its transfers with CURLE_ABORTED_BY_CALLBACK */
    }
    watch_want(watch, SY_READABLE, what & CURL_POLL_IN);
    watch_want(watch, SY_WRITABLE, what & CURL_POLL_OUT);
    return 0;
}

static int on_timer(CURLM *handle, long timeout_ms, void *data) {
    struct multi *multi = data;
    (void)handle;
    if (multi->timer_set) {
        sy_sleep_drop(&multi->timer);
    }
    multi->timer_set = timeout_ms >= 0;
    if (multi->timer_set) {
        sy_sleep_init_after(&multi->timer, multi->runtime, (uint64_t)timeout_ms * 1000000);
    }
    return 0;
}

/* ---- the driver; under the lock ---- */

/* Whether the watch is ready in this direction, as libcurl's CURL_CSELECT bits. */
static int watch_events(struct watch *watch, enum sy_interest interest, struct sy_context *cx) {
    struct sy_ready *ready = &watch->ready[interest];
    if (!watch->wanted[interest] || sy_ready_poll(ready, cx) == SY_PENDING) {
        return 0;
    }
    int events = interest == SY_READABLE ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
    if (ready->result < 0 || ready->result & POLLERR) {
        events |= CURL_CSELECT_ERR;
    }
    sy_ready_init(ready, &watch->socket, interest);
    return events;
}

static bool fire_watches(struct multi *multi, struct sy_context *cx) {
    bool fired = false;
    int running;
    for (struct watch *watch = multi->watches; watch; watch = watch->next) {
        int events = watch_events(watch, SY_READABLE, cx) | watch_events(watch, SY_WRITABLE, cx);
        if (events) {
            fired = true;
            curl_multi_socket_action(multi->handle, watch->socket.fd, events, &running);
        }
    }
    return fired;
}

static bool fire_timer(struct multi *multi, struct sy_context *cx) {
    int running;
    if (!multi->timer_set || sy_sleep_poll(&multi->timer, cx) == SY_PENDING) {
        return false;
    }
    multi->timer_set = false;
    curl_multi_socket_action(multi->handle, CURL_SOCKET_TIMEOUT, 0, &running);
    return true;
}

static void sweep_watches(struct multi *multi) {
    for (struct watch **link = &multi->watches; *link;) {
        struct watch *watch = *link;
        if (watch->dead) {
            *link = watch->next;
            free(watch);
        } else {
            link = &watch->next;
        }
    }
}

/* Once for each transfer, by whoever is first: its completion or its end. The send also frees the stored waker. */
static void finish_transfer(struct multi *multi, struct multi_transfer *transfer, CURLcode result) {
    if (transfer->added) {
        curl_multi_remove_handle(multi->handle, transfer->easy);
        transfer->added = false;
        transfer->result = result;
        sy_oneshot_send(&transfer->done, transfer);
    }
}

static void report_finished(struct multi *multi) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->handle, &left))) {
        struct multi_transfer *transfer;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finish_transfer(multi, transfer, message->data.result);
    }
}

struct driver {
    struct multi *multi;
};

/* Never ready: it is aborted at the end. */
static enum sy_poll driver_poll(void *future, struct sy_context *cx) {
    struct multi *multi = ((struct driver *)future)->multi;
    pthread_mutex_lock(&multi->lock);
    struct sy_waker old = multi->waker;
    multi->waker = sy_waker_clone(&cx->waker);
    bool timer, watches;
    do {
        timer = fire_timer(multi, cx);
        watches = fire_watches(multi, cx);
        sweep_watches(multi);
        report_finished(multi);
    } while (timer || watches);
    pthread_mutex_unlock(&multi->lock);
    sy_waker_drop(old);
    return SY_PENDING;
}

static const struct sy_future_type driver_type = {
    .name = "curl_driver",
    .size = sizeof(struct driver),
    .poll = driver_poll,
};

/* ---- the interface ---- */

int multi_create(struct multi **out, struct sy_runtime *runtime) {
    struct multi *multi = calloc(1, sizeof *multi);
    if (!multi) {
        return -ENOMEM;
    }
    multi->runtime = runtime;
    multi->handle = curl_multi_init();
    if (!multi->handle) {
        free(multi);
        return -ENOMEM;
    }
    pthread_mutex_init(&multi->lock, NULL);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi);
    struct driver driver = {multi};
    int error = sy_spawn(runtime, &driver_type, &driver, &multi->driver);
    if (error) {
        multi_destroy(multi);
        return error;
    }
    *out = multi;
    return 0;
}

int multi_begin(struct multi *multi, struct multi_transfer *transfer) {
    sy_oneshot_init(&transfer->done);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    pthread_mutex_lock(&multi->lock);
    bool added = curl_multi_add_handle(multi->handle, transfer->easy) == CURLM_OK;
    transfer->added = added;
    if (added && multi->waker.vtable) {
        sy_waker_wake_by_ref(&multi->waker); /* there is a timer to wait for now */
    }
    pthread_mutex_unlock(&multi->lock);
    return added ? 0 : -ENOMEM; /* the transfer may have finished already */
}

enum sy_poll multi_poll(struct multi_transfer *transfer, struct sy_context *cx) {
    enum sy_oneshot_result result;
    void *value;
    return sy_oneshot_poll(&transfer->done, cx, &result, &value);
}

void multi_end(struct multi *multi, struct multi_transfer *transfer) {
    pthread_mutex_lock(&multi->lock); /* also waits for the driver to leave sy_oneshot_send */
    finish_transfer(multi, transfer, CURLE_ABORTED_BY_CALLBACK);
    pthread_mutex_unlock(&multi->lock);
}

void multi_destroy(struct multi *multi) {
    sy_join_drop(&multi->driver);
    curl_multi_cleanup(multi->handle); /* ends the watches of idle connections */
    sweep_watches(multi);
    if (multi->timer_set) {
        sy_sleep_drop(&multi->timer);
    }
    sy_waker_drop(multi->waker);
    pthread_mutex_destroy(&multi->lock);
    free(multi);
}
