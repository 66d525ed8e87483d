/* dalle_model.h - open the transformer of a model that draws picture tokens, and its tokenizer
 *
 * What     Each path is looked at for, in this order, itself, its dalle/, its dalle_bart_mini/ and dalle_bart_mega/:
 *            DALL-E mini, mega   encoder.pt and decoder.pt (or encoder_mini.pt, decoder_mini.pt), config.json
 *            ruDALL-E            model.safetensors, pytorch_model_v3.bin, _v2.bin, pytorch_model.bin; a config.json of
 *                                ours (below) or, without it, the sizes of the published models
 *            minDALL-E           stage2_last.ckpt and config.yaml
 *          The tokenizer is beside them, in their tokenizer/, or in another path: bpe.model, or vocab and merges.
 * Config   family "rudalle", hf_version "v2" or "v3", num_attention_heads, cogview_sandwich_layernorm, and optionally
 *          conv_wrap, bos_token_id, activation ("gelu_tanh" or "gelu"), kernel.  What shapes say is checked, not read.
 * Version  Without a config: what the stored window mask says; v3 where there is no mask.
 * Defaults The settings of each family's notebooks: temperature, top-k, top-p, guidance.
 * Errors   A component that no path has: err names the places tried.  Everything else names the file.
 */
#ifndef UNCLIP_DALLE_MODEL_H
#define UNCLIP_DALLE_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/diffusion/token_draw.h"
#include "lib/net/bart.h"
#include "lib/net/gpt.h"
#include "lib/text/word_bpe.h"

struct dalle_model {
    const char *family;             /* "ruDALL-E v3" */
    struct gpt *gpt;                /* or */
    struct bart *bart;
    size_t text, side, codes;       /* text positions, tokens on a side, V */
    bool unconditional;             /* it is guided by the empty prompt */
    struct token_rules rules;       /* defaults */
    double guidance;                /* default; 1: none */
    const char *file;
    char fingerprint[17];
    struct word_bpe bpe;
    bool has_bpe;
    char bpe_hash[17];
};

/* tokenizer alone: nothing else is opened (clip-tok). */
int dalle_open(struct dalle_model *m, bool tokenizer_alone, const struct model_paths *p, const struct compute *c,
               struct arena *a, struct err *e);

/* Ids of a text with start and end, at most `text` of them, unpadded; *cut: some were left out. */
int dalle_tokens(const struct dalle_model *m, const char *text, size_t n, int **ids, size_t *count, bool *cut,
                 struct arena *a, struct err *e);

#endif
