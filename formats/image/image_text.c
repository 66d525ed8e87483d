/* Finds the parameters in PNG and JPEG files without decoding the pixels. */
#define ZLIB_CONST
#include <string.h>
#include <zlib.h>

#include "formats/image/bytes.h"
#include "formats/image/image_write.h"
#include "lib/base/utf8.h"

#define KEY "unclip"    /* sizeof KEY counts the NUL, which ends the keyword in the file */

enum { STEP = 1 << 14, WINDOW = 1 << 17 };    /* sizes in bytes; zlib needs 44 KiB to inflate */

static voidpf take(voidpf a, uInt n, uInt size) {
    return arena_zero(a, n, size);
}

static void leave(voidpf a, voidpf p) {
    (void)a, (void)p;
}

/* Inflates a text into *out.  The memory grows as the text comes, and not by a length that the data announces. */
static int inflate_text(struct span in, struct span *out, struct arena *a, struct err *e) {
    static const char broken[] = "the compressed text in it is broken";
    struct arena_mem mem;
    struct arena room;
    unsigned char *p;
    z_stream z = {.next_in = in.p, .avail_in = (uInt)in.n, .zalloc = take, .zfree = leave, .opaque = &room};
    size_t n = 0;
    int r = Z_OK;

    if (arena_split(a, WINDOW, &mem, &room) < 0 || inflateInit(&z) != Z_OK || !(p = arena_take(a, STEP, 1)))
        return err_set(e, "out of memory");
    for (size_t cap = STEP; r != Z_STREAM_END; n = cap - z.avail_out) {
        if (n == cap && (cap == IMAGE_PARAMS_MAX || arena_grow(a, p, cap, cap + STEP) < 0))
            return err_set(e, "the compressed text in it is longer than %d bytes", IMAGE_PARAMS_MAX);
        cap += n == cap ? STEP : 0;
        z.next_out = p + n;
        z.avail_out = (uInt)(cap - n);
        r = inflate(&z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END)
            return err_set(e, "%s", broken);
    }
    *out = span_bytes(p, n);
    return 1;
}

/* The specification says that tEXt is Latin-1, but some programs write UTF-8 into it. */
static int latin1(struct span in, struct span *out, struct arena *a, struct err *e) {
    unsigned char *p;
    size_t n = 0;

    *out = in;
    if (utf8_valid(in.p, in.n))
        return 1;
    p = arena_take(a, in.n, 2);
    if (!p)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < in.n; i++)
        n += (size_t)utf8_put(in.p[i], p + n);
    *out = span_bytes(p, n);
    return 1;
}

/* Takes the text from s, which is what follows the keyword in a chunk.  In tEXt this is TEXT, in zTXt 0 ZLIB, and in
 * iTXt COMPRESSED 0 LANGUAGE 0 KEYWORD 0 TEXT. */
static int text_of(char type, struct span s, struct span *out, struct arena *a, struct err *e) {
    bool squeezed = type == 'z';
    const unsigned char *nul;

    if (type == 't')
        return latin1(s, out, a, e);
    if (s.n < (type == 'z' ? 1 : 2) || (type == 'z' ? s.p[0] : s.p[0] > 1 || s.p[1]))
        return err_set(e, "the text in it is compressed in an unknown way");
    if (type == 'i') {
        squeezed = s.p[0];
        s.p++, s.n--;
    }
    s.p++, s.n--;
    for (int i = 0; type == 'i' && i < 2; i++) {
        nul = s.n ? memchr(s.p, 0, s.n) : NULL;
        if (!nul)
            return err_set(e, "the text in it is broken");
        s.n -= (size_t)(nul + 1 - s.p);
        s.p = nul + 1;
    }
    if (squeezed && inflate_text(s, out, a, e) < 0)
        return -1;
    if (!squeezed)
        *out = s;
    return type == 'z' ? latin1(*out, out, a, e) : 1;
}

static int png_find(const unsigned char *p, size_t n, struct span *text, struct arena *a, struct err *e) {
    for (size_t at = 8; n - at >= 12;) {
        const unsigned char *type = p + at + 4, *data = type + 4;
        size_t len = big32(p + at);

        if (len > n - at - 12)
            break;
        if (!memcmp(type, "IEND", 4))
            return 0;
        if (len >= sizeof KEY && !memcmp(data, KEY, sizeof KEY) &&
            (!memcmp(type, "tEXt", 4) || !memcmp(type, "zTXt", 4) || !memcmp(type, "iTXt", 4))) {
            if (crc32_z(0, type, len + 4) != big32(data + len))
                return err_set(e, "a checksum of the PNG data is wrong");
            return text_of((char)type[0], span_bytes(data + sizeof KEY, len - sizeof KEY), text, a, e);
        }
        at += 12 + len;
    }
    return err_set(e, "the PNG data ends early");
}

/* Joins all comments before the pixels into *text.  Returns 1 if they begin as image_write's parameters do, else 0. */
static int jpeg_find(const unsigned char *p, size_t n, struct span *text, struct arena *a, struct err *e) {
    static const char begin[] = "{\"unclip\":1,";
    struct mp all;

    mp_open(&all, a);
    for (size_t at = 2, len; n - at >= 4; at += len) {
        if (p[at] != 0xff)
            return err_set(e, "broken JPEG data");
        len = p[at + 1] == 0xff ? 1 : 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);    /* 0xff may be repeated */
        if (p[at + 1] == 0xda || p[at + 1] == 0xd9) {
            *text = mp_span(&all);
            return text->n >= sizeof begin - 1 && !memcmp(text->p, begin, sizeof begin - 1);
        }
        if (len > n - at || len == 2 || len == 3)
            break;
        if (p[at + 1] == 0xfe)
            mp_raw(&all, span_bytes(p + at + 4, len - 4));
        if (all.full)
            return err_set(e, "out of memory");
    }
    return err_set(e, "the JPEG data ends early");
}

int image_params_find(const unsigned char *p, size_t n, struct span *text, struct arena *a, struct err *e) {
    if (n >= 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8))
        return png_find(p, n, text, a, e);
    if (n >= 3 && !memcmp(p, "\xff\xd8\xff", 3))
        return jpeg_find(p, n, text, a, e);
    return err_set(e, "neither a PNG nor a JPEG file");
}
