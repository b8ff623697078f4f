/* Tokio's local queue as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_tokio_ring.h"

int main(void) {
    run_model(&dq_tokio_ring_ops);
    return 0;
}
