#include "tools/stage/inpainting.h"

#include <stdlib.h>
#include <string.h>

#include "formats/image/image_read.h"
#include "formats/image/record_image.h"
#include "lib/base/size.h"
#include "lib/image/prep.h"

/* ---- options ---- */

/* Parses "X,Y,WIDTH,HEIGHT" into *b. */
static int parse_box(const char *text, struct mask_box *b, struct err *e) {
    size_t *const to[] = {&b->x, &b->y, &b->w, &b->h};
    const char *at = text;
    char *end;

    for (int i = 0; i < 4; i++, at = end + 1) {
        unsigned long v = strtoul(at, &end, 10);

        if (*at < '0' || *at > '9' || *end != (i < 3 ? ',' : 0) || v > UINT32_MAX)
            return err_set(e, "--erase: '%s' is not X,Y,WIDTH,HEIGHT in pixels", text);
        *to[i] = v;
    }
    return b->w && b->h ? 0 : err_set(e, "--erase: '%s' is an empty box", text);
}

/* Decodes the n bytes of a picture file into *p, in memory from the arena a. */
static int decode(const unsigned char *file, size_t n, struct image_options o, struct picture *p, struct arena *a,
                  struct err *e) {
    struct image im;
    unsigned char *rgb;

    if (image_read(&im, file, n, &o, e) < 0)
        return -1;
    rgb = arena_take(a, im.h * im.w, 3);
    if (rgb)
        memcpy(rgb, im.rgb, im.h * im.w * 3);
    *p = (struct picture){.rgb = rgb, .h = im.h, .w = im.w};
    image_free(&im);
    return rgb ? 0 : err_set(e, "out of memory");
}

/* Reads the mask in the n bytes of a picture file into p->known.  Transparent pixels are to be painted.  If the whole
 * picture is opaque, white pixels are to be painted instead. */
static int decode_mask(struct inpainting *p, const unsigned char *file, size_t n, struct arena *keep, struct err *e) {
    struct image_options o = {.exif = p->exif, .alpha = true};
    struct picture pic;

    if (decode(file, n, o, &pic, keep, e) < 0)
        return -1;
    p->h = pic.h, p->w = pic.w;
    p->known = arena_take(keep, p->h * p->w, 1);
    if (!p->known)
        return err_set(e, "out of memory");
    if (mask_of_alpha(pic.rgb, p->h * p->w, p->known))
        return 0;
    o.alpha = false;
    if (decode(file, n, o, &pic, keep, e) < 0)
        return -1;
    mask_of_white(pic.rgb, p->h * p->w, p->known);
    return 0;
}

/* Reads the file `name`: the mask of --mask if `mask` is true, or else the picture of --source. */
static int read_option(struct inpainting *p, const char *name, bool mask, struct arena *keep, struct err *e) {
    const struct image_options o = {.exif = p->exif};
    struct err why = {0};
    unsigned char *file;
    size_t n;
    int got = image_file_read(name, &file, &n, &why);

    if (got == 0) {
        got = mask ? decode_mask(p, file, n, keep, &why) : decode(file, n, o, &p->picture, keep, &why);
        image_file_free(file);
    }
    return got < 0 ? err_set(e, "%s: %s", name, why.msg) : 0;
}

int inpainting_open(struct inpainting *p, const char *const *erase, size_t n, struct arena *keep, struct err *e) {
    for (size_t i = 0; i < n && p->boxes < INPAINTING_BOXES; i++)
        if (parse_box(erase[i], &p->box[p->boxes++], e) < 0)
            return -1;
    if (p->source && read_option(p, p->source, false, keep, e) < 0)
        return -1;
    return p->mask ? read_option(p, p->mask, true, keep, e) : 0;
}

static bool by_option(const struct inpainting *p) {
    return p->mask || p->boxes;
}

bool inpainting_asked(const struct inpainting *p, const struct record *r) {
    return by_option(p) || record_has(r, "mask");
}

