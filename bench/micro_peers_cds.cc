// libcds (M. Khizhinsky): Michael and Scott's queue and Hoffman, Shalev and Shavit's basket queue, both with hazard
// pointers (Michael, 2004) and a node from the heap for each item.
//
// What could be held against it: hazard pointers and an allocation for every item are its way of being safe with any
// type; Boost's free list and intrusive nodes pay neither. Its intrusive variants would still need the hazard pointers.
#include <cds/container/basket_queue.h>
#include <cds/container/msqueue.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

#include "bench/micro_list.h"
#include "bench/micro_peer.h"

namespace {

// Starts the library once for the process (it is never taken down, for other queues may follow) and attaches this thread.
void Start() {
    static cds::gc::HP *collector = [] {
        // What the basket queue needs, and threads besides the cases' own; the defaults are more, and cost more.
        constexpr size_t kPointers = 6, kThreadsBeyond = 2;
        cds::Initialize();
        return new cds::gc::HP(kPointers, 4 * micro_processors() + kThreadsBeyond);
    }();
    (void)collector;
    cds::threading::Manager::attachThread(); // changes nothing where it is attached
}

// Making and destroying a queue wants an attached thread too.
struct Started {
    Started() {
        Start();
    }
};

template <class Queue> struct Adapter : PeerDefaults<Adapter<Queue>> {
    explicit Adapter(const gq_config &) {}
    ~Adapter() {
        Start();
    }
    void Attach() {
        Start();
    }
    void Detach() {
        cds::threading::Manager::detachThread();
    }
    void Push(sy_node *item) {
        queue.enqueue(item);
    }
    bool Pop(sy_node *&item) {
        return queue.dequeue(item);
    }

    Started started; // before the queue
    Queue queue;
};

using MichaelScott = Adapter<cds::container::MSQueue<cds::gc::HP, sy_node *>>;
using Basket = Adapter<cds::container::BasketQueue<cds::gc::HP, sy_node *>>;

PEER_OPS(MichaelScott, libcds_msqueue, "FIFO")
PEER_OPS(Basket, libcds_basket, "FIFO")

} // namespace

void micro_peers_cds_add(void) {
    micro_queue_add(&libcds_msqueue_bodies);
    micro_queue_add(&libcds_basket_bodies);
}
