#include "executor/owned.h"

#include <errno.h>
#include <stdlib.h>

#include "executor/task_state.h"

int owned_create(struct owned *owned) {
    owned->chunks = calloc(OWNED_CHUNKS_MAX, sizeof *owned->chunks);
    if (!owned->chunks) {
        return -ENOMEM;
    }
    pthread_mutex_init(&owned->lock, NULL);
    owned->free.first = 0;
    au32_store_relaxed(&owned->free.count, 0);
    au32_store_relaxed(&owned->slots, 0);
    return 0;
}

void owned_destroy(struct owned *owned) {
    for (uint32_t i = 0; i < OWNED_CHUNKS_MAX && owned->chunks[i]; i++) {
        free(owned->chunks[i]);
    }
    free(owned->chunks);
    pthread_mutex_destroy(&owned->lock);
}

static union owned_slot *slot_of(const struct owned *owned, uint32_t number) {
    uint32_t index = number - 1;
    return &owned->chunks[index / OWNED_CHUNK][index % OWNED_CHUNK];
}

static uint32_t list_count(const struct owned_list *list) {
    return au32_load_relaxed(&list->count);
}

static void list_push(const struct owned *owned, struct owned_list *list, uint32_t number) {
    slot_of(owned, number)->next_free = (uintptr_t)list->first << 1 | 1;
    list->first = number;
    au32_store_relaxed(&list->count, list_count(list) + 1);
}

static uint32_t list_pop(const struct owned *owned, struct owned_list *list) {
    uint32_t number = list->first;
    list->first = (uint32_t)(slot_of(owned, number)->next_free >> 1);
    au32_store_relaxed(&list->count, list_count(list) - 1);
    return number;
}

/* Under the lock: a batch of fresh slots to the common list. */
static bool grow(struct owned *owned) {
    uint32_t slots = au32_load_relaxed(&owned->slots);
    uint32_t chunk = slots / OWNED_CHUNK;
    if (chunk == OWNED_CHUNKS_MAX) {
        return false;
    }
    if (slots % OWNED_CHUNK == 0) {
        owned->chunks[chunk] = malloc(OWNED_CHUNK * sizeof **owned->chunks);
        if (!owned->chunks[chunk]) {
            return false;
        }
    }
    au32_store_relaxed(&owned->slots, slots + OWNED_BATCH);
    for (uint32_t i = OWNED_BATCH; i > 0; i--) {
        list_push(owned, &owned->free, slots + i);
    }
    return true;
}

static bool refill(struct owned *owned, struct owned_list *own) {
    pthread_mutex_lock(&owned->lock);
    bool there = list_count(&owned->free) > 0 || grow(owned);
    while (list_count(own) < OWNED_BATCH && list_count(&owned->free) > 0) {
        list_push(owned, own, list_pop(owned, &owned->free));
    }
    pthread_mutex_unlock(&owned->lock);
    return there;
}

bool owned_add(struct owned *owned, struct owned_list *own, struct sy_task *task) {
    if (list_count(own) == 0 && !refill(owned, own)) {
        return false;
    }
    task->slot = list_pop(owned, own);
    slot_of(owned, task->slot)->task = task;
    return true;
}

void owned_remove(struct owned *owned, struct owned_list *own, struct sy_task *task) {
    list_push(owned, own, task->slot);
    if (list_count(own) > 2 * OWNED_BATCH) {
        pthread_mutex_lock(&owned->lock);
        while (list_count(own) > OWNED_BATCH) {
            list_push(owned, &owned->free, list_pop(owned, own));
        }
        pthread_mutex_unlock(&owned->lock);
    }
}

void owned_remove_outside(struct owned *owned, struct sy_task *task) {
    pthread_mutex_lock(&owned->lock);
    list_push(owned, &owned->free, task->slot);
    task->slot = 0;
    pthread_mutex_unlock(&owned->lock);
}

bool owned_at(struct owned *owned, uint32_t number, struct sy_task **task) {
    pthread_mutex_lock(&owned->lock);
    const union owned_slot *slot = slot_of(owned, number);
    bool taken = !(slot->next_free & 1);
    *task = taken && state_ref_unless_zero(slot->task) ? slot->task : NULL;
    pthread_mutex_unlock(&owned->lock);
    return taken;
}

uint32_t owned_slots(struct owned *owned) {
    return au32_load_relaxed(&owned->slots);
}

uint32_t owned_handed_out(struct owned *owned) {
    pthread_mutex_lock(&owned->lock);
    uint32_t n = owned_slots(owned) - list_count(&owned->free);
    pthread_mutex_unlock(&owned->lock);
    return n;
}
