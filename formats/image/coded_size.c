#include "formats/image/coded_size.h"

#include "formats/image/bytes.h"
#include "lib/base/size.h"

struct bits {
    const unsigned char *p;
    size_t n, at;       /* n bytes; `at` is the position in bits */
    bool escaped;       /* set for HEVC, where the bytes 0 0 3 stand for 0 0 */
    int zeros;          /* how many zero bytes precede the current byte */
    bool cut;           /* a read went beyond the last byte, or a code was not valid */
};

static unsigned bit(struct bits *b) {
    size_t at = b->at / 8;

    if (b->escaped && b->at % 8 == 0 && at < b->n) {
        if (b->zeros >= 2 && b->p[at] == 3) {
            b->at += 8;
            at++;
            b->zeros = 0;
        }
        b->zeros = at < b->n && !b->p[at] ? b->zeros + 1 : 0;
    }
    if (at >= b->n) {
        b->cut = true;
        return 0;
    }
    return b->p[at] >> (7 - b->at++ % 8) & 1u;
}

static uint32_t take(struct bits *b, unsigned n) {
    uint32_t v = 0;

    while (n-- && !b->cut)
        v = v << 1 | bit(b);
    return v;
}

/* Reads an Exp-Golomb code: HEVC's ue(v), AV1's uvlc(). */
static uint64_t golomb(struct bits *b) {
    unsigned zeros = 0;

    while (!bit(b) && !b->cut)
        if (++zeros > 32) {
            b->cut = true;
            return 0;
        }
    return zeros ? ((uint64_t)1 << zeros) - 1 + take(b, zeros) : 0;
}

/* Adds to *c a picture that a decoder stores as w x h and shows as least_w x least_h or more. */
static void add_size(struct coded *c, uint64_t w, uint64_t h, uint64_t least_w, uint64_t least_h) {
    bool first = !c->w;

    if (w * h > c->w * c->h)
        c->w = w, c->h = h;
    if (first || least_w < c->least_w)
        c->least_w = least_w;
    if (first || least_h < c->least_h)
        c->least_h = least_h;
}

/* ---- HEVC ---- */

enum { NAL_SPS = 33, NAL_VCL_END = 32 };

static int nal_type(const unsigned char *nal, size_t n) {
    /* decoders skip all layers except the first */
    return n < 3 || (nal[0] & 1) || nal[1] >> 3 ? -1 : nal[0] >> 1 & 63;
}

static void skip_profiles(struct bits *b, unsigned layers) {
    unsigned present[8] = {0};

    take(b, 32), take(b, 32), take(b, 32);
    for (unsigned i = 0; i < layers; i++)
        present[i] = take(b, 2);
    for (unsigned i = layers; layers && i < 8; i++)
        take(b, 2);
    for (unsigned i = 0; i < layers; i++) {
        if (present[i] & 2)
            take(b, 32), take(b, 32), take(b, 24);
        if (present[i] & 1)
            take(b, 8);
    }
}

bool coded_hevc_set(struct coded *c, const unsigned char *nal, size_t n) {
    struct bits b = {.p = nal + 2, .n = n - 2, .escaped = true};
    uint64_t w, h, chroma, cut_w = 0, cut_h = 0;
    unsigned layers;

    if (nal_type(nal, n) != NAL_SPS)
        return true;
    take(&b, 4);
    layers = take(&b, 3);
    take(&b, 1);
    skip_profiles(&b, layers);
    golomb(&b);
    chroma = golomb(&b);
    if (chroma == 3)
        take(&b, 1);
    w = golomb(&b), h = golomb(&b);
    if (take(&b, 1)) {    /* the conformance window, in chroma samples */
        cut_w = golomb(&b), cut_w += golomb(&b);
        cut_h = golomb(&b), cut_h += golomb(&b);
        cut_w *= chroma == 1 || chroma == 2 ? 2 : 1;
        cut_h *= chroma == 1 ? 2 : 1;
    }
    if (b.cut || w > UINT32_MAX / 2 || h > UINT32_MAX / 2 || cut_w >= w || cut_h >= h)
        return false;
    add_size(c, w, h, w - cut_w, h - cut_h);
    return true;
}

bool coded_hevc(struct coded *c, const unsigned char *p, size_t n) {
    for (size_t at = 0, len; n - at >= 4; at += 4 + len) {
        int type;

        len = size_min(big32(p + at), n - at - 4);
        type = nal_type(p + at + 4, len);
        if (type == NAL_SPS && !coded_hevc_set(c, p + at + 4, len))
            return false;
        if (type >= 0 && type < NAL_VCL_END && p[at + 6] & 0x80)    /* the first slice of a picture */
            c->pictures++;
    }
    return true;
}

/* ---- AV1 ---- */

enum { OBU_SEQUENCE = 1, OBU_FRAME_HEADER = 3, OBU_FRAME = 6, SELECT = 2, SWITCH_FRAME = 3 };

