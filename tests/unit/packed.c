/* threads */
#define _DEFAULT_SOURCE    /* MAP_ANONYMOUS */
/* Every network that is bound from the blocks of an earlier binding gives the same bytes and reads no tensor; and the
 * blocks have the bytes that belong to this PACKED_LAYOUT. */
#include "lib/kernel/packed.h"

#include <inttypes.h>
#include <stdint.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/checkpoint/unclip_config.h"
#include "formats/checkpoint/weights.h"
#include "lib/net/clip.h"
#include "lib/net/prior.h"
#include "lib/net/text_proj.h"
#include "lib/net/unet.h"
#include "tests/kernels.h"
#include "tests/tap.h"

enum { ROWS = 5, OUT = 4096 };

struct network {
    const char *name, *file;
    /* Bind ws and run it on the same numbers; 0 or -1. */
    int (*run)(const struct weights *ws, const struct compute *c, float *out, struct arena a, struct err *e);
};

/* From -1 to 1, always the same. */
static float *numbers(size_t n, struct arena *a) {
    float *p = arena_take(a, n, sizeof *p);
    uint32_t s = 1;

    for (size_t i = 0; p && i < n; i++) {
        s = s * 1664525 + 1013904223;
        p[i] = (float)(int32_t)s * 0x1p-31f;
    }
    return p;
}

/* ---- networks ---- */

static int clip_of(struct clip_config *c, const struct weights *ws, struct err *e) {
    *c = (struct clip_config){.family = clip_families[0]};
    return clip_config_from_weights(c, ws, e);
}

static int run_text(const struct weights *ws, const struct compute *k, float *out, struct arena a, struct err *e) {
    static const int ids[ROWS] = {3, 1, 4, 1, 5}, *const tokens = ids;
    const size_t len = ROWS;
    struct clip_config c;
    struct clip_text *t;

    if (clip_of(&c, ws, e) < 0 || !(t = clip_bind_text(&c, ws, k, &a, e)))
        return -1;
    clip_text_run(t, k, 1, &tokens, &len, out, NULL, arena_take(&a, clip_text_scratch(t, 1, len), 1));
    return 0;
}

static int run_image(const struct weights *ws, const struct compute *k, float *out, struct arena a, struct err *e) {
    struct clip_config c;
    struct clip_vision *v;

    if (clip_of(&c, ws, e) < 0 || !(v = clip_bind_vision(&c, ws, k, &a, e)))
        return -1;
    clip_image_run(v, k, 1, numbers(3 * c.vision.image * c.vision.image, &a), out,
                   NULL, arena_take(&a, clip_image_scratch(v, 1), 1));
    return 0;
}

static int run_prior(const struct weights *ws, const struct compute *k, float *out, struct arena a, struct err *e) {
    struct transformer_cache cache, *past = &cache;
    struct prior_config g;
    struct prior *p;
    float *x;

    if (prior_config_from_weights(&g, 4, ws, e) < 0 || !(p = prior_bind(&g, ws, k, &a, e)))
        return -1;
    x = numbers((ROWS + 1) * g.embed, &a);
    prior_cache(p, ROWS, &cache, &a);
    prior_prefill(p, k, ROWS, x, x + ROWS * g.embed, &cache, arena_take(&a, prior_scratch(p, ROWS, 1), 1));
    prior_step(p, k, 1, (const struct transformer_cache *const *)&past, 7, x, out,
               arena_take(&a, prior_scratch(p, 0, 1), 1));
    prior_denormalise(p, 1, out);
    return 0;
}

static int run_unet(const struct weights *ws, const struct compute *k, float *out, struct arena a, struct err *e) {
    struct unet_context ctx;
    const struct unet_context *one = &ctx;
    struct unet_config c;
    struct err none = {0};
    struct mapfile m;
    struct unet *u;
    size_t side;

    if (mapfile_open(&m, "tests/golden/karlo/decoder/config.json", e) < 0 ||
        unclip_config_unet(&c, &side, m.p, m.n, &none) < 0 || !(u = unet_bind(&c, ws, k, &a, e)))
        return -1;
    if (unet_context(u, k, numbers(ROWS * c.context, &a), ROWS, &ctx, &a, e) < 0)
        return -1;
    return unet_run(u, k, 1, side, side, numbers(side * side * c.in, &a), 333, numbers(4 * c.width[0], &a), &one, out, a, e);
}

static int run_text_proj(const struct weights *ws, const struct compute *k, float *out, struct arena a, struct err *e) {
    struct text_proj_config g;
    struct text_proj p;
    float *x;

    if (text_proj_config_from_weights(&g, ws, e) < 0 || text_proj_bind(&p, &g, ws, k, &a, e) < 0)
        return -1;
    x = numbers(2 * g.embed + ROWS * g.states, &a);
    text_proj_run(&p, k, x, x + g.embed, ROWS, x + 2 * g.embed, out, out + g.time,
                  arena_take(&a, text_proj_scratch(&p, k, ROWS), 1));
    return 0;
}

static const struct network networks[] = {
    {"text", "clip/vit", run_text},
    {"image, transformer", "clip/vit", run_image},
    {"image, ResNet", "clip/rn", run_image},
    {"prior", "karlo/prior/diffusion_pytorch_model", run_prior},
    {"U-Net", "karlo/decoder/diffusion_pytorch_model", run_unet},
    {"text_proj", "karlo/text_proj/diffusion_pytorch_model", run_text_proj},
};

/* ---- binding again ---- */

/* A copy of the table whose tensors are in memory that cannot be read, except those that bind_rows takes. */
static struct weights out_of_reach(const struct weights *ws, void *nowhere, struct arena *a) {
    struct weights r = {.w = arena_take(a, ws->n, sizeof *r.w), .n = ws->n};

