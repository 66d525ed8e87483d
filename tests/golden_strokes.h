/* golden_strokes.h - strokes from reference tensors, for the tests of the rasteriser and of a CLIPDraw run */
#ifndef UNCLIP_GOLDEN_STROKES_H
#define UNCLIP_GOLDEN_STROKES_H

#include "lib/draw/stroke.h"

#include "tests/golden_file.h"

/* Reads strokes from four tensors of the file z: "segments", and "points", "radius" and "rgba" with `prefix` before the
 * name.  Returns them with the parameters in the order of struct strokes. */
static struct strokes golden_strokes(const struct weights *z, const char *prefix, struct arena *a) {
    static const char *const part[] = {"points", "radius", "rgba"};
    const float *v[3], *segments;
    size_t n[3], *first;
    struct strokes s;
    char name[64];

    segments = golden_floats(z, "segments", &s.n, a);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, part[i]);
        v[i] = golden_floats(z, name, &n[i], a);
    }
    first = golden_room(a, s.n + 1, sizeof *first);
    first[0] = 0;
    for (size_t k = 0; k < s.n; k++)
        first[k + 1] = first[k] + 3 * (size_t)segments[k] + 1;
    s.first = first;
    s.param = golden_room(a, strokes_count(&s), sizeof *s.param);
    memcpy(s.param, v[0], n[0] * sizeof **v);
    memcpy(strokes_radius(&s, s.param), v[1], n[1] * sizeof **v);
    memcpy(strokes_rgba(&s, s.param), v[2], n[2] * sizeof **v);
    return s;
}

#endif
