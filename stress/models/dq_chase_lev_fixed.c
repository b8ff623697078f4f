/* The bounded Chase-Lev deque as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_chase_lev_fixed.h"

int main(void) {
    run_model(&dq_chase_lev_fixed_ops);
    return 0;
}
