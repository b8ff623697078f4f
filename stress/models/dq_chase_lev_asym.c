/*
 * The growing deque with an asymmetric fence, as shipped, under a model checker: see dq_model.h. A model checker has no
 * membarrier(2), so both fences are full, as where the kernel refuses at the start. With REFUSED the kernel registers
 * the process and refuses the fence later: pop then has none until a thief has said so.
 */
#include "dq_model.h"

#ifdef REFUSED
#define STEALYARD_QUEUES_ASYM_H
#include "queues/atomics.h"

static inline bool asym_register(void) {
    return true;
}

SY_INLINE void asym_light(bool registered) {
    (void)registered;
}

static inline bool asym_heavy(bool registered) {
    fence_seq_cst();
    return !registered;
}
#endif

#include "queues/dq_chase_lev_asym.h"

int main(void) {
    run_model(&dq_chase_lev_asym_ops);
    return 0;
}
