/* What image_write writes, image_read reads: PNG and PPM to the last bit, JPEG nearly.  Parameters go in and
 * come out; files cut at every byte and with every byte changed are refused or read, and never crash. */
#include "formats/image/image_write.h"

#include <zlib.h>

#include "formats/image/image_encode.h"
#include "formats/image/image_read.h"
#include "formats/record/json_record.h"
#include "tests/tap.h"

static const char params[] = "{\"unclip\":1,\"id\":\"\xc3\xa4/b\",\"data\":{\"text\":\"caf\xc3\xa9\",\"params\":[]}}";

/* Smooth with noise on it, so that every filter is chosen somewhere. */
static void fill(unsigned char *rgb, size_t h, size_t w) {
    unsigned seed = 1;

    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < 3; c++) {
                seed = seed * 1103515245u + 12345u;
                rgb[(y * w + x) * 3 + c] = (unsigned char)(3 * x * (c + 1) + (y < h / 2 ? 5 * y : x * y / 8) +
                                                           (y % 16 < 8 ? seed >> (h > 200 ? 28 : 30) : 0));
            }
}

static int write_one(struct mp *out, enum image_kind k, const unsigned char *rgb, size_t h, size_t w, int quality,
                     struct arena scratch, struct err *e) {
    const struct record_image im = {rgb, h, w};
    const struct image_about about = {span_of(params), span_of("caf\xc3\xa9"), quality};

    out->n = 0;
    e->msg[0] = 0;
    return image_write(out, k, &im, &about, scratch, e);
}

static void exact(struct mp *out, struct arena scratch) {
    static const size_t sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 3}, {64, 64}, {100, 333}, {300, 40}};
    static unsigned char rgb[100 * 333 * 3];
    const struct image_options o = {0};
    struct err e = {0};
    struct image im;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int k = 0; k < 2; k++) {
            size_t h = sizes[i][0], w = sizes[i][1];
            enum image_kind kind = k ? IMAGE_PPM : IMAGE_PNG;
            bool same;

            fill(rgb, h, w);
            same = write_one(out, kind, rgb, h, w, 0, scratch, &e) == 0 && image_read(&im, out->p, out->n, &o, &e) == 0 &&
                   im.h == h && im.w == w && !memcmp(im.rgb, rgb, h * w * 3);
            ok(same, "%s, %zu x %zu: the same pixels come back %s", k ? "PPM" : "PNG", w, h, e.msg);
            image_free(&im);
        }
}

/* The largest and the mean difference of a picture that went through JPEG. */
static void near(struct mp *out, int quality, double most, struct arena scratch) {
    static unsigned char rgb[96 * 128 * 3];
    const struct image_options o = {0};
    struct err e = {0};
    struct image im = {.rgb = NULL};
    double sum = 0;

    for (size_t y = 0; y < 96; y++)
        for (size_t x = 0; x < 128 * 3; x++)
            rgb[y * 128 * 3 + x] = (unsigned char)(y + x / 3 + 20 * (x % 3));
    if (!ok(write_one(out, IMAGE_JPEG, rgb, 96, 128, quality, scratch, &e) == 0 &&
            image_read(&im, out->p, out->n, &o, &e) == 0 && im.w == 128 && im.h == 96, "JPEG, quality %d: %s", quality, e.msg))
        return;
    for (size_t i = 0; i < sizeof rgb; i++)
        sum += abs(rgb[i] - im.rgb[i]);
    ok(sum / sizeof rgb <= most, "JPEG, quality %d: mean difference %.3f (allowed %.2f), %zu bytes", quality,
       sum / sizeof rgb, most, out->n);
    image_free(&im);
}

/* ---- parameters ---- */

static int find(const unsigned char *p, size_t n, struct span *s, struct arena a, struct err *e) {
    unsigned char *q = malloc(n + !n);    /* of exactly n bytes, so that AddressSanitizer sees one too many */
    int r;

    memcpy(q, p, n);
    e->msg[0] = 0;
    s->n = 0;
    r = image_params_find(q, n, s, &a, e);
    if (r == 1) {    /* what points into the file must outlive it here */
        unsigned char *keep = arena_take(&a, s->n, 1);

        memcpy(keep, s->p, s->n);
        s->p = keep;
    }
    free(q);
    return r;
}

static bool is(struct span s, const char *want) {
    return s.n == strlen(want) && !memcmp(s.p, want, s.n);
}

static void put_chunk(struct mp *out, const char *type, const void *p, size_t n) {
    unsigned char head[8] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
    unsigned long crc;

    memcpy(head + 4, type, 4);
    crc = crc32(crc32(0, head + 4, 4), n ? p : (const void *)"", (uInt)n);
    mp_raw(out, span_bytes(head, 8));
    mp_raw(out, span_bytes(p, n));
    for (int i = 0; i < 4; i++)
        head[i] = (unsigned char)(crc >> (24 - 8 * i));
    mp_raw(out, span_bytes(head, 4));
}

