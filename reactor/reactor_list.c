/* The reactor back ends by name. See rx_list.h. */
#include "reactor/reactor.h"
#include "reactor/rx_list.h"

#include <string.h>

#define DECLARE(stem) extern const struct rx_ops stem##_ops;
RX_LIST(DECLARE)

#define ENTRY(stem) &stem##_ops,
const struct rx_ops *const rx_all[] = {RX_LIST(ENTRY)};
const size_t rx_count = sizeof rx_all / sizeof rx_all[0];

const struct rx_ops *rx_find(const char *name) {
    for (size_t i = 0; i < rx_count; i++) {
        if (strcmp(rx_all[i]->name, name) == 0) {
            return rx_all[i];
        }
    }
    return NULL;
}
