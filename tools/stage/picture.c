#include "tools/stage/picture.h"

#include <string.h>
#include <sys/stat.h>

#include "formats/image/image_read.h"
#include "formats/image/record_image.h"
#include "formats/record/params.h"
#include "lib/image/prep.h"
#include "tools/stage/named_picture.h"

int picture_field(struct picture *p, const struct record *r, const char *key, struct arena *a, struct err *e) {
    struct record_image im;
    struct tensor t;
    int got = record_image(r, key, &im, a, e);

    *p = (struct picture){.rgb = im.rgb, .h = im.h, .w = im.w};
    if (got <= 0 || record_tensor(r, key, &t, e) <= 0 || t.dtype == DT_U8)
        return got;
    return record_picture(r, key, &p->planes, &p->h, &p->w, a, e);
}

int picture_file(struct picture *p, const struct record *r, bool exif, struct arena a, struct err *e) {
    const struct image_options o = {.exif = exif};
    struct span name = r->id, overlay;
    struct stat st;
    const char *file;

    if (record_str(r, "path", &name, e) < 0)
        return -1;
    if (params_get(r, "clip-embed", "overlay", &overlay))
        return err_set(e, "no image, and its file lacks the text of --overlay: clip-embed --keep-image stores the picture");
    if (record_has(r, "archive"))
        return err_set(e, "%s", named_in_archive);
    if (memchr(name.p, 0, name.n))
        return err_set(e, "no image, and the id is not a file name");
    file = arena_str(&a, name.p, name.n);
    if (!file)
        return err_set(e, "out of memory");
    if (!strcmp(file, "-") || (stat(file, &st) == 0 && !S_ISREG(st.st_mode)))    /* standard input may be the stream itself */
        return err_set(e, "'%.200s' is not a file", file);
    *p = (struct picture){0};
    if (image_file_open(&p->file, file, &o, e) < 0)
        return -1;
    p->rgb = p->file.rgb, p->h = p->file.h, p->w = p->file.w;
    return 0;
}

void picture_free(struct picture *p) {
    image_free(&p->file);
}

int picture_square(const struct picture *p, size_t side, float *out, struct arena a, struct err *e) {
    const struct prep to = {.size = side, .crop = side, .resize = RESIZE_SHORTEST, .rule = CROP_TORCHVISION,
                            .filter = FILTER_BICUBIC};
    unsigned char *crop = arena_take(&a, side * side, 3);

    if (!crop)
        return err_set(e, "out of memory");
    if (p->planes && p->h == side && p->w == side) {
        memcpy(out, p->planes, 3 * side * side * sizeof *out);
        return 0;
    }
    if (prep_crop(&to, p->rgb, p->h, p->w, crop, a, e) < 0)
        return -1;
    prep_widen(crop, side, side, out);
    return 0;
}
