#include "formats/image/image_write.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/image/image_encode.h"
#include "formats/image/image_read.h"
#include "formats/record/json_record.h"

int image_kind_of(const char *name, enum image_kind *k) {
    static const struct {
        const char *ext;
        enum image_kind kind;
    } known[] = {{"png", IMAGE_PNG}, {"jpg", IMAGE_JPEG}, {"jpeg", IMAGE_JPEG}, {"ppm", IMAGE_PPM}, {"svg", IMAGE_SVG}};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++) {
        size_t n = 0;

        while (dot[1 + n] && tolower((unsigned char)dot[1 + n]) == known[i].ext[n])
            n++;
        if (!dot[1 + n] && !known[i].ext[n]) {
            *k = known[i].kind;
            return 1;
        }
    }
    return 0;
}

static int ppm_write(struct mp *out, const struct record_image *im) {
    char head[64];
    int n = snprintf(head, sizeof head, "P6\n%zu %zu\n255\n", im->w, im->h);

    mp_raw(out, span_bytes(head, (size_t)n));
    mp_raw(out, span_bytes(im->rgb, im->w * im->h * 3));
    return 0;
}

int image_write(struct mp *out, enum image_kind k, const struct record_image *im, const struct image_about *about,
                struct arena scratch, struct err *e) {
    int r = k == IMAGE_PNG ? png_write(out, im, about, scratch, e)
            : k == IMAGE_JPEG ? jpeg_write(out, im, about, e) : ppm_write(out, im);

    if (r == 0 && out->full)
        return err_set(e, "no memory for %zu x %zu pixels", im->w, im->h);
    return r;
}

int image_params(struct mp *out, const struct record *r, struct arena scratch, struct err *e) {
    struct record some = *r;
    size_t before = out->n;

    some.field = arena_take(&scratch, r->nfield, sizeof *some.field);
    if (!some.field)
        return err_set(e, "out of memory");
    some.nfield = 0;
    some.a = &scratch;
    for (size_t i = 0; i < r->nfield; i++) {
        struct tensor t;

        if (r->field[i].val.n <= IMAGE_FIELD_MAX && !span_is(r->field[i].key, "svg") && record_tensor_of(r->field[i].val, "", &t, NULL) != 1)
            some.field[some.nfield++] = r->field[i];
    }
    if (json_write(out, &some, 0, scratch, e) < 0)
        return -1;
    if (out->n > IMAGE_PARAMS_MAX)
        out->n = before;
    return 0;
}

int image_params_lines(struct mp *out, struct span text, struct arena a, struct arena scratch, struct err *e) {
    for (size_t n; text.n; text.p += n, text.n -= n) {
        const unsigned char *end = memchr(text.p, '\n', text.n);
        struct arena one = a;
        struct record r;

        n = end ? (size_t)(end + 1 - text.p) : text.n;
        if (json_read(&r, (const char *)text.p, n, &one, scratch, e) < 0 || json_write(out, &r, 0, one, e) < 0)
            return -1;
    }
    return 0;
}

int image_params_file(struct mp *out, const char *name, struct arena a, struct arena scratch, struct err *e) {
    struct span text = {NULL, 0};
    unsigned char *p;
    size_t n;
    int got;

    if (image_file_read(name, &p, &n, e) < 0)
        return -1;
    got = image_params_find(p, n, &text, &a, e);
    if (got == 0)
        err_set(e, "no parameters of unclip in it");
    got = got > 0 ? image_params_lines(out, text, a, scratch, e) : -1;
    image_file_free(p);
    return got;
}

/* Reads the file and returns whether it is a picture.  If it is, the caller frees *p. */
static bool read_picture(const char *name, unsigned char **p, size_t *n) {
    struct stat st;
    struct err e = {0};

    if (stat(name, &st) < 0 || !S_ISREG(st.st_mode) || image_file_read(name, p, n, &e) < 0)
        return false;
    if (image_format(*p, *n))
        return true;
    image_file_free(*p);
    return false;
}

bool image_is_picture(const char *name) {
    unsigned char *p;
    size_t n;
    bool is = read_picture(name, &p, &n);

    if (is)
        image_file_free(p);
    return is;
}

bool image_is_foreign(const char *name, struct arena a) {
    struct err e = {0};
    struct span text;
    unsigned char *p;
    size_t n;
    bool foreign;

    if (!read_picture(name, &p, &n))
        return false;
    foreign = image_params_find(p, n, &text, &a, &e) <= 0;
    image_file_free(p);
    return foreign;
}
