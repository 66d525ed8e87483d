/* allocates: the inflated text of a PNG chunk */
#define ZLIB_CONST
#include "formats/image/exif.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "formats/image/bytes.h"
#include "lib/base/size.h"
#include "lib/base/span.h"

static bool starts(struct span s, const char *with, size_t n) {
    return s.n >= n && !memcmp(s.p, with, n);
}

#define STARTS(s, with) starts(s, with, sizeof(with) - 1)

static struct span behind(struct span s, size_t n) {
    return span_bytes(s.p + n, s.n - n);
}

/* ---- EXIF ---- */

enum { ORIENTATION = 0x0112 };

static uint32_t get16(const unsigned char *p, bool big) {
    return big ? big16(p) : little16(p);
}

static uint32_t get32(const unsigned char *p, bool big) {
    return big ? big32(p) : little32(p);
}

static double real(const unsigned char *p, size_t n, bool big) {
    uint64_t bits = 0;
    double d;
    float f;

    for (size_t i = 0; i < n; i++)
        bits = bits << 8 | p[big ? i : n - 1 - i];
    memcpy(&d, &bits, sizeof d);
    if (n == 8)
        return d;
    memcpy(&f, &(uint32_t){(uint32_t)bits}, sizeof f);
    return (double)f;
}

/* Reads the first value of a TIFF entry of any type into *v.  For bytes and text, *v becomes 0.  Returns false if the
 * type is unknown or the value is outside the data. */
static bool number(struct span tiff, const unsigned char *entry, bool big, double *v) {
    static const size_t size[] = {[1] = 1, [2] = 1, [3] = 2, [4] = 4, [5] = 8, [6] = 1, [7] = 1, [8] = 2, [9] = 4,
                                  [10] = 8, [11] = 4, [12] = 8, [13] = 4, [16] = 8};
    uint32_t type = get16(entry + 2, big), count = get32(entry + 4, big);
    size_t each = type < sizeof size / sizeof *size ? size[type] : 0, at;
    uint64_t all = (uint64_t)each * count;
    const unsigned char *p = entry + 8;

    if (!all)
        return false;
    if (all > 4) {
        at = get32(p, big);
        if (at > tiff.n || all > tiff.n - at)
            return false;
        p = tiff.p + at;
    }
    switch (type) {
    case 1: case 2: case 7: *v = 0; break;
    case 3: *v = get16(p, big); break;
    case 6: *v = p[0] < 128 ? p[0] : p[0] - 256; break;
    case 8: *v = (int16_t)get16(p, big); break;
    case 9: *v = (int32_t)get32(p, big); break;
    case 5: *v = get32(p + 4, big) ? (double)get32(p, big) / get32(p + 4, big) : 0; break;
    case 10: *v = get32(p + 4, big) ? (double)(int32_t)get32(p, big) / (int32_t)get32(p + 4, big) : 0; break;
    case 11: case 12: *v = real(p, each, big); break;
    case 16: *v = get32(p + (big ? 0 : 4), big) ? 0 : get32(p + (big ? 4 : 0), big); break;
    default: *v = get32(p, big);
    }
    return true;
}

int exif_tiff(const unsigned char *p, size_t n) {
    struct span s = {p, n};
    size_t at, entries;
    int found = 0;
    bool big;

    while (STARTS(s, "Exif\0\0"))
        s = behind(s, 6);
    big = STARTS(s, "MM\0*");
    if (s.n < 8 || (!big && !STARTS(s, "II*\0")))
        return 0;
    at = get32(s.p + 4, big);
    if (at > s.n || s.n - at < 2)
        return 0;
    entries = get16(s.p + at, big);
    for (at += 2; entries-- && s.n - at >= 12; at += 12) {
        double v;

        if (get16(s.p + at, big) == ORIENTATION && number(s, s.p + at, big, &v))
            found = v >= 1 && v <= 8 && v == (int)v ? (int)v : 1;
    }
    return found;
}

/* ---- XMP ---- */

int exif_xmp(const unsigned char *p, size_t n) {
    struct span s = {p, n};

    while (s.n && (p = memchr(s.p, 't', s.n))) {
        s = behind(s, (size_t)(p - s.p));
        if (STARTS(s, "tiff:Orientation")) {
            struct span v = behind(s, 16);

            v = STARTS(v, "=\"") ? behind(v, 2) : STARTS(v, ">") ? behind(v, 1) : (struct span){0};
            if (v.n && *v.p >= '0' && *v.p <= '9')
                return *v.p >= '1' && *v.p <= '8' ? *v.p - '0' : 1;
        }
        s = behind(s, 1);
    }
    return 0;
}

/* ---- files ---- */

int exif_jpeg(const unsigned char *p, size_t n) {
    int exif = 0, xmp = 0;

    for (size_t at = 2; at + 4 <= n && p[at] == 0xff;) {
        size_t len = big16(p + at + 2);
        struct span s;

        if (p[at + 1] == 0xff) {    /* fill byte */
            at++;
            continue;
        }
        if (p[at + 1] == 0xda || len < 2 || len > n - at - 2)    /* the scan begins, or the length is wrong */
            break;
        s = span_bytes(p + at + 4, len - 2);
        if (p[at + 1] == 0xe1 && STARTS(s, "Exif\0\0") && !exif)
            exif = exif_tiff(s.p, s.n);
        if (p[at + 1] == 0xe1 && STARTS(s, "http://ns.adobe.com/xap/1.0/\0"))
            xmp = exif_xmp(s.p, s.n);
        at += 2 + len;
    }
    return exif ? exif : xmp;
}

