/*
 * An array for poll(2) that threads change while one of them polls. See rx_poll_set.h.
 *
 * Everything is under one mutex, which is held for no system call and no waker. While nobody polls, whoever has the
 * mutex changes the array in place. While somebody does, the array is the kernel's and the poller's: a change is put
 * into a list, the poller is rung for, once, and on its return it makes the changes and polls on. A source's wish and
 * not the step to it is what is listed, so a source is there once, and the list needs no memory.
 *
 * Only directions that an operation waits for are in the set, and each until its next event: the level counts, so an
 * event that is not acted upon would come back from every poll. What comes before the direction is in the set is told
 * by the first poll that has it there.
 *
 * A source that parts while poll may be looking at its descriptor stays a source until the poller is back: poll(2)
 * holds the file, so that the peer would see no end of the stream before, and what it tells of a number that was closed
 * and used again meanwhile is discarded with the place. For the same reason a closed descriptor is closed by the
 * poller. It was rung for, so nobody has to wait again for that to happen.
 *
 * Fairness: if poll tells more than a wait may take, the next waits take the rest and poll no more until it is taken.
 * So whoever was told ready once has its turn, however small the batch and however busy the others. Removing moves the
 * last place into the gap, perhaps behind `look`; so the search goes round until `untaken` says that there is no more.
 *
 * Progress: all take the mutex, for a few instructions; wait and admit hold it while they walk over the array. If a
 * thread stalls between its change and its ringing, the wait lasts until it goes on or an event comes.
 *
 * There is no atomic access besides those of rx_ready.c and rx_slab.c. The mutex orders what was done before a wake
 * before the return of the wait that clears `woken`.
 *
 * Rejected: an array built anew for each poll, which reads every source's memory each time; a thread that closes waits
 * for the poller to be back, which a waker called by the poller could not do.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll, POLLRDHUP */
#endif

#include "reactor/rx_poll_set.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_CAPACITY 64

#if !defined(RX_PORTABLE) && (defined(__linux__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__))
#define HAVE_PPOLL 1
#else
#define HAVE_PPOLL 0
#endif

/* ---- the array: under the lock, while nobody polls ---- */

static bool array_init(struct rx_poll_array *array, uint32_t capacity) {
    void *memory = malloc(capacity * (sizeof *array->sources + sizeof *array->polled));
    if (memory) {
        struct rx_poll_source **sources = memory;
        *array = (struct rx_poll_array){(struct pollfd *)(void *)(sources + capacity), sources, capacity};
    }
    return memory;
}

static void use_larger(struct rx_poll_set *set) {
    if (set->larger.polled) {
        memcpy(set->larger.polled, set->array.polled, set->count * sizeof *set->array.polled);
        memcpy(set->larger.sources, set->array.sources, set->count * sizeof *set->array.sources);
        free(set->array.sources);
        set->array = set->larger;
        set->larger.polled = NULL;
    }
}

static void add(struct rx_poll_set *set, struct rx_poll_source *source) {
    source->place = set->count++;
    set->array.polled[source->place] = (struct pollfd){.fd = source->slab.base.fd};
    set->array.sources[source->place] = source;
}

static void drop(struct rx_poll_set *set, struct rx_poll_source *source) {
    uint32_t gap = source->place, last = --set->count;
    set->untaken -= set->array.polled[gap].revents != 0;
    set->array.polled[gap] = set->array.polled[last];
    set->array.sources[gap] = set->array.sources[last];
    set->array.sources[gap]->place = gap;
    source->place = 0;
}

/* Makes the array what the source wants; also while somebody polls, for one that neither is there nor wants to be. */
static void apply(struct rx_poll_set *set, struct rx_poll_source *source) {
    if (source->wanted) {
        if (!source->place) {
            add(set, source);
        }
        set->array.polled[source->place].events = (short)source->wanted;
    } else if (source->place) {
        drop(set, source);
    }
    set->admitted -= source->parting != RX_POLL_STAYS;
}

/* ---- changes ---- */

