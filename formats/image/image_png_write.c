/* Writes PNG files: a signature, then chunks of length, type, data and CRC-32. */
#define ZLIB_CONST
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "formats/image/image_encode.h"

enum { LEVEL = 6, FILTERS = 5, IDAT = 1 << 16 };

/* Allocates memory for zlib in the arena.  zlib takes all its memory in deflateInit, so `leave` need not free it. */
static voidpf take(voidpf a, uInt n, uInt size) {
    return arena_zero(a, n, size);
}

static void leave(voidpf a, voidpf p) {
    (void)a, (void)p;
}

static void put32(unsigned char *p, uLong v) {
    p[0] = (unsigned char)(v >> 24), p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8), p[3] = (unsigned char)v;
}

/* Appends a chunk, whose data is head followed by body. */
static void chunk(struct mp *out, const char *type, struct span head, struct span body) {
    unsigned char word[8];
    uLong crc;

    put32(word, head.n + body.n);
    memcpy(word + 4, type, 4);
    crc = crc32_z(0, word + 4, 4);
    if (head.n)    /* for a NULL pointer crc32_z returns its start value */
        crc = crc32_z(crc, head.p, head.n);
    if (body.n)
        crc = crc32_z(crc, body.p, body.n);
    mp_raw(out, span_bytes(word, 8));
    mp_raw(out, head);
    mp_raw(out, body);
    put32(word, crc);
    mp_raw(out, span_bytes(word, 4));
}

/* ---- texts ---- */

/* Appends an iTXt chunk with the keyword and the value, which is not compressed, and without a language and a
 * translated keyword.  Appends nothing if the value is empty, is not UTF-8 or contains a NUL. */
static void text(struct mp *out, const char *key, struct span value) {
    unsigned char head[64] = {0};
    size_t n = strlen(key);

    memcpy(head, key, n);
    if (value.n && utf8_valid(value.p, value.n) && !memchr(value.p, 0, value.n))
        chunk(out, "iTXt", span_bytes(head, n + 5), value);
}

/* ---- pixels ---- */

static unsigned char paeth(int a, int b, int c) {
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);

    return (unsigned char)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Writes the filter type f and the n filtered bytes of the row to out [1 + n].  Returns the sum of the absolute values
 * of the filtered bytes, each of which is read as a signed byte. */
static size_t filter(int f, const unsigned char *row, const unsigned char *up, size_t n, unsigned char *out) {
    size_t sum = 0;

    out[0] = (unsigned char)f;
    for (size_t i = 0; i < n; i++) {
        int a = i < 3 ? 0 : row[i - 3], b = up[i], c = i < 3 ? 0 : up[i - 3];
        int guess = f == 0 ? 0 : f == 1 ? a : f == 2 ? b : f == 3 ? (a + b) / 2 : paeth(a, b, c);
        unsigned char d = (unsigned char)(row[i] - guess);

        out[1 + i] = d;
        sum += d < 128 ? d : 256u - d;
    }
    return sum;
}

/* Deflates n more bytes, or if `flush` is Z_FINISH the end of the data, and appends an IDAT chunk whenever `buf` is
 * full. */
static int squeeze(z_stream *z, unsigned char *buf, const unsigned char *p, size_t n, int flush, struct mp *out) {
    int r;

    z->next_in = p;
    z->avail_in = (uInt)n;
    do {
        r = deflate(z, flush);
        if (r == Z_STREAM_ERROR)
            return -1;
        if (!z->avail_out || (r == Z_STREAM_END && z->avail_out < IDAT)) {
            chunk(out, "IDAT", span_bytes(buf, IDAT - z->avail_out), (struct span){0});
            z->next_out = buf;
            z->avail_out = IDAT;
        }
    } while (z->avail_in || (flush == Z_FINISH && r != Z_STREAM_END));
    return 0;
}

static int pixels(struct mp *out, const struct record_image *im, struct arena scratch, struct err *e) {
    size_t n = im->w * 3;
    unsigned char *up = arena_zero(&scratch, n, 1), *best = arena_take(&scratch, n + 1, 1),
                  *next = arena_take(&scratch, n + 1, 1), *buf = arena_take(&scratch, IDAT, 1);
    const unsigned char *above = up;
    z_stream z = {.zalloc = take, .zfree = leave, .opaque = &scratch};

    if (!up || !best || !next || !buf || deflateInit(&z, LEVEL) != Z_OK)
        return err_set(e, "out of memory");
    z.next_out = buf;
    z.avail_out = IDAT;
    for (size_t y = 0; y < im->h; y++) {
        const unsigned char *row = im->rgb + y * n;
        size_t least = filter(0, row, above, n, best), sum;

        for (int f = 1; f < FILTERS; f++)
            if ((sum = filter(f, row, above, n, next)) < least) {
                unsigned char *swap = best;

                best = next, next = swap;
                least = sum;
            }
        if (squeeze(&z, buf, best, n + 1, Z_NO_FLUSH, out) < 0)
            return err_set(e, "zlib failed");
        above = row;
    }
    if (squeeze(&z, buf, NULL, 0, Z_FINISH, out) < 0 || deflateEnd(&z) != Z_OK)
        return err_set(e, "zlib failed");
    return 0;
}

int png_write(struct mp *out, const struct record_image *im, const struct image_about *about, struct arena scratch,
              struct err *e) {
    static const char software[] = "unclip " UNCLIP_VERSION;
    unsigned char head[13] = {[8] = 8, [9] = 2};    /* 8 bits, RGB */

    if (im->w > INT32_MAX / 3 || im->h > INT32_MAX)
        return err_set(e, "%zu x %zu pixels are too many for PNG", im->w, im->h);
    put32(head, im->w);
    put32(head + 4, im->h);
    mp_raw(out, SPAN("\x89PNG\r\n\x1a\n"));
    chunk(out, "IHDR", span_bytes(head, 13), (struct span){0});
    text(out, "Title", about->title);
    text(out, "Software", span_bytes(software, sizeof software - 1));
    text(out, "unclip", about->params);
    if (pixels(out, im, scratch, e) < 0)
        return -1;
    chunk(out, "IEND", (struct span){0}, (struct span){0});
    return 0;
}
