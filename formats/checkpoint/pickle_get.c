/* Look at the objects that pickle_parse built. */
#include "formats/checkpoint/pickle.h"

#include <string.h>

uint32_t pickle_item(const struct pickle *k, uint32_t obj, size_t i) {
    uint32_t c = k->obj[obj].first;

    for (; c && i; i--)
        c = k->cell[c].next;
    return c ? k->cell[c].obj : PICKLE_NONE;
}

static bool same(const struct pickle_obj *o, const char *s) {
    size_t n = strlen(s);

    return (o->kind == PK_STR || o->kind == PK_BYTES) && o->n == n && !memcmp(o->s, s, n);
}

bool pickle_is_global(const struct pickle *k, uint32_t obj, const char *module, const char *name) {
    const struct pickle_obj *o = &k->obj[obj];

    return o->kind == PK_GLOBAL && (!module || same(&k->obj[o->a], module)) &&
           same(&k->obj[o->b], name);
}

bool pickle_is_text(const struct pickle *k, uint32_t obj, const char *s) {
    return same(&k->obj[obj], s);
}

bool pickle_size(const struct pickle *k, uint32_t obj, size_t *v) {
    const struct pickle_obj *o = &k->obj[obj];

    if (o->kind != PK_INT || o->i < 0 || (uint64_t)o->i > SIZE_MAX)
        return false;
    *v = (size_t)o->i;
    return true;
}
