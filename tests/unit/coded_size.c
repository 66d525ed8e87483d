/* Sizes in the parameter sets of AV1 and HEVC, written here bit by bit as the specifications say; every cut and every
 * changed bit of them. */
#include "formats/image/coded_size.h"

#include "tests/tap.h"

struct out {
    unsigned char p[200];
    size_t bits;
};

static void put(struct out *o, uint32_t v, unsigned n) {
    while (n--) {
        if (o->bits % 8 == 0)
            o->p[o->bits / 8] = 0;
        o->p[o->bits / 8] = (unsigned char)(o->p[o->bits / 8] | (v >> n & 1) << (7 - o->bits % 8));
        o->bits++;
    }
}

static void golomb(struct out *o, uint32_t v) {
    unsigned n = 31u - (unsigned)__builtin_clz(v + 1);

    put(o, 0, n);
    put(o, v + 1, n + 1);
}

static void align(struct out *o) {
    put(o, 0, (unsigned)(8 - o->bits % 8) % 8);
}

/* An OBU of `type` around what `write` puts. */
static void obu(struct out *o, unsigned type, const struct out *body) {
    put(o, type << 3 | 2, 8);
    put(o, (uint32_t)(body->bits + 7) / 8, 8);
    for (size_t i = 0; i < (body->bits + 7) / 8; i++)
        put(o, body->p[i], 8);
}

/* ---- AV1 ---- */

struct kind {
    bool reduced, timing, ids;
    unsigned side_bits;
};

static void sequence(struct out *o, struct kind k, uint32_t w, uint32_t h) {
    struct out s = {0};

    put(&s, 0, 3), put(&s, k.reduced, 1), put(&s, k.reduced, 1);
    if (k.reduced) {
        put(&s, 0, 5);
    } else {
        put(&s, k.timing, 1);
        if (k.timing) {
            put(&s, 1, 32), put(&s, 25, 32), put(&s, 0, 1);
            put(&s, 1, 1), put(&s, 9, 5), put(&s, 1, 32), put(&s, 9, 5), put(&s, 6, 5);    /* model: times of 7 bits */
        }
        put(&s, 0, 1), put(&s, 1, 5);    /* two operating points, the second of a high level */
        put(&s, 0, 12), put(&s, 4, 5), put(&s, 0, k.timing);
        put(&s, 0, 12), put(&s, 9, 5), put(&s, 1, 1), put(&s, k.timing, k.timing);
        if (k.timing)
            put(&s, 3, 10), put(&s, 3, 10), put(&s, 0, 1);
    }
    put(&s, k.side_bits - 1, 4), put(&s, k.side_bits - 1, 4);
    put(&s, w - 1, k.side_bits), put(&s, h - 1, k.side_bits);
    if (!k.reduced) {
        put(&s, k.ids, 1);
        if (k.ids)
            put(&s, 3, 4), put(&s, 2, 3);    /* numbers of 5 + 3 bits */
        put(&s, 0, 7), put(&s, 1, 1), put(&s, 0, 2);
        put(&s, 1, 1), put(&s, 1, 1), put(&s, 6, 3);
    }
    align(&s);
    obu(o, 1, &s);
}

/* A key frame that is shown, with or without a size of its own. */
static void frame(struct out *o, struct kind k, bool own) {
    struct out f = {0};

    if (!k.reduced) {
        put(&f, 0, 1), put(&f, 0, 2), put(&f, 1, 1);
        if (k.timing)
            put(&f, 5, 7);
        put(&f, 0, 1), put(&f, 1, 1), put(&f, 0, 1);    /* screen content, integers not forced */
        if (k.ids)
            put(&f, 77, 8);
        put(&f, own, 1);
    }
    put(&f, 0x155, 9);
    obu(o, 6, &f);
}

