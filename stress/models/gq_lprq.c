/* The queue of linked rings as shipped, under a model checker: see gq_model.h. */
#include "gq_model.h"

#include "queues/gq_lprq.h"

int main(void) {
    run_model(&gq_lprq_ops);
    return 0;
}
