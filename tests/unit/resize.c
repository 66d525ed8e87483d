/* Resampling and crops against Pillow, byte for byte (tests/golden/resize_cases.json, by
 * Pillow 13.0.0); kernels against the C kernel; properties of the filters and of prep.h. */
#include "lib/image/resize.h"

#include <jansson.h>
#include <zlib.h>

#include "tests/tap.h"

static unsigned char noise(uint32_t x, uint32_t y, uint32_t c) {
    uint32_t v = x * 1103515245u + y * 12345u + c * 2654435761u + x * y * 97u;

    v ^= v >> 15;
    v *= 2246822519u;
    v ^= v >> 13;
    return (unsigned char)v;
}

static unsigned char smooth(uint32_t x, uint32_t y, uint32_t c) {
    return (unsigned char)((x * (c + 1) * 3 + y * (5 - c)) / 4);
}

/* One pixel of the RGB picture that each source mode becomes. */
static void pixel(const char *mode, uint32_t x, uint32_t y, unsigned char p[3]) {
    for (uint32_t c = 0; c < 3; c++)
        if (!strcmp(mode, "L") || !strcmp(mode, "LA"))
            p[c] = noise(x, y, 0);
        else if (!strcmp(mode, "1"))
            p[c] = noise(x, y, 0) >= 128 ? 255 : 0;
        else if (!strcmp(mode, "P"))
            p[c] = noise(noise(x, y, 0), 3u * noise(x, y, 0), c);
        else if (!strcmp(mode, "CMYK")) {
            int nk = 255 - noise(x, y, 3), t = noise(x, y, c) * nk + 128;
            int v = nk - (((t >> 8) + t) >> 8);
            p[c] = (unsigned char)(v < 0 ? 0 : v);
        } else
            p[c] = !strcmp(mode, "smooth") ? smooth(x, y, c) : noise(x, y, c);
}

static unsigned char *picture(const char *mode, size_t w, size_t h) {
    unsigned char *p = malloc(w * h * 3);

    for (size_t i = 0; i < w * h; i++)
        pixel(mode, (uint32_t)(i % w), (uint32_t)(i / w), p + 3 * i);
    return p;
}

static unsigned long crc(const unsigned char *p, size_t n) {
    return crc32(0, p, (unsigned)n);
}

static size_t num(const json_t *o, const char *k) {
    return (size_t)json_integer_value(json_object_get(o, k));
}

static unsigned long hex(const json_t *o, const char *k) {
    return strtoul(json_string_value(json_object_get(o, k)), NULL, 16);
}

static struct prep square(size_t s, enum prep_crop rule) {
    return (struct prep){.size = s, .crop = s, .rule = rule, .filter = FILTER_BICUBIC};
}

static void golden(struct arena a, const struct resize_kernel *k, const char *kernel) {
    json_t *j = json_load_file("tests/golden/resize_cases.json", 0, NULL), *o;
    const char *rules[] = {"tv", "hf"};
    size_t i, whole = 0, crops[2] = {0, 0}, n = json_array_size(json_object_get(j, "images"));

    json_array_foreach(json_object_get(j, "images"), i, o) {
        size_t w = num(o, "w"), h = num(o, "h"), s = num(o, "size"), ow, oh;
        unsigned char *in = picture(json_string_value(json_object_get(o, "gen")), w, h), *out;
        struct arena scratch = a;
        struct resize r;

        ow = (size_t)json_integer_value(json_array_get(json_object_get(o, "resized"), 0));
        oh = (size_t)json_integer_value(json_array_get(json_object_get(o, "resized"), 1));
        out = malloc(ow * oh * 3);
        if (resize_plan(&r, FILTER_BICUBIC, h, w, oh, ow,
                        &(struct resize_window){0, 0, oh, ow}, k, &scratch, NULL) == 0) {
            resize_run(&r, in, out, ow * 3);
            whole += crc(out, ow * oh * 3) == hex(o, "resized_crc32");
        }
        for (int rule = 0; rule < 2; rule++) {
            struct prep p = square(s, rule ? CROP_HF : CROP_TORCHVISION);
            struct prep_place l = prep_where(&p, h, w);
            char key[16];
            json_t *at;

            snprintf(key, sizeof key, "%s_crop", rules[rule]);
            at = json_object_get(o, key);
            snprintf(key, sizeof key, "%s_crc32", rules[rule]);
            crops[rule] += prep_crop(&p, in, h, w, out, a, NULL) == 0 &&
                crc(out, s * s * 3) == hex(o, key) && l.h == oh && l.w == ow &&
                l.cut_x == (size_t)json_integer_value(json_array_get(at, 0)) &&
                l.cut_y == (size_t)json_integer_value(json_array_get(at, 1));
        }
        free(in);
        free(out);
    }
    ok(n == 32 && whole == n, "%s: %zu of %zu resized pictures are Pillow's", kernel, whole, n);
    ok(crops[0] == n && crops[1] == n, "torchvision's and Hugging Face's crops: %zu and %zu of %zu",
       crops[0], crops[1], n);
    json_array_foreach(json_object_get(j, "modes"), i, o) {
        size_t w = num(o, "w"), h = num(o, "h"), s = num(o, "size");
        const char *mode = json_string_value(json_object_get(o, "mode"));
        unsigned char *in = picture(mode, w, h), *out = malloc(s * s * 3);
        struct prep p = square(s, CROP_TORCHVISION);

        ok(prep_crop(&p, in, h, w, out, a, NULL) == 0 &&
           crc(out, s * s * 3) == hex(o, "rgb_then_resize_crc32"), "mode %s", mode);
        free(in);
        free(out);
    }
    json_decref(j);
}

