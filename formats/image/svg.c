#include "formats/image/svg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3)))
static void put(struct mp *out, const char *fmt, ...) {
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    mp_raw(out, span_bytes(line, (size_t)n));
}

static void escape(struct mp *out, struct span s) {
    bool text = utf8_valid(s.p, s.n);

    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = s.p[i];
        const char *name = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;

        if (name)
            mp_raw(out, span_of(name));
        else if ((c < 32 && c != '\n' && c != '\t') || (c >= 127 && !text))
            mp_raw(out, SPAN("?"));
        else
            mp_raw(out, span_bytes(&c, 1));
    }
}

static void element(struct mp *out, const char *name, struct span s) {
    if (!s.n)
        return;
    put(out, "<%s>", name);
    escape(out, s);
    put(out, "</%s>\n", name);
}

static void path(struct mp *out, const float *p, size_t points, float radius, const float *rgba) {
    put(out, "<path d=\"M %.9g %.9g", (double)p[0], (double)p[1]);
    for (size_t i = 1; i < points; i++)
        put(out, "%s%.9g %.9g", i % 3 == 1 ? " C " : " ", (double)p[2 * i], (double)p[2 * i + 1]);
    put(out, "\" stroke-width=\"%.9g\" stroke=\"rgb(%.9g%%, %.9g%%, %.9g%%)\" stroke-opacity=\"%.9g\"/>\n", 2 * (double)radius,
        100 * (double)rgba[0], 100 * (double)rgba[1], 100 * (double)rgba[2], (double)rgba[3]);
}

void svg_write(struct mp *out, const struct strokes *s, size_t h, size_t w, struct span title, struct span about) {
    put(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %zu\">\n", w, h);
    element(out, "title", title);
    element(out, "desc", about);
    put(out, "<rect width=\"%zu\" height=\"%zu\" fill=\"#fff\"/>\n", w, h);
    put(out, "<g fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n");
    for (size_t k = 0; k < s->n; k++)
        path(out, s->param + 2 * s->first[k], s->first[k + 1] - s->first[k], strokes_radius(s, s->param)[k],
             strokes_rgba(s, s->param) + 4 * k);
    put(out, "</g>\n</svg>\n");
}