/* A PNG of one text chunk, as other programs write them. */
static int other(struct mp *out, const char *type, const char *head, size_t nhead, const char *text, bool squeeze,
                 struct span *s, struct arena a, struct err *e) {
    unsigned char *data = arena_take(&a, nhead + strlen(text) + 100, 1);
    uLongf n = (uLongf)strlen(text) + 100;

    memcpy(data, head, nhead);
    if (squeeze)
        compress(data + nhead, &n, (const Bytef *)text, (uLong)strlen(text));
    else
        memcpy(data + nhead, text, n = strlen(text));
    out->n = 0;
    mp_raw(out, SPAN("\x89PNG\r\n\x1a\n"));
    put_chunk(out, "tEXt", "Comment\0hello", 13);
    put_chunk(out, type, data, nhead + n);
    put_chunk(out, "IEND", "", 0);
    return find(out->p, out->n, s, a, e);
}

static void others(struct mp *out, struct arena a) {
    struct err e = {0};
    struct span s;
    char *big;

    ok(other(out, "tEXt", "unclip\0", 7, "{\"a\":\"\xe4\"}", false, &s, a, &e) == 1 && is(s, "{\"a\":\"\xc3\xa4\"}"),
       "tEXt in Latin-1");
    ok(other(out, "tEXt", "unclip\0", 7, "{\"a\":\"\xc3\xa4\"}", false, &s, a, &e) == 1 && is(s, "{\"a\":\"\xc3\xa4\"}"),
       "tEXt in UTF-8");
    ok(other(out, "zTXt", "unclip\0\0", 8, params, true, &s, a, &e) == 1 && is(s, params), "zTXt %s", e.msg);
    ok(other(out, "iTXt", "unclip\0\1\0\0\0", 11, params, true, &s, a, &e) == 1 && is(s, params), "compressed iTXt %s", e.msg);
    ok(other(out, "iTXt", "unclip\0\0\0de\0x\0", 14, params, false, &s, a, &e) == 1 && is(s, params),
       "iTXt with a language and a translated keyword");
    ok(other(out, "iTXt", "unclip\0\0\0", 9, params, false, &s, a, &e) == -1, "iTXt without its NULs: %s", e.msg);
    ok(other(out, "iTXt", "unclip\0\2\0\0\0", 11, params, false, &s, a, &e) == -1, "iTXt of compression 2: %s", e.msg);
    ok(other(out, "zTXt", "unclip\0\0", 8, "nonsense", false, &s, a, &e) == -1, "zTXt of nonsense: %s", e.msg);
    ok(other(out, "zTXt", "unclip\0", 7, "", false, &s, a, &e) == -1, "zTXt of nothing: %s", e.msg);
    ok(other(out, "tEXt", "unclipped\0", 10, "x", false, &s, a, &e) == 0, "a text under another keyword is not found");
    big = arena_take(&a, IMAGE_PARAMS_MAX + 2, 1);
    memset(big, 'x', IMAGE_PARAMS_MAX + 1);
    big[IMAGE_PARAMS_MAX + 1] = 0;
    ok(other(out, "zTXt", "unclip\0\0", 8, big, true, &s, a, &e) == -1, "zTXt that swells: %s", e.msg);
    big[IMAGE_PARAMS_MAX] = 0;
    ok(other(out, "zTXt", "unclip\0\0", 8, big, true, &s, a, &e) == 1 && s.n == IMAGE_PARAMS_MAX, "a text of the largest size allowed %s", e.msg);
}

static void round_trip(struct mp *out, struct arena a) {
    static unsigned char rgb[8 * 8 * 3];
    struct err e = {0};
    struct span s;
    size_t good = 0, quiet = 0;

    for (int k = 0; k < 2; k++) {
        enum image_kind kind = k ? IMAGE_JPEG : IMAGE_PNG;

        write_one(out, kind, rgb, 8, 8, 0, a, &e);
        ok(find(out->p, out->n, &s, a, &e) == 1 && is(s, params), "%s: parameters come back %s", k ? "JPEG" : "PNG", e.msg);
        good = quiet = 0;
        for (size_t n = 0; n < out->n; n++) {
            int r = find(out->p, n, &s, a, &e);

            good += r == 1 && !is(s, params);
            quiet += r < 0 && !e.msg[0];
        }
        ok(!good && !quiet, "%s cut at every byte: the right text, or a message", k ? "JPEG" : "PNG");
        for (size_t i = 0; i < out->n; i++) {
            out->p[i] ^= 0xff;
            quiet += find(out->p, out->n, &s, a, &e) < 0 && !e.msg[0];
            out->p[i] ^= 0xff;
        }
        ok(!quiet, "%s with each byte changed", k ? "JPEG" : "PNG");
    }
    ok(find((const unsigned char *)"P6\n1 1\n255\nabc", 14, &s, a, &e) == -1, "PPM: %s", e.msg);
    for (size_t i = 0; params[i]; i++)
        if (write_one(out, IMAGE_PNG, rgb, 8, 8, 0, a, &e) == 0 && (out->p[100 + i] ^= 1, find(out->p, out->n, &s, a, &e)) == 1)
            good += !is(s, params);
    ok(!good, "a text with a changed byte is not handed out");
}

