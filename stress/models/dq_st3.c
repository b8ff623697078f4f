/* St³'s LIFO deque as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_st3.h"

int main(void) {
    run_model(&dq_st3_ops);
    return 0;
}