/* Filter by filter, from Pillow 13.0.0: noise w x h -> ow x oh, CRC-32 of the result. */
static const struct {
    size_t w, h, ow, oh;
    unsigned long crc[6];
} pillow[] = {
#include "tests/golden/resize_filters.h"
};

static void filters(struct arena a, const struct resize_kernel *k, const char *kernel) {
    size_t good = 0, n = sizeof pillow / sizeof *pillow;

    for (size_t i = 0; i < n; i++)
        for (int f = 0; f < 6; f++) {
            size_t w = pillow[i].w, h = pillow[i].h, ow = pillow[i].ow, oh = pillow[i].oh;
            unsigned char *in = picture("noise", w, h), *out = malloc(ow * oh * 3);
            struct resize_window all = {0, 0, oh, ow};
            struct arena scratch = a;
            struct resize r;

            if (resize_plan(&r, (enum prep_filter)f, h, w, oh, ow, &all, k, &scratch, NULL) == 0) {
                resize_run(&r, in, out, ow * 3);
                good += crc(out, ow * oh * 3) == pillow[i].crc[f];
            }
            free(in);
            free(out);
        }
    ok(good == 6 * n, "%s: six filters, %zu of %zu are Pillow's", kernel, good, 6 * n);
}

/* Any window equals that part of the whole, and no kernel differs from the C kernel.  Bytes
 * behind a row must not count, so each row comes in a block of its own. */
static void windows(struct arena a, const struct resize_kernel *k) {
    uint32_t seed = 1;
    int bad = 0, widest = 0;

    for (int n = 0; n < 400; n++) {
        size_t v[8];
        struct resize_window all, win;
        unsigned char *in, *whole, *part;
        struct resize r;
        struct arena scratch;

        for (int i = 0; i < 8; i++)
            v[i] = (seed = seed * 1664525u + 1013904223u) >> 8;
        v[0] = 1 + v[0] % 90, v[1] = 1 + v[1] % 90, v[2] = 1 + v[2] % 60, v[3] = 1 + v[3] % 60;
        all = (struct resize_window){0, 0, v[2], v[3]};
        win.y = v[4] % v[2], win.x = v[5] % v[3];
        win.h = 1 + v[6] % (v[2] - win.y), win.w = 1 + v[7] % (v[3] - win.x);
        in = picture("noise", v[1], v[0]);
        whole = malloc(v[2] * v[3] * 3), part = malloc(win.h * win.w * 3);
        scratch = a;
        resize_plan(&r, (enum prep_filter)(n % 6), v[0], v[1], v[2], v[3], &all, &resize_kernel_c,
                    &scratch, NULL);
        resize_run(&r, in, whole, v[3] * 3);
        for (size_t i = 0; i < r.x.n * r.x.taps; i++)
            widest = abs(r.x.weight[i]) > widest ? abs(r.x.weight[i]) : widest;
        scratch = a;
        resize_plan(&r, (enum prep_filter)(n % 6), v[0], v[1], v[2], v[3], &win, k, &scratch, NULL);
        resize_begin(&r, part, win.w * 3);
        for (size_t y = 0; y < v[0]; y++) {
            unsigned char *row = malloc(3 * v[1]);

            resize_row(&r, memcpy(row, in + y * 3 * v[1], 3 * v[1]));
            free(row);
        }
        for (size_t y = 0; y < win.h; y++)
            bad += memcmp(part + y * win.w * 3, whole + ((win.y + y) * v[3] + win.x) * 3,
                          win.w * 3) != 0;
        free(in), free(whole), free(part);
    }
    ok(!bad, "400 windows of kernel %s equal that part of the C kernel's picture", k->name);
    ok(widest < 127 << 16, "weights fit into three digits of 8 bits: the largest is %.3f", widest / 4194304.0);
}

