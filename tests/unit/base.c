/* lib/base: arena, tensor views, 16-bit floats, weight tables. */
#include "lib/base/arena.h"
#include "lib/base/size.h"
#include "lib/base/span.h"
#include "lib/base/tensor.h"

#include <stdint.h>

#include "tests/tap.h"

static void arenas(void) {
    TAP_ARENA(a, 8);
    struct arena copy = a, part;
    struct arena_mem part_mem;
    char *p = arena_take(&a, 100, 1), *q = arena_take(&a, 1, 1);

    ok((uintptr_t)p % ARENA_ALIGN == 0 && (uintptr_t)q % ARENA_ALIGN == 0, "blocks are aligned");
    ok(q - p >= 100 + ARENA_ALIGN, "a gap follows each block");
    ok(arena_take(&copy, 100, 1) == p, "a copy gives the same memory again: scratch");
    ok(!arena_take(&a, SIZE_MAX / 2, 3), "n * size that overflows is refused");
    ok(!arena_take(&a, 8 << 20, 1), "more than there is is refused");
    ok(arena_grow(&a, p, 100, 200) < 0, "only the last block can grow");
    ok(arena_grow(&a, q, 1, 5000) == 0 && (char *)arena_take(&a, 1, 1) >= q + 5000, "the last one grows in place");
    ok(arena_split(&a, 3 << 20, &part_mem, &part) == 0, "a part is cut off the end");
    ok(arena_take(&part, 3 << 20, 1) && !arena_take(&a, 5 << 20, 1), "and belongs to nobody else");
    ok(arena_split(&a, (size_t)1 << 40, &part_mem, &part) < 0, "a part larger than the rest is refused");
    free(a_mem.base);
}

static void halves(void) {
    int bad = 0, badb = 0;

    for (unsigned h = 0; h < 65536; h++) {
        float f = f16_f32((unsigned short)h), g = bf16_f32((unsigned short)h);
        int nan = isnan(f), nanb = isnan(g);
        bad += nan ? !isnan(f16_f32(f32_f16(f))) : f32_f16(f) != h;
        badb += nanb ? !isnan(bf16_f32(f32_bf16(g))) : f32_bf16(g) != h;
    }
    ok(!bad, "f16 -> f32 -> f16 is the identity for all 65,536");
    ok(!badb, "bf16 -> f32 -> bf16 is the identity for all 65,536");
    ok(f32_f16(1 + 0x1p-11f) == 0x3c00 && f32_f16(1 + 0x3p-11f) == 0x3c02, "ties go to even");
    ok(f32_f16(65519.99f) == 0x7bff && f32_f16(65520) == 0x7c00, "overflow begins at 65520");
    ok(f32_f16(0x1p-25f) == 0 && f32_f16(0x1.8p-24f) == 2, "subnormal halves round to even");
}

static void views(void) {
    const float d[6] = {1, 2, 3, 4, 5, 6}, want[6] = {1, 4, 2, 5, 3, 6};
    struct tensor t = {.nd = 2, .shape = {2, 3}, .data = d}, r;
    float out[6];
    size_t n;

    tensor_contiguous(&t);
    r = tensor_transposed(&t);
    tensor_f32(&r, 0, 6, out);
    ok(!memcmp(out, want, sizeof out), "a transposed view reads in its own order");
    tensor_f32(&r, 1, 4, out);
    ok(out[0] == 4 && out[1] == 2 && out[2] == 5, "a range of it too, across rows");
    ok(!tensor_is_contiguous(&r) && tensor_is_contiguous(&t), "contiguity is seen");
    r = tensor_rows(&t, 1, 2);
    tensor_f32(&r, 0, 3, out);
    ok(out[0] == 4 && r.shape[0] == 1, "rows are cut out");
    t.shape[0] = SIZE_MAX / 2;
    ok(tensor_count(&t, &n) < 0, "a product of dimensions that overflows is refused");
    t.shape[1] = 0;
    ok(tensor_count(&t, &n) == 0 && n == 0, "unless one of them is zero");
}

static void messages(void) {
    struct err e = {0};

    ok(err_set(&e, "tensor %s", "a\033[2J\n\177b") == -1 && !strcmp(e.msg, "tensor a?[2J??b"),
       "a message has no control characters: %s", e.msg);
    err_set(&e, "another");
    ok(e.msg[0] == 't', "the first one stays");
    struct err at = {0};
    char longest[600];

    ok(err_at(&at, "a file", &e) == -1 && !strcmp(at.msg, "a file: tensor a?[2J??b") && err_at(&at, "b", &e) == -1 && at.msg[0] == 'a',
       "with a place before it; the first place wins");
    err_clear(&at);
    memset(longest, 'x', sizeof longest - 1), longest[sizeof longest - 1] = 0;
    ok(!at.msg[0] && err_at(&at, longest, &e) == -1 && strstr(at.msg, "x: tensor a") && strlen(at.msg) == 400 + strlen(e.msg) + 2,
       "cleared; a name that is too long leaves room for the reason");
}

static void tables(void) {
    struct weight w[3] = {{.name = "b", .t = {.nd = 1, .shape = {3}}}, {.name = "a"}, {.name = "c"}};
    struct weights ws = {.w = w, .n = 3};
    struct err e = {0};
    struct tensor t;

    ok(weights_sort(&ws, &e) == 0 && weights_find(&ws, "b") == &w[1] && !weights_find(&ws, "d"), "found by name");
    ok(weights_take(&ws, "b", &t, &e, 1, (size_t)3) == 0 && w[1].used, "taken with the right shape");
    w[1].t.dtype = DT_I8;
    ok(weights_take(&ws, "b", &t, &e, 1, (size_t)3) < 0 && strstr(e.msg, "tensor b is I8: quantised weights are not supported"),
       "integers are not weights: %s", e.msg);
    w[1].t.dtype = DT_F32;
    e.msg[0] = 0;
    ok(weights_take(&ws, "b", &t, &e, 2, (size_t)3, (size_t)4) < 0 &&
       !strcmp(e.msg, "tensor b is [3], expected [3, 4]"), "a wrong shape is named: %s", e.msg);
    e.msg[0] = 0;
    w[0].name = "c";
    ok(weights_sort(&ws, &e) < 0, "a name that occurs twice is refused: %s", e.msg);
}

static void sizes(void) {
    size_t bad = 0;

    for (size_t n = 0; n < 5000; n++) {
        size_t r = square_root(n), p = power_of_two(n);

        bad += r * r > n || (r + 1) * (r + 1) <= n || p < n || (p & (p - 1)) || (n > 1 && p / 2 >= n);
    }
    ok(bad == 0, "square_root and power_of_two of 0 to 4999");
    ok(square_root(((size_t)1 << 60) - 1) == ((size_t)1 << 30) - 1 && power_of_two(((size_t)1 << 40) + 1) == (size_t)1 << 41,
       "of large numbers");
}

/* The order of bytes, in which a prefix comes first. */
static void spans(void) {
    static const char *const sorted[] = {"", "A", "a", "ab", "b", "\x80"};

    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            int c = span_compare(span_of(sorted[i]), span_of(sorted[j]));
            ok((c > 0) - (c < 0) == (i > j) - (i < j), "\"%s\" and \"%s\" are in order", sorted[i], sorted[j]);
        }
    ok(span_compare((struct span){NULL, 0}, SPAN("a")) < 0, "an empty span may have no bytes");
}

int main(void) {
    sizes();
    arenas();
    spans();
    halves();
    views();
    tables();
    messages();
    return done();
}
