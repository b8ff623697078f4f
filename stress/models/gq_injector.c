/* Blocks of slots as shipped, but with two places, one spare, no patience, under a model checker: see gq_model.h. */
#include "gq_model.h"

#include "queues/gq_injector.h"

int main(void) {
    run_model(&gq_injector_ops);
    return 0;
}