    for (size_t i = 0; i < ws->n; i++) {
        r.w[i] = ws->w[i];
        if (strcmp(ws->w[i].name, "token_embedding.weight") != 0 && strcmp(ws->w[i].name, "logit_scale") != 0)
            r.w[i].t.data = nowhere;
    }
    return r;
}

static void add_blocks(XXH64_state_t *h, const struct packed *p) {
    for (size_t i = 0; i < p->n; i++) {
        uint64_t n = p->block[i].n;
        XXH64_update(h, &n, sizeof n);
        XXH64_update(h, p->block[i].p, p->block[i].n);
    }
}

static void network(const struct network *t, const struct compute *c, XXH64_state_t *h, void *nowhere, struct arena a) {
    struct packed p = {.block = arena_take(&a, PACKED_MOST, sizeof *p.block), .room = PACKED_MOST};
    float *want = arena_zero(&a, OUT, sizeof *want), *got = arena_zero(&a, OUT, sizeof *got);
    struct packed_block *noted;
    const struct clip_family *family;
    struct weights ws, far;
    struct err e = {0};
    char path[200];

    snprintf(path, sizeof path, "tests/golden/%s.safetensors", t->file);
    if (weights_open(&ws, path, &a, &e) < 0 ||
        (!strncmp(t->file, "clip", 4) && clip_canonical_names(&ws, &family, &e) < 0) || t->run(&ws, c, want, a, &e) < 0) {
        ok(0, "%s: %s", t->name, e.msg);
        return;
    }
    ws.packed = &p;
    /* the noted blocks are in memory that is given out again afterwards */
    struct arena kept = a;
    kept.at += (a.end - a.at) / 2;
    kept.at -= (uintptr_t)kept.at % ARENA_ALIGN;
    ok(t->run(&ws, c, got, kept, &e) == 0 && !memcmp(got, want, OUT * sizeof *got) && p.n && !p.lost,
       "%s, %s: noting changes nothing", c->kern->name, t->name);
    add_blocks(h, &p);
    noted = p.block;
    p.finding = true;
    far = out_of_reach(&ws, nowhere, &a);
    far.packed = &p;
    memset(got, 0, OUT * sizeof *got);
    ok(t->run(&far, c, got, a, &e) == 0 && !memcmp(got, want, OUT * sizeof *got) && packed_used_up(&p),
       "%s, %s: from %zu blocks, without a look at the tensors: the same bytes %s", c->kern->name, t->name, p.n, e.msg);
    p.next = 0;
    noted[p.n / 2].n += 64;
    ok(t->run(&far, c, got, a, &e) < 0 && !strcmp(e.msg, "what was packed before does not fit"),
       "%s, %s: a block of another size is refused", c->kern->name, t->name);
    noted[p.n / 2].n -= 64;
    p.next = 0;
    p.n--;
    e.msg[0] = 0;
    ok(t->run(&far, c, got, a, &e) < 0 && !strcmp(e.msg, "what was packed before does not fit"),
       "%s, %s: one block too few is refused", c->kern->name, t->name);
}

/* ---- layout ---- */

/* Hashes of the packed bytes when PACKED_LAYOUT had this value. */
static const struct {
    const char *kern;
    enum precision precision;
    int layout;
    uint64_t hash;
} known[] = {
    {"avx2", PREC_F32, 2, 0xe912c9b0aaaa3051},
    {"avx2", PREC_BF16, 2, 0x3470f74b558bf77c},
    {"avx512", PREC_F32, 2, 0xdd82afafde95b613},
    {"avx512", PREC_BF16, 2, 0x64a5bbbf30bfa153},    /* as bf16 */
    {"bf16", PREC_BF16, 2, 0x64a5bbbf30bfa153},
};

static void layout(const struct kern *k, uint64_t hash) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].kern, k->name) && known[i].precision == k->precision) {
            ok(known[i].layout == PACKED_LAYOUT && known[i].hash == hash,
               "%s: the bytes of layout %d", k->name, PACKED_LAYOUT);
            if (known[i].hash != hash)
                printf("# %016" PRIx64 ", expected %016" PRIx64 ".  Other bytes come out of packing, or in another order: "
                       "files of packed weights must not be mistaken for such.  Count PACKED_LAYOUT up, and write this "
                       "hash here.\n", hash, known[i].hash);
            return;
        }
    ok(0, "kernel %s has a layout that is not known here", k->name);
}

static void noting_without_room(void) {
    struct packed_block one[1];
    struct packed p = {.block = one, .room = 1};

    packed_note(&p, "a", 1);
    packed_note(&p, "b", 1);
    ok(p.n == 1 && p.lost, "a full list is lost, and nothing is written behind it");
    packed_note(NULL, "a", 1);
    ok(!packed_finding(NULL) && !packed_useful(&kern_c), "no list, no packing kernel: nothing to do");
}

int main(void) {
    void *nowhere = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct kern *k;
    struct err e = {0};
    TAP_ARENA(a, 256);
    struct pool *pool = pool_start(&a, 2, &e);

    noting_without_room();
    for (size_t i = 0; (k = kern_tried(i)); i++) {
        struct compute c = {k, pool};
        XXH64_state_t h;

        if (!packed_useful(k))
            continue;
        XXH64_reset(&h, 0);
        for (size_t n = 0; n < sizeof networks / sizeof *networks; n++)
            network(&networks[n], &c, &h, nowhere, a);
        layout(k, XXH64_digest(&h));
    }
    pool_stop(pool);
    free(a_mem.base);
    return done();
}
