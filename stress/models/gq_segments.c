/* The list of segments as shipped, under a model checker, in the queue that does least beside it: see gq_model.h. */
#include "gq_model.h"

#include "queues/gq_faa_array.h"

int main(void) {
    run_model(&gq_faa_array_ops);
    return 0;
}
