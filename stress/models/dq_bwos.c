/* BWoS, LIFO, as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_bwos.h"

int main(void) {
    run_model(&dq_bwos_ops);
    return 0;
}
