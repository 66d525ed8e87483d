#include "lib/vector/shelf.h"

#include <stdint.h>
#include <string.h>

int shelf_start(struct shelf *s, size_t n, size_t room, struct arena *a) {
    *s = (struct shelf){.n = n};
    s->slot = arena_zero(a, n, sizeof *s->slot);
    s->order = arena_take(a, n, sizeof *s->order);
    if (!s->slot || !s->order || arena_split(a, room, &s->mem, &s->room) < 0)
        return -1;
    s->base = arena_take(&s->room, 0, 1);
    return s->base ? 0 : -1;
}

void shelf_clear(struct shelf *s) {
    for (size_t i = 0; i < s->n; i++)
        s->slot[i].n = 0;
    s->used = s->live = 0;
}

/* Puts slot x into the heap o [n] at position i or below.  by_place sorts the slots in use by their
 * place with this heap, because n may be large and qsort may allocate memory. */
static void sink(const struct shelf_slot *slot, size_t *o, size_t n, size_t i, size_t x) {
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        c += c + 1 < n && slot[o[c + 1]].at > slot[o[c]].at;
        if (slot[x].at > slot[o[c]].at)
            break;
        o[i] = o[c];
    }
    o[i] = x;
}

static size_t by_place(struct shelf *s) {
    size_t n = 0, i;

    for (i = 0; i < s->n; i++)
        if (s->slot[i].n)
            s->order[n++] = i;
    for (i = n / 2; i-- > 0;)
        sink(s->slot, s->order, n, i, s->order[i]);
    for (i = n; i-- > 1;) {
        size_t x = s->order[i];

        s->order[i] = s->order[0];
        sink(s->slot, s->order, i, 0, x);
    }
    return n;
}

static void compact(struct shelf *s) {
    size_t n = by_place(s), at = 0;

    for (size_t i = 0; i < n; i++) {
        struct shelf_slot *t = &s->slot[s->order[i]];

        memmove(s->base + at, s->base + t->at, t->n);
        t->at = at;
        at += t->n;
    }
    s->used = at;
}

int shelf_put(struct shelf *s, size_t slot, const void *p, size_t n) {
    struct shelf_slot *t = &s->slot[slot];

    s->live -= t->n;
    t->n = 0;
    if (n > SIZE_MAX - s->used)
        return -1;
    if (s->used + n > s->cap && s->used > 2 * s->live + SHELF_SLACK)
        compact(s);
    if (s->used + n > s->cap) {
        if (arena_grow(&s->room, s->base, s->cap, s->used + n) < 0) {
            compact(s);
            if (s->used + n > s->cap && arena_grow(&s->room, s->base, s->cap, s->used + n) < 0)
                return -1;
        }
        if (s->used + n > s->cap)
            s->cap = s->used + n;
    }
    memcpy(s->base + s->used, p, n);
    *t = (struct shelf_slot){s->used, n};
    s->used += n;
    s->live += n;
    return 0;
}

const void *shelf_get(const struct shelf *s, size_t slot, size_t *n) {
    *n = s->slot[slot].n;
    return s->base + s->slot[slot].at;
}
