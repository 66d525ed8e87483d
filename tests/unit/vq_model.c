/* Finding and opening the autoencoders of DALL-E 1 in folders and files as people have them. */
#define _DEFAULT_SOURCE    /* mkdtemp */
#include "formats/checkpoint/vq_model.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/kernel/kern.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/dalle/"

static struct compute compute;

static int opens(struct vq_model *m, enum vq_half half, const char *path, struct arena *a, struct err *e) {
    const struct model_paths p = {.v = &path, .n = 1};

    e->msg[0] = 0;
    return vq_open(m, half, &p, &compute, a, e);
}

static void good(const char *path, enum vq_half half, const char *file, const char *yaml, size_t side, struct arena a) {
    struct vq_model m;
    struct err e = {0};
    int r = opens(&m, half, path, &a, &e);

    ok(r == 0 && !strcmp(m.file, file) && (yaml ? m.yaml && !strcmp(m.yaml, yaml) : !m.yaml) && m.side == side &&
       (half == VQ_ENCODER ? m.encoder != NULL : m.decoder != NULL) && strlen(m.fingerprint) == 16,
       "%s of %s: %s, %s, side %zu %s", half == VQ_ENCODER ? "encoder" : "decoder", path, r ? "" : m.file,
       r || !m.yaml ? "no yaml" : m.yaml, m.side, e.msg);
}

static void bad(const char *path, enum vq_half half, const char *why, struct arena a) {
    struct vq_model m;
    struct err e = {0};

    ok(opens(&m, half, path, &a, &e) < 0 && strstr(e.msg, why), "refused: %s (%s)", why, e.msg);
}

