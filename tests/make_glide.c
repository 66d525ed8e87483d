/* make_glide - write GLIDE's four networks with random weights, under the original names
 *
 *     make_glide [-t] [-d f32|f16|mix] [-s seed] [-v vocabulary] DIR [NAME ...]
 *
 * NAME is base, base_inpaint, upsample or upsample_inpaint, all four by default; each becomes DIR/NAME.safetensors with the
 * names, shapes and counts of OpenAI's NAME.pt, which are checked.  -t: the same topology, tiny: heads of 64 as in the real
 * ones, levels of 64 and 128 channels, a text transformer of two layers, 16 tokens, a vocabulary of 320 (-v changes it),
 * pictures of 16 pixels.
 *
 * `mix` stores what OpenAI's convert_to_fp16 stores as f16.  Full-size files in f32 need 6.2 GB of disk.
 *
 * Not installed: it makes what tests need, and what `make check` is too short for.
 */
#define _DEFAULT_SOURCE

#include <getopt.h>

#include "tests/random_weights.h"

enum { LEVELS_MAX = 6 };

struct shape {
    size_t channels, levels, layers, width[LEVELS_MAX], first_attention;    /* attention at that level and below */
    size_t context, text, text_layers, vocab;
};

struct network {
    const char *name;
    int upsampler;
    size_t in, tensors, params;    /* the counts of the full-size network */
};

static const struct shape full[2] = {
    {192, 4, 3, {192, 384, 576, 768}, 1, 128, 512, 16, 50257},
    {192, 6, 2, {192, 192, 384, 384, 768, 768}, 3, 128, 512, 16, 50257},
};
static const struct shape tiny[2] = {
    {64, 2, 1, {64, 128}, 1, 16, 128, 2, 320},
    {64, 3, 1, {64, 64, 128}, 2, 16, 128, 2, 320},
};
static const struct network networks[] = {
    {"base", 0, 3, 783, 385030726},
    {"base_inpaint", 0, 7, 783, 385037638},
    {"upsample", 1, 6, 797, 398361286},
    {"upsample_inpaint", 1, 10, 797, 398368198},
};

static void norm(const char *name, size_t n) {
    add(cat(name, ".weight"), 1, 0.1, 0, 1, n, 0, 0, 0);
    add(cat(name, ".bias"), 0, 0.05, 0, 1, n, 0, 0, 0);
}

/* f16: does convert_to_fp16 turn this layer's numbers into f16? */
static void linear(const char *name, size_t n, size_t k, int f16) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)k), f16, 2, n, k, 0, 0);
    add(cat(name, ".bias"), 0, 0.02, f16, 1, n, 0, 0, 0);
}

static void conv(const char *name, size_t co, size_t ci, size_t side, int f16) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)(ci * side * side)), f16, 4, co, ci, side, side);
    add(cat(name, ".bias"), 0, 0.02, f16, 1, co, 0, 0, 0);
}

static void conv1d(const char *name, size_t co, size_t ci) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)ci), PRODUCT, 3, co, ci, 1, 0);
    add(cat(name, ".bias"), 0, 0.02, PRODUCT, 1, co, 0, 0, 0);
}

static void text(const struct shape *s) {
    size_t d = s->text;
    char at[NAME_LEN / 2];

    add("token_embedding.weight", 0, 0.5, PRODUCT, 2, s->vocab, d, 0, 0);
    add("positional_embedding", 0, 0.5, PRODUCT, 2, s->context, d, 0, 0);
    add("padding_embedding", 0, 0.5, PRODUCT, 2, s->context, d, 0, 0);
    for (size_t i = 0; i < s->text_layers; i++) {
        snprintf(at, sizeof at, "transformer.resblocks.%zu", i);
        norm(cat(at, ".ln_1"), d);
        linear(cat(at, ".attn.c_qkv"), 3 * d, d, PRODUCT);
        linear(cat(at, ".attn.c_proj"), d, d, PRODUCT);
        norm(cat(at, ".ln_2"), d);
        linear(cat(at, ".mlp.c_fc"), 4 * d, d, PRODUCT);
        linear(cat(at, ".mlp.c_proj"), d, 4 * d, PRODUCT);
    }
    norm("final_ln", d);
    linear("transformer_proj", 4 * s->channels, d, PRODUCT);
}

static void residual(const struct shape *s, const char *at, size_t ci, size_t co) {
    norm(cat(at, ".in_layers.0"), ci);
    conv(cat(at, ".in_layers.2"), co, ci, 3, PRODUCT);
    linear(cat(at, ".emb_layers.1"), 2 * co, 4 * s->channels, 0);
    norm(cat(at, ".out_layers.0"), co);
    conv(cat(at, ".out_layers.3"), co, co, 3, PRODUCT);
    if (ci != co)
        conv(cat(at, ".skip_connection"), co, ci, 1, PRODUCT);
}

