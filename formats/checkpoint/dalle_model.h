/* dalle_model.h - open the transformer of a model that draws picture tokens, and its tokenizer
 *
 * What     A path is a weights file (ruDALL-E, minDALL-E) or a directory.  A directory is searched for these files,
 *          then its subdirectories dalle/, dalle_bart_mini/ and dalle_bart_mega/:
 *            DALL-E mini, mega   encoder.pt and decoder.pt (or encoder_mini.pt, decoder_mini.pt), config.json
 *            ruDALL-E            model.safetensors, pytorch_model_v3.bin, _v2.bin, pytorch_model.bin; a config.json of
 *                                ours (below) or, without it, the sizes of the published models
 *            minDALL-E           stage2_last.ckpt and config.yaml
 *          The tokenizer is next to the weights, in a subdirectory tokenizer/ next to them, or in another path.  It is
 *          a bpe.model, or a vocabulary and merges.
 * Config   ruDALL-E's config.json: hf_version "v1", "v2" or "v3", num_attention_heads; optional are conv_wrap,
 *          bos_token_id (one more token in front), activation ("gelu_tanh" or "gelu") and kernel.  Sizes come from the
 *          shapes of the tensors.  With conv_wrap, bos_token_id and "gelu" this is the layout of the paper's DALL-E.
 *          A config.json of DALL-E mini or mega that asks for another network (ln_positions, use_alibi, ...) is refused.
 * Version  v1 computes as v2 does.  Without hf_version the stored window mask tells v2 from v3; without a mask the
 *          version is v3.
 * Defaults Temperature, top-k, top-p and guidance are those of each family's notebooks.
 * Errors   dalle_open returns -1.  If no path has the component, err names all paths and what each lacks; other errors
 *          name the file.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
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
    struct gpt *gpt;                /* the network of ruDALL-E or minDALL-E, else NULL */
    struct bart *bart;              /* the network of DALL-E mini or mega, else NULL */
    size_t text, side, codes;       /* text positions; picture tokens along a side; V, the number of picture codes */
    struct token_rules rules;       /* the model's defaults */
    double guidance;                /* the model's default; 1 means without guidance */
    const char *file;
    char fingerprint[17];
    struct word_bpe bpe;
    bool has_bpe;
    char bpe_hash[17];
};

/* If `tokenizer_alone` is set, opens only the tokenizer (for clip-tok). */
int dalle_open(struct dalle_model *m, bool tokenizer_alone, const struct model_paths *p, const struct compute *c,
               struct arena *a, struct err *e);

/* Sets *ids to the *count ids of a text, with start and end tokens and without padding.  *count is at most m->text.
 * Sets *cut to whether the text has more ids, which are left out. */
int dalle_tokens(const struct dalle_model *m, const char *text, size_t n, int **ids, size_t *count, bool *cut,
                 struct arena *a, struct err *e);

#endif