/* A text longer than a JPEG marker goes into several. */
static void long_text(struct mp *out, struct arena a) {
    static unsigned char rgb[3];
    const struct record_image im = {rgb, 1, 1};
    char *text = arena_take(&a, 200001, 1);
    struct image_about about = {.quality = 50};
    struct err e = {0};
    struct span s;

    memset(text, 'y', 200000);
    memcpy(text, "{\"unclip\":1,", 12);
    text[200000] = 0;
    about.params = span_of(text);
    for (enum image_kind k = IMAGE_PNG; k <= IMAGE_JPEG; k++) {
        out->n = 0;
        ok(image_write(out, k, &im, &about, a, &e) == 0 && find(out->p, out->n, &s, a, &e) == 1 && is(s, text),
           "a text of 200000 bytes in %s %s", k ? "JPEG" : "PNG", e.msg);
    }
}

/* ---- records ---- */

static void of_records(struct mp *out, struct arena a, struct arena b) {
    const float x[6] = {0, 1, 2, 3, 4, 5};
    const size_t shape[2] = {2, 3};
    struct err e = {0};
    struct record r, back;
    char *long_ = arena_take(&a, 1 << 17, 1);

    memset(long_, 'z', 1 << 17);
    record_new(&r, span_of("a\"b"), false, &a, &e);
    record_set_text(&r, "text", span_of("caf\xc3\xa9"), &e);
    record_set_tensor(&r, "image_embed", DT_F32, x, 2, shape, &e);
    record_set_text(&r, "long", span_bytes(long_, 1 << 17), &e);
    record_set_int(&r, "rank", 3, &e);
    out->n = 0;
    ok(image_params(out, &r, a, &e) == 0 &&
       is(mp_span(out), "{\"unclip\":1,\"id\":\"a\\\"b\",\"data\":{\"text\":\"caf\xc3\xa9\",\"rank\":3}}\n"),
       "a record's parameters: no tensors, nothing long %s", e.msg);
    ok(r.nfield == 4, "the record itself is left as it is");
    ok(json_read(&back, (const char *)out->p, out->n, &a, b, &e) == 0 && back.nfield == 2, "and are a record again %s", e.msg);
}

static void names(void) {
    enum image_kind k;

    ok(image_kind_of("a.b/c.PNG", &k) && k == IMAGE_PNG && image_kind_of(".jpg", &k) && k == IMAGE_JPEG &&
       image_kind_of("%d.jpeg", &k) && k == IMAGE_JPEG && image_kind_of("x.ppm", &k) && k == IMAGE_PPM, "kinds by name");
    ok(!image_kind_of("png", &k) && !image_kind_of("a.pngx", &k) && !image_kind_of("a.pn", &k) && !image_kind_of("", &k) &&
       !image_kind_of("a.png/b", &k), "and names without such an extension");
}

static void limits(struct mp *out, struct arena a) {
    const unsigned char rgb[3] = {0};
    const struct image_about about = {.quality = 0};
    struct record_image im = {rgb, 1, 65501};
    struct err e = {0};
    struct arena little = a;
    struct mp full;

    ok(image_write(out, IMAGE_JPEG, &im, &about, a, &e) == -1, "%s", e.msg);
    im.w = (size_t)1 << 31;
    e.msg[0] = 0;
    ok(image_write(out, IMAGE_PNG, &im, &about, a, &e) == -1, "%s", e.msg);
    im = (struct record_image){rgb, 1, 1};
    little.end = little.at + 100000;
    e.msg[0] = 0;
    ok(image_write(out, IMAGE_PNG, &im, &about, little, &e) == -1, "no memory for zlib: %s", e.msg);
    little.end = little.at + 64;
    mp_open(&full, &little);
    for (enum image_kind k = IMAGE_PNG; k <= IMAGE_JPEG; k++) {
        e.msg[0] = 0;
        ok(image_write(&full, k, &im, &about, a, &e) == -1, "no memory for the file: %s", e.msg);
    }
}

int main(void) {
    TAP_ARENA(a, 32);
    TAP_ARENA(b, 32);
    TAP_ARENA(c, 16);
    struct mp out;

    mp_open(&out, &b);
    exact(&out, a);
    near(&out, 95, 1.0, a);
    near(&out, 92, 1.0, a);
    near(&out, 75, 2.0, a);
    near(&out, 1, 40, a);
    others(&out, a);
    round_trip(&out, a);
    long_text(&out, a);
    of_records(&out, a, c);
    names();
    limits(&out, a);
    free(a_mem.base);
    free(b_mem.base);
    free(c_mem.base);
    return done();
}