/* dir/name with that text, or a link to a file of the repository. */
static const char *put(const char *dir, const char *name, const char *text, const char *target) {
    static char path[PATH_MAX];
    char full[PATH_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
    if (target) {
        if (!realpath(target, full) || symlink(full, path) < 0)
            ok(0, "%s", path);
        return path;
    }
    f = fopen(path, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        ok(0, "%s", path);
    return path;
}

static void yamls(const char *dir, struct arena a) {
    static const char *const cases[][2] = {
        {"model: {params: {n_embed: 95, ddconfig: {resolution: 64}}}", "model.yaml: n_embed is 95, the codebook has 96 rows"},
        {"model: {params: {embed_dim: 25, ddconfig: {resolution: 64}}}", "model.yaml: embed_dim is 25, the codebook has 24 columns"},
        {"model: {params: {ddconfig: {ch_mult: [1, 1]}}}", "model.yaml: ch_mult has 2 levels, the tensors have 3"},
        {"model: {target: a.GumbelVQ, params: {ddconfig: {resolution: 64}}}", "model.yaml: target is GumbelVQ, the tensors are those of the other"},
        {"model: {params: {ddconfig: [}", "model.yaml: not valid YAML: line 1"},
    };
    char file[PATH_MAX], yaml[PATH_MAX];

    snprintf(file, sizeof file, "%s/last.ckpt", dir);
    snprintf(yaml, sizeof yaml, "%s/model.yaml", dir);
    put(dir, "last.ckpt", NULL, GOLDEN "vqgan/vq/model.ckpt");
    put(dir, "epoch.ckpt", "not weights", NULL);
    good(dir, VQ_ENCODER, file, NULL, 256, a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(dir, "model.yaml", cases[i][0], NULL);
        bad(dir, VQ_ENCODER, cases[i][1], a);
    }
    put(dir, "model.yaml", "dataset: other\n", NULL);
    good(dir, VQ_ENCODER, file, NULL, 256, a);
    put(dir, "model.yaml", "model: {params: {ddconfig: {resolution: 100}}}", NULL);
    good(dir, VQ_DECODER, file, yaml, 100, a);
    put(dir, "model.yaml", "model: {params: {ddconfig: {resolution: 102}}}", NULL);    /* no multiple of f = 4 */
    good(dir, VQ_DECODER, file, yaml, 256, a);
    unlink(file);
    bad(dir, VQ_ENCODER, "no encoder of pictures to tokens in ", a);
    bad(dir, VQ_ENCODER, "epoch.ckpt: neither safetensors nor a PyTorch file", a);
}

/* Whose tokens mean the same. */
static void codes(struct arena a) {
    struct vq_model e1, d1, e2, d2, vq, gumbel;
    const char *const alone = GOLDEN "dvae/decoder.pkl";
    struct err e;

    ok(opens(&e1, VQ_ENCODER, GOLDEN "dvae/encoder.pkl", &a, &e) == 0 && opens(&e2, VQ_ENCODER, GOLDEN "dvae/encoder.safetensors", &a, &e) == 0 &&
       !strcmp(e1.codes, e2.codes) && !strcmp(e1.fingerprint, e2.fingerprint), "the same weights in another file, permuted strides and all");
    ok(opens(&d1, VQ_DECODER, GOLDEN "dvae", &a, &e) == 0 && !strcmp(d1.codes, e1.codes) && strcmp(d1.fingerprint, e1.fingerprint),
       "a dVAE's decoder has the codes of the encoder next to it");
    ok(opens(&d2, VQ_DECODER, alone, &a, &e) == 0 && !d2.codes[0] && !strcmp(d2.fingerprint, d1.fingerprint), "and none where there is no encoder");
    ok(opens(&vq, VQ_ENCODER, GOLDEN "vqgan/vq", &a, &e) == 0 && opens(&gumbel, VQ_ENCODER, GOLDEN "vqgan/gumbel", &a, &e) == 0 &&
       strcmp(vq.codes, gumbel.codes), "other codebooks, other codes");
    ok(opens(&d2, VQ_DECODER, GOLDEN "vqgan/vq", &a, &e) == 0 && !strcmp(d2.codes, vq.codes) && !strcmp(d2.fingerprint, vq.fingerprint),
       "both halves of one file agree");
}

int main(void) {
    TAP_ARENA(a, 64);
    struct err e = {0};
    char dir[] = "/tmp/vq_model.XXXXXX", cmd[64];

    compute = (struct compute){.kern = &kern_c, .pool = pool_start(&a, 1, &e)};
    good(GOLDEN "dvae", VQ_ENCODER, GOLDEN "dvae/encoder.pkl", NULL, 256, a);
    good(GOLDEN "dvae", VQ_DECODER, GOLDEN "dvae/decoder.pkl", NULL, 256, a);
    good(GOLDEN "vqgan/vq", VQ_ENCODER, GOLDEN "vqgan/vq/model.ckpt", GOLDEN "vqgan/vq/config.yaml", 64, a);
    good(GOLDEN "vqgan/gumbel/model.ckpt", VQ_DECODER, GOLDEN "vqgan/gumbel/model.ckpt", GOLDEN "vqgan/gumbel/config.yaml", 32, a);
    good(GOLDEN "vqgan/gumbel_dwt", VQ_DECODER, GOLDEN "vqgan/gumbel_dwt/model.ckpt", GOLDEN "vqgan/gumbel_dwt/config.yaml", 16, a);
    good(GOLDEN "mindalle", VQ_ENCODER, GOLDEN "mindalle/stage1_last.ckpt", GOLDEN "mindalle/config.yaml", 16, a);
    good(GOLDEN "dallemini", VQ_DECODER, GOLDEN "dallemini/detoker.pt", NULL, 256, a);
    bad(GOLDEN "dallemini", VQ_ENCODER, "detoker.pt: a decoder without its encoder", a);
    bad(GOLDEN "dvae/encoder.pkl", VQ_DECODER, "encoder.pkl: an encoder without its decoder", a);
    bad("tests/golden/clip/micro_zip.pt", VQ_ENCODER, "micro_zip.pt: no discrete autoencoder", a);
    bad("tests/golden/nowhere", VQ_ENCODER, "nowhere (no such file or directory)", a);
    bad("tests/golden/tok", VQ_ENCODER, "tok (no weights in it)", a);
    codes(a);
    if (ok(mkdtemp(dir) != NULL, "a folder"))
        yamls(dir, a);
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    ok(system(cmd) == 0, "removed");
    pool_stop(compute.pool);
    free(a_mem.base);
    return done();
}
