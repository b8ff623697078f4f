/* The array queue as shipped, under a model checker: see gq_model.h. */
#include "gq_model.h"

#include "queues/gq_faa_array.h"

int main(void) {
    run_model(&gq_faa_array_ops);
    return 0;
}