/* Inflates a text and returns it, with its length in *n.  The caller frees the text.  Returns NULL if the data is
 * broken or the text is longer than EXIF_TEXT_MAX bytes. */
static unsigned char *inflate_text(struct span in, size_t *n) {
    size_t cap = size_min(EXIF_TEXT_MAX, 1032 * in.n);
    z_stream z = {.next_in = in.p, .avail_in = (uInt)in.n};
    unsigned char *p = malloc(cap + 1);
    bool good = false;

    if (!p || inflateInit(&z) != Z_OK) {
        free(p);
        return NULL;
    }
    z.next_out = p;
    z.avail_out = (uInt)cap;
    good = inflate(&z, Z_FINISH) == Z_STREAM_END;
    *n = cap - z.avail_out;
    inflateEnd(&z);
    if (good)
        return p;
    free(p);
    return NULL;
}

static int digit(int c) {
    int letter = c | 32;

    return c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Returns the orientation in a "Raw profile type exif" text.  ImageMagick writes EXIF into it as an empty line, "exif",
 * a length, and lines of hexadecimal digits. */
static int raw_profile(struct span s) {
    unsigned char *bytes = malloc(s.n / 2 + 1);
    size_t n = 0;
    int lines = 0, r = 0;
    bool good = bytes;

    for (size_t i = 0; good && i < s.n; i++)
        if (lines < 3) {
            lines += s.p[i] == '\n';
        } else if (s.p[i] != '\n' && s.p[i] != ' ' && s.p[i] != '\r' && s.p[i] != '\t') {
            int high = digit(s.p[i]), low = i + 1 < s.n ? digit(s.p[i + 1]) : -1;

            good = high >= 0 && low >= 0;
            if (good)
                bytes[n++] = (unsigned char)(high * 16 + low);
            i++;
        }
    if (good)
        r = exif_tiff(bytes, n);
    free(bytes);
    return r;
}

/* Calls `read` with the text of a PNG chunk, inflated if needed, and returns what `read` returns.  s is what follows
 * the keyword: in tEXt the bytes TEXT, in zTXt 0 ZLIB, in iTXt COMPRESSED 0 LANGUAGE 0 KEYWORD 0 TEXT. */
static int png_text(char type, struct span s, int (*read)(struct span text)) {
    unsigned char *text;
    bool packed = type == 'z';
    int r = 0;

    if (type == 'i') {
        if (s.n < 2)
            return 0;
        packed = s.p[0];
        s = behind(s, 2);
        for (int i = 0; i < 2; i++) {
            const unsigned char *nul = s.n ? memchr(s.p, 0, s.n) : NULL;

            if (!nul)
                return 0;
            s = behind(s, (size_t)(nul + 1 - s.p));
        }
    } else if (packed) {
        if (!s.n)
            return 0;
        s = behind(s, 1);
    }
    if (!packed)
        return read(s);
    text = inflate_text(s, &s.n);
    if (text)
        r = read(span_bytes(text, s.n));
    free(text);
    return r;
}

static int xmp_text(struct span s) {
    return exif_xmp(s.p, s.n);
}

/* Of several chunks of a kind the last counts.  A raw profile is read only if the file has no eXIf chunk. */
int exif_png(const unsigned char *p, size_t n) {
    static const char raw[] = "Raw profile type exif", packet[] = "XML:com.adobe.xmp";    /* NUL included */
    struct span exif = {NULL, 0}, profile = {NULL, 0}, xmp = {NULL, 0};    /* profile, xmp begin at the chunk's type */
    int r = 0;

    for (size_t at = 8, len; at <= n && n - at >= 12; at += 12 + len) {
        struct span all = {p + at + 4, 4 + (len = big32(p + at))}, s = {all.p + 4, len};

        if (len > n - at - 12)
            break;
        if (STARTS(all, "eXIf"))
            exif = s;
        if (!STARTS(all, "tEXt") && !STARTS(all, "zTXt") && !STARTS(all, "iTXt"))
            continue;
        if (starts(s, raw, sizeof raw))
            profile = all;
        if (starts(s, packet, sizeof packet))
            xmp = all;
    }
    if (exif.p)
        r = exif_tiff(exif.p, exif.n);
    else if (profile.p)
        r = png_text((char)profile.p[0], behind(profile, 4 + sizeof raw), raw_profile);
    if (!r && xmp.p)
        r = png_text((char)xmp.p[0], behind(xmp, 4 + sizeof packet), xmp_text);
    return r;
}

int exif_webp(const unsigned char *p, size_t n) {
    int exif = 0, xmp = 0;

    for (size_t at = 12; at <= n && n - at >= 8;) {
        size_t len = little32(p + at + 4);

        if (len > n - at - 8)
            break;
        if (!memcmp(p + at, "EXIF", 4) && !exif)
            exif = exif_tiff(p + at + 8, len);
        if (!memcmp(p + at, "XMP ", 4) && !xmp)
            xmp = exif_xmp(p + at + 8, len);
        len += len & 1;
        if (len > n - at - 8)
            break;
        at += 8 + len;
    }
    return exif ? exif : xmp;
}