static void longest(struct arena a) {
    struct prep p = {.size = 8, .crop = 8, .resize = RESIZE_LONGEST, .filter = FILTER_BICUBIC,
                     .fill = {1, 2, 3}};
    unsigned char in[5 * 16 * 3], out[8 * 8 * 3];
    struct prep_place l = prep_where(&p, 5, 16);
    int bad = 0;

    memset(in, 200, sizeof in);
    ok(l.h == 2 && l.w == 8 && l.pad_y == 3, "longest: 16 x 5 becomes 8 x 2 (2.5 to even), 3 rows down");
    ok(prep_crop(&p, in, 5, 16, out, a, NULL) == 0, "it is cropped");
    for (size_t i = 0; i < sizeof out; i++)
        bad += out[i] != (i / 24 == 3 || i / 24 == 4 ? 200 : p.fill[i % 3]);
    ok(!bad, "and padded with the fill");
    l = prep_where(&p, 1000, 1);
    ok(l.w == 1, "a side that rounds to nothing is 1");
    p.resize = RESIZE_SQUASH;
    l = prep_where(&p, 5, 16);
    ok(l.h == 8 && l.w == 8 && !l.cut_x, "squash: S x S");
    p = (struct prep){.size = 4, .crop = 7, .rule = CROP_HF};
    l = prep_where(&p, 9, 9);
    ok(l.pad_x == 2 && l.rows == 4, "Hugging Face pads the odd pixel first");
    p.rule = CROP_TORCHVISION;
    ok(prep_where(&p, 9, 9).pad_x == 1, "torchvision last");
    p = square(224, CROP_TORCHVISION);
    l = prep_where(&p, 100000000, 1);
    ok(l.h == 22400000000 && l.cut_y == 11199999888, "a picture of extreme shape does not overflow");
}

static void planes(void) {
    const unsigned char px[3] = {0, 128, 255};
    struct prep p = {.size = 1, .crop = 1, .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                     .std = {0.26862954f, 0.26130258f, 0.27577711f}, .normalize = true};
    /* torch.tensor(x) / 255, then sub and div in f32; Hugging Face's by numpy */
    const float want[3] = {-1.79226255f, 0.168897316f, 2.14589691f};
    const float x[3] = {-1, 1.5f / 127.5f - 1 + 0.5f / 127.5f, 3};
    unsigned char q[3];
    float out[3], hf[3];
    int differ = 0;

    prep_planes(&p, px, out);
    close_to(out, want, 3, 0, 0, "mean and std of OpenAI");
    p.rescale = 1.0 / 255;
    prep_planes(&p, px, hf);
    for (int v = 0; v < 256; v++)
        differ += (float)v / 255 != (float)(v * (1.0 / 255));
    ok(!differ, "x / 255 in f32 and x * (1 / 255) in double differ for %d of 256 values", differ);
    prep_quantize(x, 1, 1, q);
    ok(q[0] == 0 && q[1] == 2 && q[2] == 255, "f32 pictures: half to even, clamped: %d %d %d", q[0], q[1], q[2]);
}

/* The longer side limited: the sizes that transformers 5.24 gives for {shortest_edge: 32, longest_edge: 40}. */
static void longest_edge(void) {
    static const struct { size_t w, h, rows, cols; } want[] = {
        {100, 30, 12, 40}, {30, 100, 40, 12}, {64, 64, 32, 32}, {97, 61, 25, 40}, {32, 90, 40, 14}, {36, 32, 32, 36},
        {100000, 1, 1, 40},
    };
    struct prep p = {.size = 32, .most = 40, .crop = 32, .resize = RESIZE_SHORTEST, .rule = CROP_HF};

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct prep_place l = prep_where(&p, want[i].h, want[i].w);
        ok(l.h == want[i].rows && l.w == want[i].cols, "%zu x %zu becomes %zu x %zu", want[i].w, want[i].h, l.w, l.h);
    }
    p.most = 320;
    ok(prep_where(&p, 30, 100).w == 106 && prep_where(&p, 30, 100).h == 32, "a limit that is not reached changes nothing");
}

int main(void) {
    TAP_ARENA(a, 32);
    TAP_ARENA(small, 1);
    struct prep p = square(224, CROP_TORCHVISION);
    unsigned char *in = picture("noise", 9000, 4);
    const struct resize_kernel *k;
    struct err e = {0};
    size_t i;

    for (i = 0; (k = resize_kernel_at(i)); i++)
        golden(a, k, k->name), filters(a, k, k->name), windows(a, k);
    ok(resize_kernel_best() == resize_kernel_at(i - 1), "the last kernel is the best: %s", resize_kernel_best()->name);
    longest(a);
    longest_edge();
    planes();
    p.resize = RESIZE_SQUASH;
    small.end = small.at + 20000;
    ok(prep_crop(&p, in, 4, 9000, in, small, &e) < 0, "too little memory is an error: %s", e.msg);
    free(in);
    free(a_mem.base);
    free(small_mem.base);
    return done();
}
