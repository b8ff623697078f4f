/* The split deque whose private part can be revoked, as shipped, under a model checker: see dq_model.h. */
#ifndef PATIENCE
#define PATIENCE 0 /* a thief revokes at once */
#endif
#define DQ_SPLIT_ASYM_PATIENCE PATIENCE

#include "dq_model.h"

#include "queues/dq_split_asym.h"

int main(void) {
    run_model(&dq_split_asym_ops);
    return 0;
}
