#include "tools/stage/templates.h"

#include <inttypes.h>
#include <string.h>

#include "formats/io/file_read.h"
#include "formats/io/lines.h"

static const char *const openai80[] = {
    "a bad photo of a {}.", "a photo of many {}.", "a sculpture of a {}.",
    "a photo of the hard to see {}.", "a low resolution photo of the {}.",
    "a rendering of a {}.", "graffiti of a {}.", "a bad photo of the {}.",
    "a cropped photo of the {}.", "a tattoo of a {}.", "the embroidered {}.",
    "a photo of a hard to see {}.", "a bright photo of a {}.", "a photo of a clean {}.",
    "a photo of a dirty {}.", "a dark photo of the {}.", "a drawing of a {}.",
    "a photo of my {}.", "the plastic {}.", "a photo of the cool {}.",
    "a close-up photo of a {}.", "a black and white photo of the {}.", "a painting of the {}.",
    "a painting of a {}.", "a pixelated photo of the {}.", "a sculpture of the {}.",
    "a bright photo of the {}.", "a cropped photo of a {}.", "a plastic {}.",
    "a photo of the dirty {}.", "a jpeg corrupted photo of a {}.", "a blurry photo of the {}.",
    "a photo of the {}.", "a good photo of the {}.", "a rendering of the {}.",
    "a {} in a video game.", "a photo of one {}.", "a doodle of a {}.",
    "a close-up photo of the {}.", "a photo of a {}.", "the origami {}.",
    "the {} in a video game.", "a sketch of a {}.", "a doodle of the {}.", "a origami {}.",
    "a low resolution photo of a {}.", "the toy {}.", "a rendition of the {}.",
    "a photo of the clean {}.", "a photo of a large {}.", "a rendition of a {}.",
    "a photo of a nice {}.", "a photo of a weird {}.", "a blurry photo of a {}.",
    "a cartoon {}.", "art of a {}.", "a sketch of the {}.", "a embroidered {}.",
    "a pixelated photo of a {}.", "itap of the {}.", "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.", "a plushie {}.", "a photo of the nice {}.",
    "a photo of the small {}.", "a photo of the weird {}.", "the cartoon {}.",
    "art of the {}.", "a drawing of the {}.", "a photo of the large {}.",
    "a black and white photo of a {}.", "the plushie {}.", "a dark photo of a {}.",
    "itap of a {}.", "graffiti of the {}.", "a toy {}.", "itap of my {}.",
    "a photo of a cool {}.", "a photo of a small {}.", "a tattoo of the {}.",
};

static const char *const openai7[] = {
    "itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.",
    "a {} in a video game.", "art of the {}.", "a photo of the small {}.",
};

/* Splits a template at its placeholder.  Returns -1 if it does not have exactly one placeholder. */
static int split(struct span s, struct template *t) {
    size_t at = s.n;

    for (size_t i = 0; i + 2 <= s.n; i++)
        if (s.p[i] == '{' && s.p[i + 1] == '}') {
            if (at != s.n)
                return -1;
            at = i;
        }
    if (at == s.n)
        return -1;
    t->before = span_bytes(s.p, at);
    t->after = span_bytes(s.p + at + 2, s.n - at - 2);
    return 0;
}

static int from_table(struct templates *t, const char *const v[], size_t n, struct arena *a,
                      struct err *e) {
    t->n = n;
    t->v = arena_take(a, n, sizeof *t->v);
    if (!t->v)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (split(span_of(v[i]), &t->v[i]) < 0)
            return err_set(e, "'%s' has no placeholder", v[i]);
    return 0;
}

int templates_parse(struct templates *t, const char *text, size_t n, struct arena *a,
                    struct err *e) {
    struct span s = span_bytes(text, n), line;
    struct lines l = lines_of(s);
    size_t rows = 0;
    int r;

    while ((r = text_line(&l, &line, e)) > 0)
        rows++;
    if (r < 0)
        return -1;
    if (rows == 0)
        return err_set(e, "no template in it");
    *t = (struct templates){arena_take(a, rows, sizeof *t->v), rows};
    if (!t->v)
        return err_set(e, "out of memory");
    l = lines_of(s);
    for (size_t i = 0; text_line(&l, &line, e) > 0; i++)
        if (split(line, &t->v[i]) < 0)
            return err_set(e, "line %" PRIu64 ": a template has exactly one {}", l.number);
    return 0;
}

int templates_open(struct templates *t, const char *name, struct arena *a, struct err *e) {
    static const char *const photo[] = {"a photo of a {}."}, *const none[] = {"{}"};
    struct span text;

    if (!name)
        return from_table(t, photo, 1, a, e);
    if (!strcmp(name, "none"))
        return from_table(t, none, 1, a, e);
    if (!strcmp(name, "openai80"))
        return from_table(t, openai80, sizeof openai80 / sizeof *openai80, a, e);
    if (!strcmp(name, "openai7"))
        return from_table(t, openai7, sizeof openai7 / sizeof *openai7, a, e);
    if (file_read(name, TEXT_FILE_MAX, &text, a, e) < 0)
        return -1;
    return templates_parse(t, (const char *)text.p, text.n, a, e);
}

int template_fill(const struct template *t, struct span label, struct span *out,
                  struct arena *a) {
    size_t n = t->before.n + label.n + t->after.n;    /* no overflow: the parts are in memory */
    unsigned char *p = arena_take(a, n, 1);

    if (!p)
        return -1;
    memcpy(p, t->before.p, t->before.n);
    memcpy(p + t->before.n, label.p, label.n);
    memcpy(p + t->before.n + label.n, t->after.p, t->after.n);
    *out = span_bytes(p, n);
    return 0;
}