void inpainting_params(const struct inpainting *p, struct mp *m) {
    if (p->mask || !p->boxes) {
        mp_cstr(m, "mask");
        p->mask ? mp_cstr(m, p->mask) : mp_bool(m, true);
    }
    if (p->boxes) {
        mp_cstr(m, "erase"), mp_array(m, p->boxes);
        for (size_t i = 0; i < p->boxes; i++) {
            const struct mask_box *b = &p->box[i];

            mp_array(m, 4);
            mp_int(m, (int64_t)b->x), mp_int(m, (int64_t)b->y), mp_int(m, (int64_t)b->w), mp_int(m, (int64_t)b->h);
        }
    }
    if (p->source)
        mp_cstr(m, "source"), mp_cstr(m, p->source);
    if (p->exif)
        mp_cstr(m, "exif"), mp_bool(m, true);
}

/* ---- the mask of a record ---- */

static int record_mask(const struct record *r, const unsigned char **mask, size_t *h, size_t *w, struct err *e) {
    struct tensor t;
    int got = record_tensor(r, "mask", &t, e);
    const unsigned char *p = t.data;

    if (got <= 0)
        return got;
    if (t.nd != 2 || t.dtype != DT_U8)
        return err_set(e, "mask: not u8 [H, W]");
    for (size_t i = 0; i < t.shape[0] * t.shape[1]; i++)
        if (p[i] > 1)
            return err_set(e, "mask: an element is neither 0 nor 1");
    *mask = p, *h = t.shape[0], *w = t.shape[1];
    return 1;
}

/* Makes the mask of the picture, of the same size, in `out`: from --mask and --erase, or from the record's field. */
static int mask_of(const struct inpainting *p, const struct record *r, const struct picture *pic, unsigned char *out,
                   struct err *e) {
    const unsigned char *mask = p->known;
    size_t h = p->h, w = p->w;

    memset(out, 1, pic->h * pic->w);
    if (!by_option(p) && record_mask(r, &mask, &h, &w, e) < 0)
        return -1;
    if (mask && (h != pic->h || w != pic->w))
        return err_set(e, "%s: %zu x %zu pixels, the picture has %zu x %zu", p->mask ? p->mask : "mask", w, h, pic->w,
                       pic->h);
    if (mask)
        memcpy(out, mask, h * w);
    for (size_t i = 0; i < p->boxes; i++)
        if (!mask_erase(out, pic->h, pic->w, &p->box[i]))
            return err_set(e, "--erase %zu,%zu,%zu,%zu: outside the picture, which has %zu x %zu pixels", p->box[i].x,
                           p->box[i].y, p->box[i].w, p->box[i].h, pic->w, pic->h);
    return 0;
}

/* ---- squares ---- */

static void clamp(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] < -1 ? -1 : x[i] > 1 ? 1 : x[i];
}

/* Cuts the central square out of the picture, and out of the picture's mask.  A square that is too large is reduced. */
static int cut_square(const struct picture *p, const unsigned char *mask, struct picture *to, unsigned char **square,
                      struct arena *a, struct err *e) {
    const size_t q = size_min(p->h, p->w), side = size_min(q, INPAINTING_SIDE);
    const struct prep cut = {.crop = q, .rule = CROP_TORCHVISION};
    const struct prep reduce = {.size = side, .crop = side, .resize = RESIZE_SQUASH, .filter = FILTER_BICUBIC};
    const struct prep_place at = prep_where(&cut, p->h, p->w);
    unsigned char *out = arena_take(a, side * side, 3), *rgb, *known;
    struct arena s;

    *square = arena_take(a, side * side, 1);
    s = *a;
    rgb = arena_take(&s, q * q, 3), known = arena_take(&s, q * q, 1);
    if (!out || !*square || !rgb || !known)
        return err_set(e, "out of memory");
    for (size_t y = 0; y < q; y++) {
        const size_t from = (at.cut_y + y) * p->w + at.cut_x;

        memcpy(rgb + y * q * 3, p->rgb + from * 3, q * 3);
        memcpy(known + y * q, mask + from, q);
    }
    mask_fit(known, q, side, *square);
    *to = (struct picture){.rgb = out, .h = side, .w = side};
    if (p->h == side && p->w == side)
        to->planes = p->planes;
    return prep_crop(&reduce, rgb, q, q, out, s, e);
}

