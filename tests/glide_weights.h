/* glide_weights.h - GLIDE's four networks with random weights, under the original names
 *
 * What     glide_write writes a network as safetensors.  The full-size networks have the names, shapes and counts of
 *          OpenAI's files; the counts are checked.  The tiny networks have the same topology: heads of 64, levels of 64
 *          and 128 channels, a text transformer of two layers, 16 places, a vocabulary of 320, pictures of 16 pixels.
 *          The data type `mix` stores as f16 what OpenAI's convert_to_fp16 turns into f16.
 */
#ifndef UNCLIP_GLIDE_WEIGHTS_H
#define UNCLIP_GLIDE_WEIGHTS_H

#include "tests/random_weights.h"

enum { LEVELS_MAX = 6 };

struct shape {
    /* the levels l >= first_attention have attention */
    size_t channels, levels, layers, width[LEVELS_MAX], first_attention;
    size_t context, text, text_layers, vocab;
};

struct network {
    const char *name;
    int upsampler;
    size_t in, tensors, params;    /* input channels; numbers of tensors and parameters of the full-size network */
};

static const struct shape glide_full[2] = {
    {192, 4, 3, {192, 384, 576, 768}, 1, 128, 512, 16, 50257},
    {192, 6, 2, {192, 192, 384, 384, 768, 768}, 3, 128, 512, 16, 50257},
};
static const struct shape glide_tiny[2] = {
    {64, 2, 1, {64, 128}, 1, 16, 128, 2, 320},
    {64, 3, 1, {64, 64, 128}, 2, 16, 128, 2, 320},
};
static const struct network glide_networks[] = {
    {"base", 0, 3, 783, 385030726},
    {"base_inpaint", 0, 7, 783, 385037638},
    {"upsample", 1, 6, 797, 398361286},
    {"upsample_inpaint", 1, 10, 797, 398368198},
};

static inline void glide_norm(const char *name, size_t n) {
    add(cat(name, ".weight"), 1, 0.1, 0, 1, n, 0, 0, 0);
    add(cat(name, ".bias"), 0, 0.05, 0, 1, n, 0, 0, 0);
}

/* Adds a linear layer.  f16 is PRODUCT if convert_to_fp16 turns this layer's numbers into f16, else 0. */
static inline void glide_linear(const char *name, size_t n, size_t k, int f16) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)k), f16, 2, n, k, 0, 0);
    add(cat(name, ".bias"), 0, 0.02, f16, 1, n, 0, 0, 0);
}

static inline void glide_conv(const char *name, size_t co, size_t ci, size_t side, int f16) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)(ci * side * side)), f16, 4, co, ci, side, side);
    add(cat(name, ".bias"), 0, 0.02, f16, 1, co, 0, 0, 0);
}

static inline void glide_conv1d(const char *name, size_t co, size_t ci) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)ci), PRODUCT, 3, co, ci, 1, 0);
    add(cat(name, ".bias"), 0, 0.02, PRODUCT, 1, co, 0, 0, 0);
}

static inline void glide_transformer(const struct shape *s) {
    size_t d = s->text;
    char at[NAME_LEN / 2];

    add("token_embedding.weight", 0, 0.5, PRODUCT, 2, s->vocab, d, 0, 0);
    add("positional_embedding", 0, 0.5, PRODUCT, 2, s->context, d, 0, 0);
    add("padding_embedding", 0, 0.5, PRODUCT, 2, s->context, d, 0, 0);
    for (size_t i = 0; i < s->text_layers; i++) {
        snprintf(at, sizeof at, "transformer.resblocks.%zu", i);
        glide_norm(cat(at, ".ln_1"), d);
        glide_linear(cat(at, ".attn.c_qkv"), 3 * d, d, PRODUCT);
        glide_linear(cat(at, ".attn.c_proj"), d, d, PRODUCT);
        glide_norm(cat(at, ".ln_2"), d);
        glide_linear(cat(at, ".mlp.c_fc"), 4 * d, d, PRODUCT);
        glide_linear(cat(at, ".mlp.c_proj"), d, 4 * d, PRODUCT);
    }
    glide_norm("final_ln", d);
    glide_linear("transformer_proj", 4 * s->channels, d, PRODUCT);
}