static void attention(const struct shape *s, const char *at, size_t c) {
    norm(cat(at, ".norm"), c);
    conv1d(cat(at, ".qkv"), 3 * c, c);
    conv1d(cat(at, ".encoder_kv"), 2 * c, s->text);
    conv1d(cat(at, ".proj_out"), c, c);
}

/* Block n on the way down or up: a residual block, and the attention of its level. */
static void block(const struct shape *s, const char *way, size_t n, size_t l, size_t ci, size_t co) {
    char at[NAME_LEN / 2];

    snprintf(at, sizeof at, "%s_blocks.%zu.0", way, n);
    residual(s, at, ci, co);
    snprintf(at, sizeof at, "%s_blocks.%zu.1", way, n);
    if (l >= s->first_attention)
        attention(s, at, co);
}

static void unet(const struct shape *s, size_t in) {
    const size_t *w = s->width, low = w[s->levels - 1];
    size_t skip[LEVELS_MAX * 4 + 1], skips = 0, n = 1, h = w[0];
    char at[NAME_LEN / 2];

    linear("time_embed.0", 4 * s->channels, s->channels, 0);
    linear("time_embed.2", 4 * s->channels, 4 * s->channels, 0);
    conv("input_blocks.0.0", w[0], in, 3, PRODUCT);
    skip[skips++] = h;
    for (size_t l = 0; l < s->levels; l++) {
        for (size_t j = 0; j < s->layers; j++, n++) {
            block(s, "input", n, l, h, w[l]);
            skip[skips++] = h = w[l];
        }
        if (l + 1 < s->levels) {
            snprintf(at, sizeof at, "input_blocks.%zu.0", n++);
            residual(s, at, h, h);
            skip[skips++] = h;
        }
    }
    residual(s, "middle_block.0", low, low);
    attention(s, "middle_block.1", low);
    residual(s, "middle_block.2", low, low);
    n = 0;
    for (size_t l = s->levels; l-- > 0;) {
        for (size_t j = 0; j <= s->layers; j++, n++) {
            block(s, "output", n, l, h + skip[--skips], w[l]);
            h = w[l];
        }
        snprintf(at, sizeof at, "output_blocks.%zu.%d", n - 1, l >= s->first_attention ? 2 : 1);
        if (l)
            residual(s, at, h, h);
    }
    norm("out.0", w[0]);
    conv("out.2", 6, w[0], 3, 0);
}

static void write_network(const char *dir, const struct network *n, const struct shape *s, int check) {
    char file[64], canon[NAME_LEN + 32];
    size_t all = 0;

    text(s);
    unet(s, n->in);
    for (size_t i = 0; i < nitem; i++) {    /* the networks have tensors of the same names */
        all += count(&items[i]);
        snprintf(canon, sizeof canon, "%.20s.%.74s", n->name, items[i].name);
        memcpy(items[i].canon, canon, NAME_LEN - 1);
    }
    if (check && (nitem != n->tensors || all != n->params))
        fail(n->name, "not as many tensors or parameters as were published");
    snprintf(file, sizeof file, "%.40s.safetensors", n->name);
    safetensors(dir, file, "", "");
    printf("%s: %zu tensors, %zu parameters\n", n->name, nitem, all);
    nitem = 0;
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: make_glide [-t] [-d f32|f16|mix] [-s seed] [-v vocabulary] DIR [NAME ...]\n");
    exit(2);
}

int main(int argc, char *argv[]) {
    struct shape s[2] = {full[0], full[1]};
    size_t vocab = 0, made = 0;
    int is_tiny = 0, c;

    program = "make_glide";
    while ((c = getopt(argc, argv, "d:s:tv:")) != -1)
        switch (c) {
        case 'd': dtype_opt = optarg; break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        case 't': s[0] = tiny[0], s[1] = tiny[1], is_tiny = 1; break;
        case 'v': vocab = strtoull(optarg, NULL, 10); break;
        default: usage();
        }
    if (argc - optind < 1 || vocab > 1 << 20 || (strcmp(dtype_opt, "f32") && strcmp(dtype_opt, "f16") && strcmp(dtype_opt, "mix")))
        usage();
    if (mkdir(argv[optind], 0777) < 0 && errno != EEXIST)
        fail(argv[optind], strerror(errno));
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const struct network *n = &networks[i];
        struct shape one = s[n->upsampler];
        int wanted = argc - optind == 1;

        for (int k = optind + 1; k < argc; k++)
            wanted |= !strcmp(argv[k], n->name);
        if (vocab)
            one.vocab = vocab;
        if (wanted)
            write_network(argv[optind], n, &one, !is_tiny && !vocab), made++;
    }
    if (!made)
        usage();
    return 0;
}
