/*
 * The two rings of indices as shipped, under a model checker: see gq_model.h. The threshold is that of two threads: it
 * bounds how often a push and a pop can get in each other's way, and a model checker goes through all of that.
 */
#define GQ_SCQ_THREADS_ORDER 1

#include "gq_model.h"

#include "queues/gq_scq.h"

int main(void) {
    run_model(&gq_scq_ops);
    return 0;
}
