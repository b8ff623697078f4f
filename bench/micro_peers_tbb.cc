// tbb::concurrent_queue of oneTBB: eight interleaved micro-queues of pages behind one ticket for each end.
//
// What could be held against it: it is not lock-free (a ticket's holder makes the next one wait), and its allocator is
// TBB's scalable one where libtbbmalloc is found at run time, else malloc.
#include <tbb/concurrent_queue.h>

#include "bench/micro_list.h"
#include "bench/micro_peer.h"

namespace {

struct Adapter : PeerDefaults<Adapter> {
    explicit Adapter(const gq_config &) {}
    void Push(sy_node *item) {
        queue.push(item);
    }
    bool Pop(sy_node *&item) {
        item = nullptr; // gcc does not see that success sets it
        return queue.try_pop(item);
    }

    tbb::concurrent_queue<sy_node *> queue;
};

PEER_OPS(Adapter, onetbb, "FIFO")

} // namespace

void micro_peers_tbb_add(void) {
    micro_queue_add(&onetbb_bodies);
}
