/* make_vq - writes an autoencoder of the DALL-E 1 family with random weights
 *
 *     make_vq [-t] [-d f32|f16] [-s seed] FAMILY DIR
 *
 * FAMILY is f16-1024, f16-16384 (taming's VQModel), gumbel (GumbelVQ f8, taming's and ruDALL-E's), dwt (ruDALL-E's with
 * wavelets), detoker (min-dalle's decoder) or dvae (OpenAI's two halves).  Writes model.safetensors and config.yaml, or
 * for dvae encoder.safetensors and decoder.safetensors, with the same names, shapes and counts as the published files;
 * the counts are checked.  -t writes a tiny model of the same topology, with 32 channels and 64 codes.
 *
 * Weights have the variance with which torch initialises layers, so activations stay in a sane range.  Tensors are
 * written one by one.
 * The program is not installed.  Its files are for tests that take too long for `make check`.
 */
#define _DEFAULT_SOURCE

#include <getopt.h>

#include "tests/random_weights.h"

enum { LEVELS = 5, BLOCKS = 2 };

struct family {
    const char *name, *prefix;
    size_t levels, ch, mult[LEVELS], attention;    /* attention: 1 if the lowest level has attention */
    size_t codes, embed;
    int gumbel, wavelet, encoder;
    size_t tensors, numbers;
};

static const struct family families[] = {
    {"f16-1024", "", 5, 128, {1, 1, 2, 2, 4}, 1, 1024, 256, 0, 0, 1, 343, 72141699},
    {"f16-16384", "", 5, 128, {1, 1, 2, 2, 4}, 1, 16384, 256, 0, 0, 1, 343, 76073859},
    {"gumbel", "", 4, 128, {1, 1, 2, 4}, 1, 8192, 256, 1, 0, 1, 301, 68995971},
    {"dwt", "model.", 4, 128, {1, 1, 2, 4}, 1, 8192, 256, 1, 1, 1, 303, 69072140},
    {"detoker", "", 5, 128, {1, 1, 2, 2, 4}, 1, 16384, 256, 0, 0, 0, 197, 46709891},
};

/* A copy of a name.  The results of cat() are soon overwritten, so a name that is used more than once is copied. */
struct name { char s[NAME_LEN / 2]; };

static struct name kept(const char *s) {
    struct name n;

    if (snprintf(n.s, sizeof n.s, "%.47s", s) != (int)strlen(s))
        fail(s, "too long a name");
    return n;
}

/* Returns a name with a number in it, such as "down.0.block." for "down.", 0 and ".block.". */
static const char *around(const char *before, size_t number, const char *after) {
    struct name n;

    snprintf(n.s, sizeof n.s, "%zu", number);
    return cat(before, cat(n.s, after));
}

static void norm(const char *name, size_t c) {
    const struct name n = kept(name);

    add(cat(n.s, ".weight"), 1, 0.1, 0, 1, c, 0, 0, 0);
    add(cat(n.s, ".bias"), 0, 0.05, 0, 1, c, 0, 0, 0);
}

static void conv_as(const char *name, const char *w, const char *b, size_t co, size_t ci, size_t side) {
    const struct name n = kept(name);

    add(cat(n.s, w), 0, 1 / sqrt(3. * (double)(ci * side * side)), PRODUCT, 4, co, ci, side, side);
    add(cat(n.s, b), 0, 0.02, PRODUCT, 1, co, 0, 0, 0);
}

static void conv(const char *name, size_t co, size_t ci, size_t side) {
    conv_as(name, ".weight", ".bias", co, ci, side);
}

/* ---- VQGAN ---- */

static size_t block(const char *name, size_t ci, size_t co) {
    const struct name n = kept(name);
    const char *at = n.s;

    norm(cat(at, ".norm1"), ci);
    conv(cat(at, ".conv1"), co, ci, 3);
    norm(cat(at, ".norm2"), co);
    conv(cat(at, ".conv2"), co, co, 3);
    if (ci != co)
        conv(cat(at, ".nin_shortcut"), co, ci, 1);
    return co;
}

static void attention(const char *name, size_t c) {
    static const char *const parts[] = {".q", ".k", ".v", ".proj_out"};
    const struct name n = kept(name);
    const char *at = n.s;

    norm(cat(at, ".norm"), c);
    for (int i = 0; i < 4; i++)
        conv(cat(at, parts[i]), c, c, 1);
}

static void middle(const char *half, size_t c) {
    block(cat(half, "mid.block_1"), c, c);
    attention(cat(half, "mid.attn_1"), c);
    block(cat(half, "mid.block_2"), c, c);
}

static void encoder(const struct family *f) {
    const struct name half = kept(cat(f->prefix, "encoder."));
    const char *h = half.s;
    size_t c = f->ch;

    conv(cat(h, "conv_in"), c, 3, 3);
    for (size_t l = 0; l < f->levels; l++) {
        for (size_t b = 0; b < BLOCKS; b++) {
            c = block(cat(h, around(around("down.", l, ".block."), b, "")), c, f->ch * f->mult[l]);
            if (f->attention && l + 1 == f->levels)
                attention(cat(h, around(around("down.", l, ".attn."), b, "")), c);
        }
        if (l + 1 < f->levels)
            conv(cat(h, around("down.", l, ".downsample.conv")), c, c, 3);
    }
    middle(h, c);
    norm(cat(h, "norm_out"), c);
    conv(cat(h, "conv_out"), f->embed, c, 3);
    conv(cat(f->prefix, "quant_conv"), f->embed, f->embed, 1);
}

