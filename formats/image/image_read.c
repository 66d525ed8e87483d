/* allocates: the pixels of a picture, and a file that comes by a pipe */
#include "formats/image/image_read.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/image/image_codec.h"
#include "formats/io/lfs_pointer.h"
#include "formats/io/read_all.h"
#include "formats/record/record.h"

/* ---- recognising the format ---- */

static const struct image_codec *codec_of(const unsigned char *p, size_t n) {
    for (size_t i = 0; image_codecs[i]; i++)
        if (image_codecs[i]->probe(p, n))
            return image_codecs[i];
    return NULL;
}

const char *image_format(const unsigned char *p, size_t n) {
    const struct image_codec *c = codec_of(p, n);

    return c ? c->name : NULL;
}

const char *image_unsupported(const unsigned char *p, size_t n) {
    if (IMAGE_MAGIC(p, n, 0, "\xff\x0a") || IMAGE_MAGIC(p, n, 0, "\0\0\0\x0cJXL "))
        return "JPEG XL files are not supported";
    if (IMAGE_MAGIC(p, n, 0, "\0\0\0\x0cjP  ") || IMAGE_MAGIC(p, n, 0, "\xff\x4f\xff\x51"))
        return "JPEG 2000 files are not supported";
    return NULL;
}

/* Returns a message that says why no codec reads these bytes. */
static const char *stranger(const unsigned char *p, size_t n) {
    if (!n)
        return "empty file";
    if (image_unsupported(p, n))
        return image_unsupported(p, n);
    if (IMAGE_MAGIC(p, n, 0, "%PDF"))
        return "PDF files are not supported";
    if (IMAGE_MAGIC(p, n, 0, RECORD_START))
        return "a stream of records, not a picture: give it on standard input";
    if (IMAGE_MAGIC(p, n, 0, "<!DOCTYPE") || IMAGE_MAGIC(p, n, 0, "<!doctype") || IMAGE_MAGIC(p, n, 0, "<html"))
        return "an HTML page, not a picture: the download went wrong";
    if (lfs_pointer(p, n))
        return lfs_pointer(p, n);
    return "not a picture in a known format";
}

bool image_name(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".avif", ".tif", ".tiff",
                                          ".bmp", ".tga", ".psd", ".ppm", ".pgm", ".pbm", ".pnm"};
    const char *dot = strrchr(name, '.');
    char low[8] = "";

    if (!dot || strlen(dot) >= sizeof low)
        return false;
    for (size_t i = 0; dot[i]; i++)
        low[i] = dot[i] >= 'A' && dot[i] <= 'Z' ? (char)(dot[i] - 'A' + 'a') : dot[i];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (!strcmp(low, endings[i]))
            return true;
    return false;
}

/* ---- reading ---- */

/* Receives the rows of a picture into im->rgb.  y is the number of the next row. */
struct whole {
    struct image *im;
    size_t y;
};

static int whole_begin(void *of, size_t h, size_t w, struct err *e) {
    struct whole *to = of;

    if (w > SIZE_MAX / 3 / h || !(to->im->rgb = malloc(h * w * 3)))
        return err_set(e, "no memory for %zu x %zu pixels", w, h);
    return 0;
}

static void whole_row(void *of, const unsigned char *rgb) {
    struct whole *to = of;

    memcpy(to->im->rgb + to->y++ * to->im->w * 3, rgb, to->im->w * 3);
}

void image_free(struct image *im) {
    free(im->rgb);
    im->rgb = NULL;
}

static const struct image_codec *identify(struct image *im, const unsigned char *p, size_t n, struct err *e) {
    const struct image_codec *c = codec_of(p, n);

    *im = (struct image){.orientation = 1};
    if (!c)
        return err_set(e, "%s", stranger(p, n)), NULL;
    im->format = c->name;
    if (c->orientation)
        im->orientation = c->orientation(p, n);
    if (im->orientation < 1)
        im->orientation = 1;
    return c;
}

static int read_whole(const struct image_codec *c, struct image *im, const unsigned char *p, size_t n,
                      const struct image_options *o, struct err *e) {
    struct whole to = {im, 0};

    if (c->read(im, p, n, o, &(struct image_rows){whole_begin, whole_row, &to}, e) < 0 ||
        (o->exif && image_turn(im, im->orientation, e) < 0)) {
        image_free(im);
        return -1;
    }
    if (o->alpha && !c->alpha)
        memset(im->rgb, 255, im->w * im->h * 3);
    return 0;
}

int image_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o, struct err *e) {
    const struct image_codec *c = identify(im, p, n, e);

    return c ? read_whole(c, im, p, n, o, e) : -1;
}

int image_read_rows(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *rows, struct err *e) {
    const struct image_codec *c = identify(im, p, n, e);
    int r;

    if (!c)
        return -1;
    if ((!o->exif || im->orientation < 2) && (!o->alpha || c->alpha))
        return c->read(im, p, n, o, rows, e);
    if (read_whole(c, im, p, n, o, e) < 0)
        return -1;
    r = rows->begin(rows->of, im->h, im->w, e);
    if (r == 0)
        image_give(im, im->rgb, im->w * 3, rows);
    image_free(im);
    return r;
}