static inline void glide_residual(const struct shape *s, const char *at, size_t ci, size_t co) {
    glide_norm(cat(at, ".in_layers.0"), ci);
    glide_conv(cat(at, ".in_layers.2"), co, ci, 3, PRODUCT);
    glide_linear(cat(at, ".emb_layers.1"), 2 * co, 4 * s->channels, 0);
    glide_norm(cat(at, ".out_layers.0"), co);
    glide_conv(cat(at, ".out_layers.3"), co, co, 3, PRODUCT);
    if (ci != co)
        glide_conv(cat(at, ".skip_connection"), co, ci, 1, PRODUCT);
}

static inline void glide_attention(const struct shape *s, const char *at, size_t c) {
    glide_norm(cat(at, ".norm"), c);
    glide_conv1d(cat(at, ".qkv"), 3 * c, c);
    glide_conv1d(cat(at, ".encoder_kv"), 2 * c, s->text);
    glide_conv1d(cat(at, ".proj_out"), c, c);
}

/* Adds block n on the way down or up: a residual block, and attention if level l has it. */
static inline void glide_block(const struct shape *s, const char *way, size_t n, size_t l, size_t ci, size_t co) {
    char at[NAME_LEN / 2];

    snprintf(at, sizeof at, "%s_blocks.%zu.0", way, n);
    glide_residual(s, at, ci, co);
    snprintf(at, sizeof at, "%s_blocks.%zu.1", way, n);
    if (l >= s->first_attention)
        glide_attention(s, at, co);
}

static inline void glide_unet(const struct shape *s, size_t in) {
    const size_t *w = s->width, low = w[s->levels - 1];
    size_t skip[LEVELS_MAX * 4 + 1], skips = 0, n = 1, h = w[0];
    char at[NAME_LEN / 2];

    glide_linear("time_embed.0", 4 * s->channels, s->channels, 0);
    glide_linear("time_embed.2", 4 * s->channels, 4 * s->channels, 0);
    glide_conv("input_blocks.0.0", w[0], in, 3, PRODUCT);
    skip[skips++] = h;
    for (size_t l = 0; l < s->levels; l++) {
        for (size_t j = 0; j < s->layers; j++, n++) {
            glide_block(s, "input", n, l, h, w[l]);
            skip[skips++] = h = w[l];
        }
        if (l + 1 < s->levels) {
            snprintf(at, sizeof at, "input_blocks.%zu.0", n++);
            glide_residual(s, at, h, h);
            skip[skips++] = h;
        }
    }
    glide_residual(s, "middle_block.0", low, low);
    glide_attention(s, "middle_block.1", low);
    glide_residual(s, "middle_block.2", low, low);
    n = 0;
    for (size_t l = s->levels; l-- > 0;) {
        for (size_t j = 0; j <= s->layers; j++, n++) {
            glide_block(s, "output", n, l, h + skip[--skips], w[l]);
            h = w[l];
        }
        snprintf(at, sizeof at, "output_blocks.%zu.%d", n - 1, l >= s->first_attention ? 2 : 1);
        if (l)
            glide_residual(s, at, h, h);
    }
    glide_norm("out.0", w[0]);
    glide_conv("out.2", 6, w[0], 3, 0);
}

/* Writes the network n to DIR/NAME.safetensors.  `check` says whether its counts must be the published ones. */
static inline void glide_write(const char *dir, const struct network *n, const struct shape *s, int check) {
    char file[64], canon[NAME_LEN + 32];
    size_t all = 0;

    glide_transformer(s);
    glide_unet(s, n->in);
    for (size_t i = 0; i < nitem; i++) {    /* so tensors of equal names in two networks get different numbers */
        all += count(&items[i]);
        snprintf(canon, sizeof canon, "%.20s.%.74s", n->name, items[i].name);
        memcpy(items[i].canon, canon, NAME_LEN - 1);
    }
    if (check && (nitem != n->tensors || all != n->params))
        fail(n->name, "not as many tensors or parameters as were published");
    snprintf(file, sizeof file, "%.40s.safetensors", n->name);
    safetensors(dir, file, "", "");
    nitem = 0;
}

#endif
