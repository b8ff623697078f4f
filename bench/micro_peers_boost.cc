// boost::lockfree::queue (T. Blechmann): Michael and Scott's queue over a free list of nodes that only grows.
//
// What could be held against it: nothing but the absence of batches; it starts with as many nodes as a thread's pool has
// items, as its documentation advises, and allocates more when they run out.
#include <boost/lockfree/queue.hpp>

#include "bench/micro_list.h"
#include "bench/micro_peer.h"

namespace {

struct Adapter : PeerDefaults<Adapter> {
    explicit Adapter(const gq_config &) : queue(MICRO_POOL) {}
    void Push(sy_node *item) {
        queue.push(item);
    }
    bool Pop(sy_node *&item) {
        return queue.pop(item);
    }

    boost::lockfree::queue<sy_node *> queue;
};

PEER_OPS(Adapter, boost_lockfree, "FIFO")

} // namespace

void micro_peers_boost_add(void) {
    micro_queue_add(&boost_lockfree_bodies);
}