int image_turn(struct image *im, int orientation, struct err *e) {
    bool swap = orientation >= 5, down, right;
    size_t w = swap ? im->h : im->w, h = swap ? im->w : im->h;
    unsigned char *out, *to;

    if (orientation < 2 || orientation > 8)
        return 0;
    to = out = malloc(w * h * 3);
    if (!out)
        return err_set(e, "no memory to turn %zu x %zu pixels", w, h);
    /* right: the output's columns run against the source's; down: the output's rows do */
    right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++, to += 3) {
            size_t u = right ? w - 1 - x : x, v = down ? h - 1 - y : y;

            memcpy(to, im->rgb + (swap ? u * im->w + v : v * im->w + u) * 3, 3);
        }
    free(im->rgb);
    im->rgb = out;
    im->w = w;
    im->h = h;
    return 0;
}

void image_alpha(unsigned char *rgba, size_t n) {
    for (size_t i = 0; i < n; i++)
        memset(rgba + 3 * i, rgba[4 * i + 3], 3);
}

/* ---- files ---- */

static const char *kind(mode_t m) {
    return S_ISDIR(m) ? "Is a directory (DIR/* names the files in it)" : S_ISFIFO(m) ? "is a FIFO, not a regular file" :
           S_ISSOCK(m) ? "is a socket, not a regular file" : "is a device, not a regular file";
}

static int read_whole_file(int fd, unsigned char *p, size_t n, struct err *e) {
    ssize_t got = read_all(fd, p, n);

    return got < 0 ? err_set(e, "%s", strerror(errno)) : (size_t)got < n ? err_set(e, "became shorter while it was read") : 0;
}

bool image_file_is_pipe(const char *name, mode_t m) {
    return S_ISFIFO(m) && (!strcmp(name, "-") || !strncmp(name, "/dev/fd/", 8) || !strncmp(name, "/proc/self/fd/", 14));
}

/* Reads a pipe to its end, into a buffer that is doubled when it is full. */
static int read_pipe(int fd, unsigned char **p, size_t *n, struct err *e) {
    size_t room = (size_t)1 << 20;
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    *p = NULL, *n = 0;
    for (;;) {
        unsigned char *longer = *p && *n < room ? *p : realloc(*p, *p ? room *= 2 : room);
        ssize_t got;

        if (!longer)
            return err_set(e, "no memory for %zu bytes", room);
        *p = longer;
        if (poll(&wait, 1, -1) < 0)    /* EINTR: a signal asks the program to stop */
            return err_set(e, "%s", strerror(errno));
        got = read(fd, *p + *n, room - *n);
        if (got == 0)
            return *n ? 0 : err_set(e, "nothing came through the pipe");
        if (got < 0 && errno != EAGAIN)
            return err_set(e, "%s", strerror(errno));
        *n += got > 0 ? (size_t)got : 0;
        if (*n > IMAGE_MAX_BYTES)
            return err_set(e, "more than %llu bytes", (unsigned long long)IMAGE_MAX_BYTES);
    }
}

int image_file_read(const char *name, unsigned char **p, size_t *n, struct err *e) {
    /* O_NONBLOCK: a FIFO without a writer must not stop the program; for other files the flag does nothing */
    int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : dup(0), r = -1;
    struct stat s;

    *p = NULL;
    if (fd < 0)
        return err_set(e, "%s", strerror(errno));
    if (fstat(fd, &s) < 0)
        err_set(e, "%s", strerror(errno));
    else if (image_file_is_pipe(name, s.st_mode))
        r = read_pipe(fd, p, n, e);
    else if (!S_ISREG(s.st_mode))
        err_set(e, "%s", kind(s.st_mode));
    else if ((uint64_t)s.st_size > IMAGE_MAX_BYTES)
        err_set(e, "%lld bytes, the limit is %llu", (long long)s.st_size,
                (unsigned long long)IMAGE_MAX_BYTES);
    else if (!(*p = malloc((size_t)s.st_size + 1)))
        err_set(e, "no memory for %lld bytes", (long long)s.st_size);
    else
        r = read_whole_file(fd, *p, *n = (size_t)s.st_size, e);
    close(fd);
    if (r < 0)
        image_file_free(*p), *p = NULL;
    return r;
}

int image_file_open(struct image *im, const char *name, const struct image_options *o, struct err *e) {
    unsigned char *p;
    size_t n;
    int r;

    if (image_file_read(name, &p, &n, e) < 0)
        return -1;
    r = image_read(im, p, n, o, e);
    image_file_free(p);
    return r;
}

unsigned char *image_file_copy(const unsigned char *p, size_t n) {
    unsigned char *copy = malloc(n + !n);

    if (copy)
        memcpy(copy, p, n);
    return copy;
}

void image_file_free(unsigned char *p) {
    free(p);
}