/* Applies the change now, or leaves it to the poller; true: who has to be rung for, without the lock. */
static bool change(struct rx_poll_set *set, struct rx_poll_source *source) {
    if (!set->polling) {
        apply(set, source);
        return false;
    }
    if (!source->changed) {
        source->changed = true;
        source->next = set->changes;
        set->changes = source;
    }
    bool ring = !set->rung;
    set->rung = true;
    return ring;
}

static void unlock_and_ring(struct rx_poll_set *set, bool ring) {
    pthread_mutex_unlock(&set->lock);
    if (ring) {
        rx_bell_ring(&set->bell);
    }
}

void rx_poll_set_want(struct rx_poll_set *set, struct rx_poll_source *source, unsigned events) {
    bool ring = false;
    pthread_mutex_lock(&set->lock);
    if (events & ~(unsigned)source->wanted) {
        source->wanted |= (uint16_t)events;
        ring = change(set, source);
    }
    unlock_and_ring(set, ring);
}

void rx_poll_set_wake(struct rx_poll_set *set) {
    pthread_mutex_lock(&set->lock);
    set->woken = true;
    bool ring = set->polling && !set->rung;
    set->rung |= ring;
    unlock_and_ring(set, ring);
}

/* ---- coming and going ---- */

static bool make_room(struct rx_poll_set *set) {
    struct rx_poll_array *newest = set->larger.polled ? &set->larger : &set->array, larger;
    if (set->admitted + 1 < newest->capacity) {
        return true;
    }
    if (!array_init(&larger, 2 * newest->capacity)) {
        return false;
    }
    if (set->larger.polled) {
        free(set->larger.sources);
    }
    set->larger = larger;
    if (!set->polling) {
        use_larger(set);
    }
    return true;
}

struct rx_poll_source *rx_poll_set_admit(struct rx_poll_set *set, int fd) {
    struct rx_poll_source *source = (struct rx_poll_source *)rx_slab_take(&set->slab);
    if (!source) {
        return NULL;
    }
    source->slab.base.fd = fd;
    pthread_mutex_lock(&set->lock);
    bool room = make_room(set);
    set->admitted += room;
    pthread_mutex_unlock(&set->lock);
    if (!room) {
        rx_slab_give_back(&set->slab, &source->slab);
    }
    return room ? source : NULL;
}

/* By whoever took it out of the array, without the lock. */
static void finish(struct rx_poll_set *set, struct rx_poll_source *source) {
    int fd = source->slab.base.fd;
    bool closed = source->parting == RX_POLL_IS_CLOSED;
    source->parting = RX_POLL_STAYS; /* whoever is the memory's next */
    rx_slab_give_back(&set->slab, &source->slab);
    if (closed) {
        close(fd);
    }
}

void rx_poll_set_part(struct rx_poll_set *set, struct rx_poll_source *source, enum rx_poll_parting parting) {
    pthread_mutex_lock(&set->lock);
    source->wanted = 0;
    source->parting = (uint8_t)parting;
    bool by_poller = set->polling && (source->place || source->changed), ring = false;
    if (by_poller) {
        ring = change(set, source);
    } else {
        apply(set, source);
    }
    unlock_and_ring(set, ring);
    if (!by_poller) {
        finish(set, source);
    }
}

/* ---- polling ---- */

/* The sources that parted: to be finished without the lock. */
static struct rx_poll_source *make_changes(struct rx_poll_set *set) {
    use_larger(set);
    struct rx_poll_source *changed = set->changes, *parted = NULL;
    set->changes = NULL;
    while (changed) {
        struct rx_poll_source *source = changed;
        changed = source->next;
        source->changed = false;
        apply(set, source);
        if (source->parting) {
            source->next = parted;
            parted = source;
        }
    }
    return parted;
}

static void finish_all(struct rx_poll_set *set, struct rx_poll_source *parted) {
    pthread_mutex_unlock(&set->lock);
    while (parted) {
        struct rx_poll_source *source = parted;
        parted = source->next;
        finish(set, source);
    }
    pthread_mutex_lock(&set->lock);
}

