#include "tools/stage/named_picture.h"

#include <string.h>

#include "formats/image/image_read.h"
#include "formats/io/pathname.h"
#include "lib/image/resize.h"

const char named_in_archive[] = "no image, and the picture is in an archive: clip-embed --keep-image=SIDE stores it";

const char *named_file(const struct record *r, struct arena *a) {
    struct span name;

    if (record_has(r, "archive"))
        return NULL;
    if (record_str(r, "path", &name, NULL) <= 0)
        name = r->id;
    return name.n && !memchr(name.p, 0, name.n) ? arena_str(a, name.p, name.n) : NULL;
}

int picture_scale(struct record_image *im, size_t side, struct arena *a, struct err *e) {
    const size_t longer = im->h > im->w ? im->h : im->w;
    struct resize_window all;
    struct resize plan;
    unsigned char *rgb;

    if (!side || longer == side)
        return 0;
    all = (struct resize_window){0, 0, im->h * side / longer, im->w * side / longer};
    all.h += !all.h, all.w += !all.w;
    if (!(rgb = arena_take(a, all.h * all.w, 3)))
        return err_set(e, "out of memory");
    struct arena scratch = *a;
    if (resize_plan(&plan, FILTER_BICUBIC, im->h, im->w, all.h, all.w, &all, resize_kernel_best(), &scratch, e) < 0)
        return -1;
    resize_run(&plan, im->rgb, rgb, all.w * 3);
    *im = (struct record_image){rgb, all.h, all.w};
    return 0;
}

int picture_reduce(struct record_image *im, size_t longest, struct arena *a, struct err *e) {
    return im->h > longest || im->w > longest ? picture_scale(im, longest, a, e) : 0;
}

/* Sets *im to the pixels of f, reduced to `longest` and copied into the arena.  Returns 1, or -1 for an error. */
static int take(const struct image *f, size_t longest, struct record_image *im, struct arena *a, struct err *e) {
    unsigned char *rgb;

    *im = (struct record_image){f->rgb, f->h, f->w};
    if (picture_reduce(im, longest, a, e) < 0)
        return -1;
    if (im->rgb != f->rgb)
        return 1;
    if (!(rgb = arena_take(a, f->h * f->w, 3)))
        return err_set(e, "out of memory");
    memcpy(rgb, f->rgb, f->h * f->w * 3);
    im->rgb = rgb;
    return 1;
}

int named_picture(const struct record *r, size_t longest, struct record_image *im, struct arena *a, struct err *e) {
    const struct image_options upright = {.exif = true};
    const int got = record_image(r, "image", im, a, e);
    const char *file = got ? NULL : named_file(r, a);
    struct err why = {0};
    struct image f;
    int taken;

    if (!got && record_has(r, "archive"))
        return err_set(e, "%s", named_in_archive);
    if (got || !path_is_file(file))
        return got;
    if (image_file_open(&f, file, &upright, &why) < 0)
        return err_at(e, file, &why);
    taken = take(&f, longest, im, a, e);
    image_free(&f);
    return taken;
}
