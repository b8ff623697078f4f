#include "executor/idle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int idle_create(struct idle *idle, unsigned workers, unsigned searching_max) {
    idle->parked = calloc(workers, sizeof *idle->parked);
    if (!idle->parked) {
        return -ENOMEM;
    }
    pthread_mutex_init(&idle->lock, NULL);
    au64_store_relaxed(&idle->word, 0);
    idle->count = 0;
    idle->searching_max = searching_max;
    return 0;
}

void idle_destroy(struct idle *idle) {
    pthread_mutex_destroy(&idle->lock);
    free(idle->parked);
}

uint32_t idle_claim(struct idle *idle) {
    if (!idle_wants_wake(idle)) { /* I1: relaxed, ordered by the caller's barrier */
        return IDLE_NOBODY;
    }
    uint32_t worker = IDLE_NOBODY;
    pthread_mutex_lock(&idle->lock);
    /* Again: of several producers that saw the same word, one wakes. */
    if (idle->count > 0 && idle_wants_wake(idle)) {
        worker = idle->parked[--idle->count];
        au64_fetch_add_seq_cst(&idle->word, IDLE_SEARCHING - IDLE_PARKED);
    }
    pthread_mutex_unlock(&idle->lock);
    return worker;
}

bool idle_start_searching(struct idle *idle) {
    uint64_t word = au64_load_relaxed(&idle->word);
    do {
        if ((uint32_t)word >= idle->searching_max) {
            return false;
        }
    } while (!au64_cas_seq_cst(&idle->word, &word, word + IDLE_SEARCHING));
    return true;
}

bool idle_stop_searching(struct idle *idle) {
    uint64_t before = au64_fetch_sub_seq_cst(&idle->word, IDLE_SEARCHING); /* I3 */
    return (uint32_t)before == 1;
}

void idle_park(struct idle *idle, uint32_t worker, bool searching, bool bottom) {
    pthread_mutex_lock(&idle->lock);
    if (bottom) {
        memmove(idle->parked + 1, idle->parked, idle->count * sizeof *idle->parked);
        idle->parked[0] = worker;
    } else {
        idle->parked[idle->count] = worker;
    }
    idle->count++;
    au64_fetch_add_seq_cst(&idle->word, IDLE_PARKED - (searching ? IDLE_SEARCHING : 0)); /* I2 */
    pthread_mutex_unlock(&idle->lock);
    fence_seq_cst();
}

bool idle_unpark(struct idle *idle, uint32_t worker, bool searching) {
    bool found = false;
    pthread_mutex_lock(&idle->lock);
    for (uint32_t i = 0; i < idle->count && !found; i++) {
        if (idle->parked[i] == worker) {
            idle->count--;
            memmove(idle->parked + i, idle->parked + i + 1, (idle->count - i) * sizeof *idle->parked);
            au64_fetch_add_seq_cst(&idle->word, (searching ? IDLE_SEARCHING : 0) - IDLE_PARKED);
            found = true;
        }
    }
    pthread_mutex_unlock(&idle->lock);
    return found;
}