/* The fields of a sequence header that read_frame needs.  With them it finds the flag in a frame header that says that
 * the frame has a size of its own. */
struct sequence {
    bool known, reduced, equal_interval, model, ids;
    unsigned time_bits, id_bits, screen, integer;
    unsigned wide, high;    /* how many bits a frame's width and height take */
};

static void read_points(struct bits *b, struct sequence *s) {
    unsigned delay_bits = 0, count;
    bool delays;

    s->equal_interval = s->model = false;
    if (take(b, 1)) {    /* timing */
        take(b, 32), take(b, 32);
        s->equal_interval = take(b, 1);
        if (s->equal_interval)
            golomb(b);
        s->model = take(b, 1);
        if (s->model) {
            delay_bits = take(b, 5) + 1;
            take(b, 32), take(b, 5);
            s->time_bits = take(b, 5) + 1;
        }
    }
    delays = take(b, 1);
    count = take(b, 5) + 1;
    for (unsigned i = 0; i < count && !b->cut; i++) {
        take(b, 12);
        if (take(b, 5) > 7)
            take(b, 1);
        if (s->model && take(b, 1))
            take(b, delay_bits), take(b, delay_bits), take(b, 1);
        if (delays && take(b, 1))
            take(b, 4);
    }
}

static void read_tools(struct bits *b, struct sequence *s) {
    bool order;

    s->ids = take(b, 1);
    if (s->ids) {
        s->id_bits = take(b, 4) + 2;
        s->id_bits += take(b, 3) + 1;
    }
    take(b, 3 + 4);
    order = take(b, 1);
    if (order)
        take(b, 2);
    s->screen = take(b, 1) ? SELECT : take(b, 1);
    s->integer = !s->screen || take(b, 1) ? SELECT : take(b, 1);
}

static bool read_sequence(struct coded *c, struct sequence *s, const unsigned char *p, size_t n) {
    struct bits b = {.p = p, .n = n};
    uint64_t w, h;

    *s = (struct sequence){.known = true};
    take(&b, 4);
    s->reduced = take(&b, 1);
    if (s->reduced)
        take(&b, 5);
    else
        read_points(&b, s);
    s->wide = take(&b, 4) + 1, s->high = take(&b, 4) + 1;
    w = (uint64_t)take(&b, s->wide) + 1, h = (uint64_t)take(&b, s->high) + 1;
    if (!s->reduced)
        read_tools(&b, s);
    add_size(c, w, h, w, h);
    return !b.cut;
}

/* Reads a frame header.  If the frame has a size of its own, adds the largest size that the bits of width and height
 * can hold. */
static bool read_frame(struct coded *c, const struct sequence *s, const unsigned char *p, size_t n) {
    struct bits b = {.p = p, .n = n};
    unsigned type, shown, screen;

    if (!s->known)
        return false;
    c->pictures++;
    if (s->reduced || take(&b, 1))    /* the frame has the size of the sequence, or shows an earlier frame again */
        return true;
    type = take(&b, 2), shown = take(&b, 1);
    if (shown && s->model && !s->equal_interval)
        take(&b, s->time_bits);
    if (!shown)
        take(&b, 1);
    if (type != SWITCH_FRAME && !(type == 0 && shown))
        take(&b, 1);    /* error resilient */
    take(&b, 1);
    screen = s->screen == SELECT ? take(&b, 1) : s->screen;
    if (screen && s->integer == SELECT)
        take(&b, 1);
    if (s->ids)
        take(&b, s->id_bits);
    if (type == SWITCH_FRAME || take(&b, 1))
        add_size(c, (uint64_t)1 << s->wide, (uint64_t)1 << s->high, 1, 1);
    return !b.cut;
}

static bool read_obus(struct coded *c, struct sequence *s, const unsigned char *p, size_t n) {
    for (size_t at = 0; at < n;) {
        unsigned head = p[at], type = head >> 3 & 15;
        uint64_t len = 0;
        bool good = true;

        at += head & 4 ? 2 : 1;
        for (unsigned shift = 0; head & 2; shift += 7) {    /* the length, coded as leb128 */
            if (at >= n || shift > 49)
                return false;
            len |= (uint64_t)(p[at] & 127) << shift;
            if (!(p[at++] & 128))
                break;
        }
        if (at > n || len > n - at)
            return false;
        if (!(head & 2))
            len = n - at;
        if (type == OBU_SEQUENCE)
            good = read_sequence(c, s, p + at, (size_t)len);
        else if (type == OBU_FRAME || type == OBU_FRAME_HEADER)
            good = read_frame(c, s, p + at, (size_t)len);
        if (!good)
            return false;
        at += (size_t)len;
    }
    return true;
}

bool coded_av1(struct coded *c, const unsigned char *config, size_t config_n, const unsigned char *p, size_t n) {
    struct sequence s = {0};

    return read_obus(c, &s, config, config_n) && read_obus(c, &s, p, n);
}
