/*
 * Puts a queue of a C++ library behind struct gq_ops, so that it runs the very loops that ours run, inlined as they are.
 *
 * What could be held against the comparison:
 *   - the peers carry pointers as values and allocate what holds them (from pools of their own or the C++ heap); most of
 *     ours link nodes that the item brings along. That is what either would do under a runtime, and the counted
 *     allocations, peak memory and `malloc_free` rows show it;
 *   - nobody else touches an item here (micro_item.h), so only a queue that links nodes brings the item's cache line
 *     from thread to thread; a runtime reads the task that came out, and pays for that line either way;
 *   - where a library has no operation for a batch, the batch is moved one by one;
 *   - each is the Debian package's version, compiled with this project's flags, with the library's default parameters
 *     unless they are dearer than what the cases need (libcds).
 *
 * An adapter has a constructor from the configuration, Push and Pop of one item, or PushBatch and PopBatch of its own,
 * and Attach and Detach where its threads need them.
 */
#ifndef STEALYARD_BENCH_MICRO_PEER_H
#define STEALYARD_BENCH_MICRO_PEER_H

#include <cerrno>
#include <exception>
#include <new>

#include "bench/micro_queue.h"

#define PEER_INLINE __attribute__((always_inline)) static inline

/* What an adapter that says nothing else does. */
template <class Adapter> struct PeerDefaults {
    void Attach() {}
    void Detach() {}

    void PushBatch(sy_node *const *items, size_t n) {
        for (size_t i = 0; i < n; i++) {
            static_cast<Adapter *>(this)->Push(items[i]);
        }
    }

    size_t PopBatch(sy_node **items, size_t max) {
        size_t n = 0;
        while (n < max && static_cast<Adapter *>(this)->Pop(items[n])) {
            n++;
        }
        return n;
    }
};

template <class Adapter> struct Peer {
    PEER_INLINE Adapter &Of(gq *queue) {
        return *reinterpret_cast<Adapter *>(queue);
    }

    static int Create(gq **out, const gq_config *config) {
        try {
            *out = reinterpret_cast<gq *>(new Adapter(*config));
            return 0;
        } catch (const std::bad_alloc &) {
            return -ENOMEM;
        }
    }

    static void Destroy(gq *queue) {
        delete &Of(queue);
    }

    static int Attach(gq *queue) {
        try {
            Of(queue).Attach();
            return 0;
        } catch (const std::exception &) {
            return -EAGAIN;
        }
    }

    static void Detach(gq *queue) {
        Of(queue).Detach();
    }

    PEER_INLINE gq_status Push(gq *queue, sy_node *item) {
        Of(queue).Push(item);
        return GQ_OK;
    }

    PEER_INLINE gq_status PushBatch(gq *queue, sy_node *const *items, size_t n, size_t *pushed) {
        Of(queue).PushBatch(items, n);
        *pushed = n;
        return GQ_OK;
    }

    PEER_INLINE gq_status PopBatch(gq *queue, sy_node **items, size_t max, size_t *got) {
        *got = Of(queue).PopBatch(items, max);
        return *got > 0 ? GQ_OK : GQ_EMPTY;
    }
};

/* Defines name##_ops for MICRO_QUEUE_STAMP. The loops never ask for is_empty or length. */
#define PEER_OPS(Adapter, peer_name, peer_order)                                                                       \
    static const gq_ops peer_name##_ops = {.name = #peer_name,                                                         \
                                           .summary = "",                                                              \
                                           .source = "",                                                               \
                                           .order = peer_order,                                                        \
                                           .progress = "",                                                             \
                                           .reclamation = "",                                                          \
                                           .cost = "",                                                                 \
                                           .caveat = nullptr,                                                          \
                                           .bounded = false,                                                           \
                                           .reclaims = false,                                                          \
                                           .allocates = false,                                                         \
                                           .aborts = false,                                                            \
                                           .create = Peer<Adapter>::Create,                                            \
                                           .destroy = Peer<Adapter>::Destroy,                                          \
                                           .attach = Peer<Adapter>::Attach,                                            \
                                           .detach = Peer<Adapter>::Detach,                                            \
                                           .push = Peer<Adapter>::Push,                                                \
                                           .push_batch = Peer<Adapter>::PushBatch,                                     \
                                           .pop_batch = Peer<Adapter>::PopBatch,                                       \
                                           .is_empty = nullptr,                                                        \
                                           .length = nullptr};                                                         \
    MICRO_QUEUE_STAMP(peer_name, true)

#endif
