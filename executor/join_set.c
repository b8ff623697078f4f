/*
 * Join sets. Each task of a set carries an entry behind its future, in the same allocation. When the task completes,
 * its runner pushes the entry on the set's stack of the finished, together with the task's life reference, and wakes
 * the set's owner; the owner takes the whole stack and turns it round, so outcomes come in the order in which the tasks
 * ended.
 *
 *   J1 push: cas release on `finished`       the entry and the task's output are seen by the taker, with J2
 *   J2 take: exchange acquire on `finished`  takes the whole stack, so there is no ABA
 *   J3 the owner's waker stands in an atomic slot of its own (a lock would do, but a finishing task must not wait for a
 *      preempted owner): empty, set, or being used; see waker_slot below
 *   J4 the set is counted: one reference for the owner, one for each task that has not finished, so that a task that
 *      ends after the set was destroyed finds it
 */
#include <errno.h>
#include <stdlib.h>

#include "executor/runtime.h"
#include "executor/task_state.h"
#include "executor/waker_slot.h"

struct entry {
    struct sy_task *task;
    struct sy_join_set *set;
    void *tag;
    struct entry *previous; /* of the tasks not yet taken; the owner's */
    struct entry *next;
    struct entry *later; /* in the stack of the finished, then in the owner's list */
};

struct sy_join_set {
    struct sy_runtime *runtime;
    struct entry *all;   /* not yet taken */
    struct entry *ready; /* finished, in order, not yet taken */
    size_t length;
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr finished; /* stack of struct entry, pushed by runners */
    struct au64 references;
    struct waker_slot owner;
};

static size_t entry_offset(const struct sy_future_type *type) {
    size_t align = _Alignof(struct entry);
    return (type->size + align - 1) / align * align;
}

static struct entry *entry_of(struct sy_task *task) {
    return (struct entry *)(void *)((char *)sy_task_future(task) + entry_offset(task->type));
}

/* J4: the last frees after what all others did, and with it what finished after the owner had gone. */
static void set_unref(struct sy_join_set *set) {
    if (au64_fetch_sub_acq_rel(&set->references, 1) != 1) {
        return;
    }
    struct entry *late = aptr_exchange_acquire(&set->finished, NULL); /* J2 */
    while (late) {
        struct sy_task *task = late->task;
        late = late->later;
        task_unref(task); /* the handle's */
        task_unref(task); /* its life's */
    }
    waker_slot_destroy(&set->owner);
    free(set);
}

/* Set wakers are never called as wakers: task_complete hands the task over instead. They own no reference either. */
static void nothing(void *data) {
    (void)data;
}

const struct sy_waker_vtable join_set_waker_vtable = {nothing, nothing, nothing, nothing};

void join_set_finished(struct sy_task *task) {
    struct entry *entry = entry_of(task);
    struct sy_join_set *set = entry->set;
    void *top = aptr_load_relaxed(&set->finished);
    do {
        entry->later = top;
    } while (!aptr_cas_release(&set->finished, &top, entry)); /* J1 */
    waker_slot_wake(&set->owner);
    set_unref(set);
}

int sy_join_set_create(struct sy_join_set **out, struct sy_runtime *runtime) {
    struct sy_join_set *set = aligned_alloc(SY_CACHE_LINE, sizeof *set);
    if (!set) {
        return -ENOMEM;
    }
    set->runtime = runtime;
    set->all = set->ready = NULL;
    set->length = 0;
    aptr_store_relaxed(&set->finished, NULL);
    au64_store_relaxed(&set->references, 1);
    waker_slot_init(&set->owner);
    *out = set;
    return 0;
}

static void link_entry(struct sy_join_set *set, struct entry *entry) {
    entry->previous = NULL;
    entry->next = set->all;
    if (set->all) {
        set->all->previous = entry;
    }
    set->all = entry;
    set->length++;
}

