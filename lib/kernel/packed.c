#include "lib/kernel/packed.h"

bool packed_useful(const struct kern *k) {
    return k->panel != 0;
}

bool packed_finding(const struct packed *p) {
    return p && p->finding;
}

const void *packed_next(struct packed *p, size_t n) {
    if (p->next == p->n || p->block[p->next].n != n)
        return NULL;
    return p->block[p->next++].p;
}

void packed_note(struct packed *p, const void *block, size_t n) {
    if (!p || p->finding)
        return;
    if (p->n == p->room)
        p->lost = true;
    else
        p->block[p->n++] = (struct packed_block){block, n};
}

bool packed_used_up(const struct packed *p) {
    return p->next == p->n;
}
