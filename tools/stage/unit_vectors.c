#include "tools/stage/unit_vectors.h"

#include <string.h>

#include "lib/vector/similarity.h"

static int one(struct record *r, const char *field, struct err *e) {
    const float *v = NULL;
    float *unit;
    size_t d;
    int got;

    if (!record_has(r, field))
        return 0;
    if (record_floats(r, field, &v, &d, r->a, e) < 0)
        return -1;
    if (!(unit = arena_take(r->a, d ? d : 1, sizeof *unit)))
        return err_set(e, "out of memory");
    memcpy(unit, v, d * sizeof *v);
    if ((got = sim_normalise(unit, d)) != SIM_OK)
        return err_set(e, "its %s %s", field, sim_reason(got));
    return record_set_tensor(r, field, DT_F32, unit, 1, &d, e);
}

int unit_vectors(struct record *r, struct err *e) {
    return one(r, "text_embed", e) < 0 ? -1 : one(r, "image_embed", e);
}
