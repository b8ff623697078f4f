/* The ring of slots as shipped, under a model checker: see gq_model.h. */
#include "gq_model.h"

#include "queues/gq_vyukov.h"

int main(void) {
    run_model(&gq_vyukov_ops);
    return 0;
}
