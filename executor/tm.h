/*
 * The contract of a store of deadlines: where the runtime's timers keep the sleeps that wait. A store is used by one
 * thread at a time (timers.c holds its lock around each call) and never allocates after create.
 *
 * | operation | meaning                                                                                              |
 * |-----------|------------------------------------------------------------------------------------------------------|
 * | create    | 0 or -ENOMEM                                                                                         |
 * | destroy   | sleeps still inside are forgotten                                                                    |
 * | insert    | `sleep`, which is in no store, by its deadline; it stays where it is until it is out again. The      |
 * |           | deadline may lie in the past, and UINT64_MAX is one like any other                                   |
 * | remove    | `sleep`, which is in this store                                                                      |
 * | earliest  | never later than the earliest deadline inside, and UINT64_MAX if there is none. It may be earlier    |
 * |           | than that only while more than TM_LOOK sleeps are due at about the same time, and take_due at that   |
 * |           | time makes it exact, or later                                                                        |
 * | take_due  | takes out up to `max` sleeps whose deadline is not after `now_ns`, in order of their deadlines.      |
 * |           | Returns how many; it may leave some for the next call, so that no call takes long: all were taken    |
 * |           | when earliest is after `now_ns`, and until then each call gets on                                    |
 *
 * `now_ns` is the monotonic clock's. It may jump ahead by any amount; where two threads read it and call in the other
 * order it may also go back a little. No sleep is taken before its deadline, and none is rounded up.
 */
#ifndef STEALYARD_EXECUTOR_TM_H
#define STEALYARD_EXECUTOR_TM_H

#include <stddef.h>

#include "executor/timer.h"

#define TM_NEVER UINT64_MAX

/* Sleeps that `earliest` may look at, one by one, to say exactly when the first is due. */
#define TM_LOOK 16

struct tm_store; /* whatever the implementation makes of it */

struct tm_ops {
    const char *name;     /* the file's stem */
    const char *summary;  /* one line */
    const char *source;   /* authors, title, venue, year */
    const char *progress; /* how long a call may take: the lock is held for so long */
    const char *cost;     /* of insert, remove and of taking a due one */
    const char *caveat;   /* what a user should know before choosing it; NULL: nothing */

    int (*create)(struct tm_store **out);
    void (*destroy)(struct tm_store *store);
    void (*insert)(struct tm_store *store, struct sy_sleep *sleep, uint64_t now_ns);
    void (*remove)(struct tm_store *store, struct sy_sleep *sleep);
    uint64_t (*earliest)(const struct tm_store *store);
    size_t (*take_due)(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max);
};

#endif