static void av1(void) {
    static const struct kind kinds[] = {{.reduced = true, .side_bits = 13}, {.side_bits = 16}, {.timing = true, .side_bits = 16},
                                        {.ids = true, .side_bits = 16}, {.timing = true, .ids = true, .side_bits = 16}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int own = 0; own < 2; own++) {
            struct out config = {0}, data = {0};
            struct coded c = {0};
            bool good, large = own && !kinds[i].reduced;

            sequence(&config, kinds[i], 6000, 321);
            frame(&data, kinds[i], own);
            frame(&data, kinds[i], false);
            good = coded_av1(&c, config.p, config.bits / 8, data.p, data.bits / 8);
            ok(good && c.w == (large ? 65536 : 6000) && c.h == (large ? 65536 : 321) && c.least_w == (large ? 1 : 6000) &&
               c.pictures == 2,
               "AV1, kind %zu, %s: %d x %d, %d pictures", i, own ? "a frame of another size" : "one size", (int)c.w,
               (int)c.h, (int)c.pictures);
            c = (struct coded){0};
            ok(!coded_av1(&c, NULL, 0, data.p, data.bits / 8), "a frame before its sequence");
            for (size_t bit = 0; bit < config.bits; bit++) {
                config.p[bit / 8] ^= (unsigned char)(1 << bit % 8);
                coded_av1(&c, config.p, config.bits / 8 - bit % 3, data.p, data.bits / 8);
                config.p[bit / 8] ^= (unsigned char)(1 << bit % 8);
            }
        }
}

/* ---- HEVC ---- */

static size_t escape(const unsigned char *in, size_t n, unsigned char *out) {
    size_t m = 0, zeros = 0;

    for (size_t i = 0; i < n; i++) {
        if (zeros >= 2 && in[i] <= 3)
            out[m++] = 3, zeros = 0;
        out[m++] = in[i];
        zeros = in[i] ? 0 : zeros + 1;
    }
    return m;
}

static void hevc(void) {
    for (unsigned layers = 0; layers < 4; layers++)
        for (unsigned chroma = 1; chroma < 4; chroma += 2) {
            struct out s = {0};
            struct coded c = {0};
            unsigned char nal[300], data[330] = {[3] = 0};
            size_t n;
            bool good;

            put(&s, 33 << 9 | 1, 16);
            put(&s, 0, 4), put(&s, layers, 3), put(&s, 1, 1);
            for (int i = 0; i < 12; i++)
                put(&s, 0, 8);    /* zeros, which are escaped */
            for (unsigned i = 0; i < layers; i++)
                put(&s, i % 4, 2);
            for (unsigned i = layers; layers && i < 8; i++)
                put(&s, 0, 2);
            for (unsigned i = 0; i < layers; i++) {
                for (int j = 0; i % 4 & 2 && j < 11; j++)
                    put(&s, 0, 8);
                if (i % 4 & 1)
                    put(&s, 93, 8);
            }
            golomb(&s, 0), golomb(&s, chroma);
            if (chroma == 3)
                put(&s, 0, 1);
            golomb(&s, 16384), golomb(&s, 8200);
            put(&s, 1, 1), golomb(&s, 3), golomb(&s, 1), golomb(&s, 0), golomb(&s, 4);    /* a window */
            put(&s, 1, 1);
            align(&s);
            n = escape(s.p, s.bits / 8, nal);
            good = coded_hevc_set(&c, nal, n);
            ok(good && c.w == 16384 && c.h == 8200 && c.least_w == 16384 - 4 * (chroma == 1 ? 2 : 1) &&
               c.least_h == 8200 - 4 * (chroma == 1 ? 2 : 1), "HEVC, %u layers: %d x %d", layers, (int)c.w, (int)c.h);
            data[3] = (unsigned char)n;
            memcpy(data + 4, nal, n);
            memcpy(data + 4 + n, "\0\0\0\3\x26\1\xaf\0\0\0\3\x26\1\x2f\0\0\0\3\2\1\x80", 21);
            c = (struct coded){0};
            ok(coded_hevc(&c, data, 4 + n + 21) && c.w == 16384 && c.pictures == 2, "three slices are two pictures");
            nal[1] |= 8;
            c = (struct coded){0};
            ok(coded_hevc_set(&c, nal, n) && !c.w, "a set of another layer does not count");
            nal[1] = 1;
            ok(!coded_hevc_set(&c, nal, n - 9), "a set that is cut");
            for (size_t bit = 0; bit < n * 8; bit++) {
                nal[bit / 8] ^= (unsigned char)(1 << bit % 8);
                coded_hevc_set(&c, nal, n - bit % 3);
                nal[bit / 8] ^= (unsigned char)(1 << bit % 8);
            }
        }
}

int main(void) {
    av1();
    hevc();
    return done();
}
