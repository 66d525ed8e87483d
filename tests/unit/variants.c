/* Golden: one tiny CLIP in nine files (tests/golden/clip/micro*: written by PyTorch and
 * safetensors from OpenAI's model.py with random weights).  All must load to the same numbers,
 * shapes, scale and fingerprint; bf16 to the rounded ones. */
#include "formats/checkpoint/weights.h"

#include "lib/net/clip.h"
#include "tests/tap.h"

#define DIR "tests/golden/clip/"

struct loaded {
    struct weights_file f;
    struct clip_config c;
    uint64_t print;
};

static int load(struct loaded *l, const char *path, struct arena *a, struct err *e) {
    if (weights_load(&l->f, path, a, e) < 0 ||
        clip_canonical_names(&l->f.weights, &l->c.family, e) < 0 ||
        clip_config_from_weights(&l->c, &l->f.weights, e) < 0 ||
        clip_check_names(&l->c, &l->f.weights, e) < 0)
        return -1;
    l->print = clip_fingerprint(&l->c, &l->f.weights, *a);
    return 0;
}

/* All elements of the canonical tensor `canon`, in its canonical order. */
static float *gather(const struct loaded *l, const char *canon, size_t *n, struct arena *a) {
    float *out = arena_take(a, 1 << 16, sizeof *out);

    *n = 0;
    for (int part = -1; part < 3; part++)
        for (size_t i = 0; i < l->f.weights.n; i++) {
            struct tensor t = l->f.weights.w[i].t;
            struct clip_name name;
            size_t count;

            if (!clip_name_parse(&name, l->c.family, l->f.weights.w[i].name) ||
                name.part != part || strcmp(name.canon, canon))
                continue;
            if (name.turned)
                t = tensor_transposed(&t);
            tensor_count(&t, &count);
            tensor_f32(&t, 0, count, out + *n);
            *n += count;
        }
    return out;
}

static size_t differences(const struct loaded *want, const struct loaded *got, int bf16,
                          struct arena a, size_t *seen) {
    size_t bad = 0;

    *seen = 0;
    for (size_t i = 0; i < want->f.weights.n; i++) {
        struct arena scratch = a;
        struct clip_name name;
        size_t n, m;
        float *x, *y;

        clip_name_parse(&name, want->c.family, want->f.weights.w[i].name);
        x = gather(want, name.canon, &n, &scratch);
        y = gather(got, name.canon, &m, &scratch);
        if (n != m)
            return n + m;
        for (size_t k = 0; k < n; k++)
            bad += (bf16 ? bf16_f32(f32_bf16(x[k])) : x[k]) != y[k];
        *seen += n;
    }
    return bad;
}

static int same_config(const struct clip_config *x, const struct clip_config *y) {
    return !memcmp(&x->text, &y->text, sizeof x->text) && !memcmp(&x->vision, &y->vision, sizeof x->vision);
}

int main(void) {
    static const struct { const char *file; int bf16; enum weights_kind kind; } v[] = {
        {"micro.safetensors", 0, WEIGHTS_SAFETENSORS},
        {"micro_zip.pt", 0, WEIGHTS_TORCH},
        {"micro_legacy.pt", 0, WEIGHTS_TORCH},
        {"micro_torchscript.pt", 0, WEIGHTS_TORCHSCRIPT},
        {"micro_openclip_train.pt", 0, WEIGHTS_TORCH},
        {"micro_parameters.pt", 0, WEIGHTS_TORCH},
        {"micro_bf16.pt", 1, WEIGHTS_TORCH},
        {"micro_hf.safetensors", 0, WEIGHTS_SAFETENSORS},
        {"micro_hf_strided_views.bin", 0, WEIGHTS_TORCH},
    };
    struct loaded want;

    TAP_ARENA(a, 32);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct loaded got = {0};
        struct err e = {0};
        char path[128];
        size_t n, bad;

        snprintf(path, sizeof path, DIR "%s", v[i].file);
        if (!ok(load(&got, path, &a, &e) == 0, "%s loads%s%s", v[i].file, *e.msg ? ": " : "", e.msg))
            continue;
        if (i == 0)
            want = got;
        bad = differences(&want, &got, v[i].bf16, a, &n);
        ok(bad == 0 && n == 119681, "%s: %zu of %zu numbers differ", v[i].file, bad, n);
        ok(got.f.kind == v[i].kind, "%s is %s", v[i].file, weights_kind_name(got.f.kind));
        ok(same_config(&want.c, &got.c), "%s: the same shapes", v[i].file);
        ok(v[i].bf16 || got.c.scale == want.c.scale, "%s: the same scale, %.9g", v[i].file,
           (double)got.c.scale);
        ok(got.print == want.print, "%s: fingerprint %016llx", v[i].file,
           (unsigned long long)got.print);
    }
    free(a_mem.base);
    return done();
}
