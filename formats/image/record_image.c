#include "formats/image/record_image.h"

#include <math.h>

#include "formats/image/image_read.h"
#include "lib/image/prep.h"

static int quantize(const struct tensor *t, size_t n, struct record_image *im, struct arena *a) {
    unsigned char *rgb = arena_take(a, n, 1);
    struct arena scratch = *a;
    float *f = arena_take(&scratch, n, sizeof *f);

    if (!rgb || !f)
        return -1;
    tensor_f32(t, 0, n, f);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(f[i]))
            return 1;
    prep_quantize(f, im->h, im->w, rgb);
    im->rgb = rgb;
    return 0;
}

int record_image(const struct record *r, const char *key, struct record_image *im, struct arena *a,
                 struct err *e) {
    struct tensor t;
    bool bytes;
    size_t n;
    int got = record_tensor(r, key, &t, e);

    if (got <= 0)
        return got;
    bytes = t.dtype == DT_U8;
    if (t.nd != 3 || t.shape[bytes ? 2 : 0] != 3 ||
        (!bytes && t.dtype != DT_F32 && t.dtype != DT_F16))
        return err_set(e, "%s: neither u8 [H, W, 3] nor f32 [3, H, W]", key);
    im->h = t.shape[bytes ? 0 : 1];
    im->w = t.shape[bytes ? 1 : 2];
    if (!im->h || !im->w || tensor_count(&t, &n) < 0 || n / 3 > IMAGE_MAX_PIXELS)
        return err_set(e, "%s: %zu x %zu pixels", key, im->w, im->h);
    if (bytes) {
        im->rgb = t.data;
        return 1;
    }
    got = quantize(&t, n, im, a);
    if (got)
        return err_set(e, got < 0 ? "%s: no memory for it" : "%s: not finite", key);
    return 1;
}

int record_picture(const struct record *r, const char *key, const float **x, size_t *h, size_t *w, struct arena *a,
                   struct err *e) {
    struct record_image im;
    struct tensor t;
    int got = record_image(r, key, &im, a, e);
    float *f;

    if (got <= 0 || record_tensor(r, key, &t, e) <= 0)
        return got;
    f = arena_take(a, 3 * im.h * im.w, sizeof *f);
    if (!f)
        return err_set(e, "%s: no memory for it", key);
    if (t.dtype == DT_U8)
        prep_widen(im.rgb, im.h, im.w, f);
    else
        tensor_f32(&t, 0, 3 * im.h * im.w, f);
    *x = f;
    *h = im.h;
    *w = im.w;
    return 1;
}

int record_set_picture(struct record *r, const float *x, size_t h, size_t w, bool u8, struct arena *a, struct err *e) {
    const size_t planes[] = {3, h, w}, pixels[] = {h, w, 3};
    unsigned char *rgb;

    if (!u8)
        return record_set_tensor(r, "image", DT_F32, x, 3, planes, e);
    rgb = arena_take(a, 3 * h * w, 1);
    if (!rgb)
        return err_set(e, "out of memory");
    prep_quantize(x, h, w, rgb);
    return record_set_tensor(r, "image", DT_U8, rgb, 3, pixels, e);
}
