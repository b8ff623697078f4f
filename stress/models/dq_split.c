/* Lace's split deque as shipped, under a model checker: see dq_model.h. */
#include "dq_model.h"

#include "queues/dq_split.h"

int main(void) {
    run_model(&dq_split_ops);
    return 0;
}
