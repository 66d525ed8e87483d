/* read_image - prints what image_read.h makes of picture files, a line for each
 *
 * usage: read_image [-x] [-p PIXELS] file ...      -x: turn pictures by EXIF; -p: as --max-pixels
 *
 * A line has the format, WIDTHxHEIGHT and the CRC-32 of the RGB bytes, or else "error:" and the reason, and then the
 * file's name.  The status is 1 if a file failed.  tests/stress/pictures.sh runs this program over broken files. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "formats/image/image_read.h"

struct sum {
    size_t h, w;
    unsigned long crc;
};

static int begin(void *of, size_t h, size_t w, struct err *e) {
    (void)e;
    *(struct sum *)of = (struct sum){h, w, crc32(0, NULL, 0)};
    return 0;
}

static void row(void *of, const unsigned char *rgb) {
    struct sum *s = of;

    s->crc = crc32_z(s->crc, rgb, s->w * 3);
}

static int one(const char *name, const struct image_options *o) {
    struct err e = {0};
    struct sum s = {0};
    const struct image_rows to = {begin, row, &s};
    struct image im;
    unsigned char *p;
    size_t n;
    int r = image_file_read(name, &p, &n, &e);

    if (r == 0) {
        r = image_read_rows(&im, p, n, o, &to, &e);
        image_file_free(p);
    }
    if (r == 0)
        printf("%s %zux%zu %08lx %s\n", im.format, s.w, s.h, s.crc, name);
    else
        printf("error: %s %s\n", e.msg, name);
    return r < 0;
}

int main(int argc, char **argv) {
    struct image_options o = {0};
    int c, status = 0;

    while ((c = getopt(argc, argv, "xp:")) != -1)
        if (c == 'x')
            o.exif = true;
        else if (c == 'p')
            o.max_pixels = strtoull(optarg, NULL, 10);
        else
            return 2;
    for (; optind < argc; optind++)
        status |= one(argv[optind], &o);
    return status;
}
