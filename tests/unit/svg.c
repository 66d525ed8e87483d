/* Strokes to SVG and back: every number reads back as the same float. */
#include "formats/image/svg.h"

#include "tests/tap.h"

static float uniform(unsigned *x) {
    *x = *x * 1664525 + 1013904223;
    return (float)(*x >> 8) / (1 << 24);
}

/* The number that follows `before`, and moves *p behind it. */
static float after(const char **p, const char *before) {
    char *end;
    float v;

    *p = strstr(*p, before);
    if (!*p)
        return NAN;
    v = strtof(*p + strlen(before), &end);
    *p = end;
    return v;
}

int main(void) {
    const size_t first[] = {0, 4, 11, 21};
    float p[2 * 21 + 15], worst = 0;
    const struct strokes s = {3, first, p};
    struct mp out;
    unsigned seed = 4;
    size_t bad = 0;
    const char *at;
    TAP_ARENA(a, 8);

    for (size_t i = 0; i < sizeof p / sizeof *p; i++)
        p[i] = uniform(&seed) * (i < 42 ? 300 : 1) - (i < 42 ? 30 : 0);
    mp_open(&out, &a);
    svg_write(&out, &s, 40, 60, SPAN("a < b & \x01 \xc3\xa4"), SPAN("\xff>"));
    mp_raw(&out, SPAN("\0"));
    at = (const char *)out.p;
    ok(!out.full && !strncmp(at, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 60 40\">\n"
                                 "<title>a &lt; b &amp; ? \xc3\xa4</title>\n<desc>?&gt;</desc>\n"
                                 "<rect width=\"60\" height=\"40\" fill=\"#fff\"/>\n", 150), "the head, with escapes");
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = first[k]; i < first[k + 1]; i++) {
            bad += after(&at, i == first[k] ? "M " : i % 3 == (first[k] + 1) % 3 ? " C " : " ") != p[2 * i];
            bad += after(&at, " ") != p[2 * i + 1];
        }
        bad += after(&at, "stroke-width=\"") != 2 * p[42 + k];
        for (size_t i = 0; i < 3; i++)
            worst = fmaxf(worst, fabsf(after(&at, i ? "%, " : "rgb(") / 100 - p[45 + 4 * k + i]));
        bad += after(&at, "stroke-opacity=\"") != p[45 + 4 * k + 3];
    }
    ok(bad == 0, "points, widths and alpha read back as they were");
    ok(worst < 1e-7f, "colours within %g", (double)worst);
    ok(strstr(at, "</g>\n</svg>\n") != NULL, "the end");
    return done();
}
