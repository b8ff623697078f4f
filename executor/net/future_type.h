/*
 * Internal to executor/net and executor/sync: what makes sy_STEM_poll and sy_STEM_drop, which take a struct sy_STEM,
 * the sy_STEM_type that takes any future. A macro because the calls differ in their types only.
 */
#ifndef STEALYARD_EXECUTOR_NET_FUTURE_TYPE_H
#define STEALYARD_EXECUTOR_NET_FUTURE_TYPE_H

#include "executor/future.h"

#define NET_FUTURE_TYPE(stem)                                                                                          \
    static enum sy_poll stem##_poll(void *future, struct sy_context *cx) {                                             \
        return sy_##stem##_poll(future, cx);                                                                           \
    }                                                                                                                  \
    static void stem##_drop(void *future) {                                                                            \
        sy_##stem##_drop(future);                                                                                      \
    }                                                                                                                  \
    const struct sy_future_type sy_##stem##_type = {                                                                   \
        .name = "sy_" #stem, .size = sizeof(struct sy_##stem), .poll = stem##_poll, .drop = stem##_drop}

#endif