static void decoder(const struct family *f) {
    const struct name half = kept(cat(f->prefix, f->wavelet ? "decoder.decoder." : "decoder."));
    const char *h = half.s;
    size_t c = f->ch * f->mult[f->levels - 1];

    if (f->wavelet)
        conv(cat(f->prefix, "decoder.post_quant_conv"), f->embed, f->embed, 1);
    conv(cat(f->prefix, "post_quant_conv"), f->embed, f->embed, 1);
    conv(cat(h, "conv_in"), c, f->embed, 3);
    middle(h, c);
    for (size_t l = f->levels; l-- > 0;) {
        for (size_t b = 0; b <= BLOCKS; b++) {
            c = block(cat(h, around(around("up.", l, ".block."), b, "")), c, f->ch * f->mult[l]);
            if (f->attention && l + 1 == f->levels)
                attention(cat(h, around(around("up.", l, ".attn."), b, "")), c);
        }
        if (l)
            conv(cat(h, around("up.", l, ".upsample.conv")), c, c, 3);
    }
    norm(cat(h, "norm_out"), c);
    conv(cat(h, "conv_out"), f->wavelet ? 12 : 3, c, 3);
}

static void codebook(const struct family *f) {
    const char *name = f->gumbel ? "quantize.embed.weight" : f->encoder ? "quantize.embedding.weight" : "embedding.weight";

    add(cat(f->prefix, name), 0, 1, 0, 2, f->codes, f->embed, 0, 0);
    if (f->gumbel)
        conv(cat(f->prefix, "quantize.proj"), f->codes, f->embed, 1);
}

static void yaml(const struct family *f, const char *dir) {
    FILE *o = create(dir, "config.yaml");

    fprintf(o, "model:\n  target: taming.models.vqgan.%s\n  params:\n    embed_dim: %zu\n    n_embed: %zu\n    ddconfig:\n"
            "      double_z: false\n      z_channels: %zu\n      resolution: 256\n      in_channels: 3\n      out_ch: 3\n      ch: %zu\n"
            "      ch_mult: [", f->gumbel ? "GumbelVQ" : "VQModel", f->embed, f->codes, f->embed, f->ch);
    for (size_t l = 0; l < f->levels; l++)
        fprintf(o, "%s%zu", l ? ", " : "", f->mult[l]);
    fprintf(o, "]\n      num_res_blocks: %d\n      attn_resolutions: [%d]\n      dropout: 0.0\n", BLOCKS, 256 >> (f->levels - 1));
    finish(o);
}

/* ---- dVAE ---- */

static void dvae(int decoder_half, size_t hid, size_t codes) {
    static const size_t down[] = {1, 2, 4, 8}, up[] = {8, 4, 2, 1};
    size_t c = decoder_half ? hid / 2 : hid;
    char at[NAME_LEN / 2];

    conv_as("blocks.input", ".w", ".b", c, decoder_half ? codes : 3, decoder_half ? 1 : 7);
    for (size_t g = 0; g < 4; g++)
        for (size_t b = 1; b <= 2; b++) {
            size_t co = hid * (decoder_half ? up[g] : down[g]), in = c;
            snprintf(at, sizeof at, "blocks.group_%zu.block_%zu", g + 1, b);
            if (c != co)
                conv_as(cat(at, ".id_path"), ".w", ".b", co, c, 1);
            for (size_t i = 1; i <= 4; i++) {
                conv_as(cat(at, around(".res_path.conv_", i, "")), ".w", ".b", i == 4 ? co : co / 4, in,
                        i == (decoder_half ? 1u : 4u) ? 1 : 3);
                in = co / 4;
            }
            c = co;
        }
    conv_as("blocks.output.conv", ".w", ".b", decoder_half ? 6 : codes, c, 1);
}

/* ---- files ---- */

/* Writes the tensors that were listed into one file.  Unless `tensors` is 0, there must be as many tensors and numbers
 * as in the published file. */
static void file(const char *dir, const char *name, size_t tensors, size_t numbers) {
    size_t n = 0;

    for (size_t i = 0; i < nitem; i++)
        n += count(&items[i]);
    printf("%s/%s: %zu tensors, %zu numbers\n", dir, name, nitem, n);
    if (tensors && (nitem != tensors || n != numbers))
        fail(name, "not as large as the published file");
    safetensors(dir, name, "", "");
    nitem = 0;
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: make_vq [-t] [-d f32|f16] [-s seed] FAMILY DIR\n");
    exit(2);
}

int main(int argc, char *argv[]) {
    struct family f = {.name = NULL};
    const char *family, *dir;
    int c, tiny = 0;

    program = "make_vq";
    while ((c = getopt(argc, argv, "d:s:t")) != -1)
        switch (c) {
        case 'd': dtype_opt = optarg; break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        case 't': tiny = 1; break;
        default: usage();
        }
    if (argc - optind != 2 || (strcmp(dtype_opt, "f32") && strcmp(dtype_opt, "f16")))
        usage();
    family = argv[optind], dir = argv[optind + 1];
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].name, family))
            f = families[i];
    if (!f.name && strcmp(family, "dvae"))
        usage();
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        fail(dir, strerror(errno));
    if (!f.name) {
        dvae(0, tiny ? 32 : 256, tiny ? 64 : 8192);
        file(dir, "encoder.safetensors", tiny ? 0 : 74, 53786240);
        dvae(1, tiny ? 32 : 256, tiny ? 64 : 8192);
        file(dir, "decoder.safetensors", tiny ? 0 : 76, 43829766);
        return 0;
    }
    if (tiny)
        f.ch = f.embed = 32, f.codes = 64, f.tensors = 0;
    if (f.encoder)
        encoder(&f);
    codebook(&f);
    decoder(&f);
    yaml(&f, dir);
    file(dir, "model.safetensors", f.tensors, f.numbers);
    return 0;
}
