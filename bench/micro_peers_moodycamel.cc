// moodycamel::ConcurrentQueue (C. Desrochers, 2014), once as one would use it first and once with its tokens, which its
// documentation recommends for speed.
//
// What could be held against it: it is no FIFO queue. Each producer has a queue of its own and consumers go from one to
// the next, so only a producer's own items keep their order, and it is not linearizable. Its batch operations are used
// for more than one item: for one they cost more instructions than the plain ones. Its producer queues stay after their
// threads have ended, so a queue that has seen many threads would be slower; here a queue lives for one case.
#if defined(__GNUC__) && !defined(__clang__)
// gcc 12 at -O3 does not see that a token has a producer unless memory ran out when it was made, which Attach looks at.
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#include <concurrentqueue/concurrentqueue.h>

#include <optional>

#include "bench/micro_list.h"
#include "bench/micro_peer.h"

namespace {

using Queue = moodycamel::ConcurrentQueue<sy_node *>;

struct Plain : PeerDefaults<Plain> {
    explicit Plain(const gq_config &) {}
    void Push(sy_node *item) {
        queue.enqueue(item);
    }
    void PushBatch(sy_node *const *items, size_t n) {
        queue.enqueue_bulk(items, n);
    }
    size_t PopBatch(sy_node **items, size_t max) {
        return max == 1 ? queue.try_dequeue(*items) : queue.try_dequeue_bulk(items, max);
    }

    Queue queue;
};

struct Tokens {
    explicit Tokens(Queue &queue) : producer(queue), consumer(queue) {}

    moodycamel::ProducerToken producer;
    moodycamel::ConsumerToken consumer;
};

thread_local std::optional<Tokens> tokens;

struct Tokened : PeerDefaults<Tokened> {
    explicit Tokened(const gq_config &) {}
    void Attach() {
        tokens.emplace(queue);
        if (!tokens->producer.valid()) {
            throw std::bad_alloc();
        }
    }
    void Detach() {
        tokens.reset();
    }
    void Push(sy_node *item) {
        queue.enqueue(tokens->producer, item);
    }
    void PushBatch(sy_node *const *items, size_t n) {
        queue.enqueue_bulk(tokens->producer, items, n);
    }
    size_t PopBatch(sy_node **items, size_t max) {
        return max == 1 ? queue.try_dequeue(tokens->consumer, *items)
                        : queue.try_dequeue_bulk(tokens->consumer, items, max);
    }

    Queue queue;
};

PEER_OPS(Plain, moodycamel, "FIFO per producer")
PEER_OPS(Tokened, moodycamel_tokens, "FIFO per producer")

} // namespace

void micro_peers_moodycamel_add(void) {
    micro_queue_add(&moodycamel_bodies);
    micro_queue_add(&moodycamel_tokens_bodies);
}