/* Resizes a square picture and its mask to the side s, and writes both into *to as the samplers take them. */
static int fit(const struct picture *p, const unsigned char *mask, size_t s, struct inpaint *to, struct arena *a,
               struct err *e) {
    float *source = arena_take(a, 3 * s * s, sizeof *source), *known = arena_take(a, s * s, sizeof *known);
    struct arena scratch = *a;
    unsigned char *bytes = arena_take(&scratch, s * s, 1);

    if (!source || !known || !bytes)
        return err_set(e, "out of memory");
    if (picture_square(p, s, source, scratch, e) < 0)
        return -1;
    clamp(source, 3 * s * s);
    mask_fit(mask, p->h, s, bytes);
    for (size_t i = 0; i < s * s; i++)
        known[i] = bytes[i];
    *to = (struct inpaint){source, known};
    return 0;
}

/* Gives each unknown pixel of the square picture p the colour of a known pixel near it, or black if no pixel is
 * known. */
static int fill(struct picture *p, const unsigned char *mask, struct arena *a, struct err *e) {
    const size_t n = p->h * p->w;
    unsigned char *rgb = arena_take(a, n, 3);
    float *planes = p->planes ? arena_take(a, 3 * n, sizeof *planes) : NULL;
    struct arena s = *a;
    uint32_t *from = arena_take(&s, n, sizeof *from);
    bool any;

    if (!rgb || (p->planes && !planes) || !from)
        return err_set(e, "out of memory");
    any = mask_nearest(mask, p->h, p->w, from);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            rgb[3 * i + c] = any ? p->rgb[3 * from[i] + c] : 0;
            if (planes)
                planes[c * n + i] = any ? p->planes[c * n + from[i]] : -1;
        }
    p->rgb = rgb, p->planes = planes;
    return 0;
}

/* ---- decode64 ---- */

/* Finds the picture that is to be inpainted. */
static int picture_of(const struct inpainting *p, const struct record *r, struct picture *pic, struct arena *a,
                      struct err *e) {
    struct err why = {0};
    int got = 0;

    *pic = p->picture;
    if (p->source)
        return 0;
    if (!by_option(p))
        got = picture_field(pic, r, "source", a, e);
    if (!got)
        got = picture_field(pic, r, "image", a, e);
    if (!got && picture_file(pic, r, p->exif, *a, &why) < 0)
        return err_set(e, "no picture to inpaint: %s%s",
                       strncmp(why.msg, "no image", 8) ? "no field image, and the file of the path or id: " : "", why.msg);
    return got < 0 ? -1 : 0;
}

int inpainting_known(const struct inpainting *p, const struct record *r, size_t side, struct known *k, struct arena *a,
                     struct err *e) {
    struct picture pic, square;
    unsigned char *mask = NULL, *all;
    int got;

    if (picture_of(p, r, &pic, a, e) < 0)
        return -1;
    all = arena_take(a, pic.h * pic.w, 1);
    got = !all ? err_set(e, "out of memory") : mask_of(p, r, &pic, all, e);
    if (got == 0)
        got = cut_square(&pic, all, &square, &mask, a, e);
    picture_free(&pic);
    if (got < 0 || fit(&square, mask, side, &k->at, a, e) < 0 || fill(&square, mask, a, e) < 0)
        return -1;
    k->side = square.h, k->mask = mask, k->rgb = square.rgb, k->planes = square.planes;
    return 0;
}

int inpainting_set(struct record *r, const struct known *k, struct err *e) {
    const size_t n = k->side, mask[] = {n, n}, pixels[] = {n, n, 3}, planes[] = {3, n, n};

    if ((k->planes ? record_set_tensor(r, "source", DT_F32, k->planes, 3, planes, e)
                   : record_set_tensor(r, "source", DT_U8, k->rgb, 3, pixels, e)) < 0)
        return -1;
    return record_set_tensor(r, "mask", DT_U8, k->mask, 2, mask, e);
}

/* ---- upsample ---- */

int inpainting_larger(const struct record *r, size_t in, size_t out, struct inpaint *known, struct arena *a,
                      struct err *e) {
    const unsigned char *mask;
    struct picture p;
    size_t h, w;
    int got = record_has(r, "source") ? record_mask(r, &mask, &h, &w, e) : 0;

    if (got <= 0 || (got = picture_field(&p, r, "source", a, e)) <= 0)
        return got;
    if (p.h != p.w || h != p.h || w != p.w)
        return err_set(e, "mask: %zu x %zu pixels, source: %zu x %zu; equal squares are wanted", w, h, p.w, p.h);
    if (p.h <= in)
        return 0;
    return fit(&p, mask, out, known, a, e) < 0 ? -1 : 1;
}