static void unlink_entry(struct sy_join_set *set, struct entry *entry) {
    if (entry->previous) {
        entry->previous->next = entry->next;
    } else {
        set->all = entry->next;
    }
    if (entry->next) {
        entry->next->previous = entry->previous;
    }
    set->length--;
}

int sy_join_set_spawn(struct sy_join_set *set, const struct sy_future_type *type, const void *future, void *tag) {
    size_t extra = entry_offset(type) - type->size + sizeof(struct entry);
    struct sy_task *task = task_create(set->runtime, type, future, extra, true);
    if (!task) {
        return -ENOMEM;
    }
    struct entry *entry = entry_of(task);
    *entry = (struct entry){.task = task, .set = set, .tag = tag};
    task->joiner = (struct sy_waker){&join_set_waker_vtable, NULL};
    state_set_join_waker(task); /* nobody else has the task yet: it cannot fail */
    link_entry(set, entry);
    au64_fetch_add_relaxed(&set->references, 1);
    int error = task_submit(set->runtime, task);
    if (error) {
        unlink_entry(set, entry);
        au64_fetch_sub_relaxed(&set->references, 1); /* not the last: the caller's is left */
        free(task);
    }
    return error;
}

/* Takes what has finished since, oldest first, behind what was ready before. */
static void collect(struct sy_join_set *set) {
    struct entry *stack = aptr_exchange_acquire(&set->finished, NULL); /* J2 */
    struct entry *oldest = NULL;
    while (stack) {
        struct entry *later = stack->later;
        stack->later = oldest;
        oldest = stack;
        stack = later;
    }
    struct entry **end = &set->ready;
    while (*end) {
        end = &(*end)->later;
    }
    *end = oldest;
}

/* The finished task's life reference goes; the handle's is the caller's. */
static struct sy_joined take_ready(struct sy_join_set *set) {
    struct entry *entry = set->ready;
    set->ready = entry->later;
    unlink_entry(set, entry);
    struct sy_task *task = entry->task;
    uint64_t s = au64_load_acquire(&task->state);
    struct sy_joined joined = {
        .outcome = {.cancelled = s & TASK_CANCELLED, .future = sy_task_future(task)},
        .tag = entry->tag,
        .join = {task},
    };
    task_unref(task);
    return joined;
}

enum sy_poll sy_join_set_poll_next(struct sy_join_set *set, struct sy_context *cx, struct sy_joined *joined) {
    if (set->length == 0) {
        *joined = (struct sy_joined){.join = {NULL}};
        return SY_READY;
    }
    if (!set->ready) {
        collect(set);
    }
    if (!set->ready) {
        waker_slot_register(&set->owner, &cx->waker);
        collect(set); /* what finished before the waker stood there has woken nobody */
    }
    if (!set->ready) {
        return SY_PENDING;
    }
    *joined = take_ready(set);
    return SY_READY;
}

size_t sy_join_set_length(const struct sy_join_set *set) {
    return set->length;
}

void sy_join_set_abort_all(struct sy_join_set *set) {
    for (struct entry *entry = set->all; entry; entry = entry->next) {
        sy_join_abort(&(struct sy_join){entry->task});
    }
}

/*
 * Tasks that are not taken yet lose their set: each is aborted and its handle dropped, as sy_join_drop would. One whose
 * JOIN_WAKER could not be taken back is finishing: it comes by the stack, and set_unref gives its references back.
 */
static void abandon(struct sy_join_set *set, struct entry *entry) {
    struct sy_task *task = entry->task;
    sy_join_abort(&(struct sy_join){task});
    if (state_drop_join(task)) {
        set_unref(set); /* the task's: it will not call */
        task_unref(task);
    }
}

void sy_join_set_destroy(struct sy_join_set *set) {
    if (!set) {
        return;
    }
    collect(set);
    while (set->ready) {
        struct sy_joined joined = take_ready(set);
        sy_join_drop(&joined.join);
    }
    while (set->all) {
        struct entry *entry = set->all;
        unlink_entry(set, entry);
        abandon(set, entry);
    }
    set_unref(set);
}
