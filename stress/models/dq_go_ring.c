/* Go's run queue as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_go_ring.h"

int main(void) {
    run_model(&dq_go_ring_ops);
    return 0;
}
