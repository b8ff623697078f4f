/* The shards as shipped, under a model checker: see gq_model.h. One popper makes two shards, which pushers share. */
#include "gq_model.h"

#include "queues/gq_sharded.h"

int main(void) {
    run_model(&gq_sharded_ops);
    return 0;
}