static int call_poll(struct rx_poll_set *set, int64_t timeout_ns) {
#if HAVE_PPOLL
    struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    return ppoll(set->array.polled, set->count, timeout_ns < 0 ? NULL : &limit, NULL);
#else
    int64_t ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    return poll(set->array.polled, set->count, ms > INT_MAX ? INT_MAX : (int)ms);
#endif
}

/* Under the lock, which it gives up meanwhile: as poll(2), changes made and the bell not counted; or -errno. */
static int poll_once(struct rx_poll_set *set, int64_t timeout_ns) {
    set->polling = true;
    pthread_mutex_unlock(&set->lock);
    int told = call_poll(set, timeout_ns);
    int error = told < 0 ? -errno : 0;
    bool rang = told > 0 && set->array.polled[0].revents;
    if (rang) {
        rx_bell_silence(&set->bell); /* before `rung` is cleared: whoever rings after that must be heard */
    }
    pthread_mutex_lock(&set->lock);
    set->polling = false;
    set->rung &= !rang;
    for (uint32_t i = 0; error && i < set->count; i++) {
        set->array.polled[i].revents = 0; /* nobody says what they are */
    }
    set->untaken = told > 0 ? (uint32_t)told - rang : 0;
    struct rx_poll_source *parted = make_changes(set);
    if (parted) {
        finish_all(set, parted);
    }
    return error ? error : told;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Under the lock: polls until there is something to take, a wake, or the limit. 0 or -errno. */
static int poll_until(struct rx_poll_set *set, int64_t timeout_ns) {
    int64_t left_ns = timeout_ns, begun_ns = timeout_ns > 0 ? now_ns() : 0;
    for (;;) {
        int told = poll_once(set, set->woken ? 0 : left_ns);
        if (told <= 0 || set->untaken || set->woken) {
            return told < 0 ? told : 0;
        }
        if (timeout_ns > 0) { /* it was rung for a change: for the rest of the time */
            left_ns = timeout_ns - (now_ns() - begun_ns);
            left_ns = left_ns > 0 ? left_ns : 0;
        }
    }
}

static struct rx_poll_event take_at(struct rx_poll_set *set, uint32_t place) {
    struct rx_poll_source *source = set->array.sources[place];
    struct rx_poll_event event = {source, rx_ready_generation(&source->slab.in.ready),
                                  (uint16_t)set->array.polled[place].revents};
    set->array.polled[place].revents = 0;
    set->untaken--;
    source->wanted &= (uint16_t)~rx_readiness_concerned(event.events);
    apply(set, source);
    return event;
}

static int take(struct rx_poll_set *set, struct rx_poll_event *events, int batch) {
    int taken = 0;
    while (set->untaken && taken < batch) {
        if (set->look >= set->count) {
            set->look = 1;
        }
        if (set->array.polled[set->look].revents) {
            events[taken++] = take_at(set, set->look); /* and look there again: another may have moved in */
        } else {
            set->look++;
        }
    }
    return taken;
}

int rx_poll_set_wait(struct rx_poll_set *set, int64_t timeout_ns, struct rx_poll_event *events, int batch) {
    pthread_mutex_lock(&set->lock);
    int error = set->untaken ? 0 : poll_until(set, timeout_ns);
    set->woken = false;
    int taken = take(set, events, batch);
    pthread_mutex_unlock(&set->lock);
    return error && error != -EINTR ? error : taken;
}

/* ---- life ---- */

int rx_poll_set_open(struct rx_poll_set *set) {
    *set = (struct rx_poll_set){.count = 1, .look = 1};
    if (!array_init(&set->array, FIRST_CAPACITY)) {
        return -ENOMEM;
    }
    int error = rx_bell_open(&set->bell);
    if (error) {
        free(set->array.sources);
        return error;
    }
    set->array.polled[0] = (struct pollfd){.fd = set->bell.in, .events = POLLIN};
    pthread_mutex_init(&set->lock, NULL);
    rx_slab_init(&set->slab, sizeof(struct rx_poll_source));
    return 0;
}

void rx_poll_set_close(struct rx_poll_set *set) {
    rx_slab_destroy(&set->slab);
    pthread_mutex_destroy(&set->lock);
    rx_bell_close(&set->bell);
    free(set->array.sources);
}
