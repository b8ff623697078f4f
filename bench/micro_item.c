#include "bench/micro_item.h"

static struct micro_item items[MICRO_ITEMS];

struct micro_item *micro_items(unsigned producers) {
    uint32_t share = MICRO_ITEMS / producers;
    for (uint32_t i = 0; i < MICRO_ITEMS; i++) {
        items[i] = (struct micro_item){.producer = i / share, .sequence = i % share};
    }
    return items;
}

const char *micro_items_check(void) {
    for (uint32_t i = 0; i < MICRO_ITEMS; i++) {
        if (items[i].taken != 1) {
            return items[i].taken == 0 ? "an item was lost" : "an item came out twice";
        }
    }
    return NULL;
}
