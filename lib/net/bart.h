/* bart.h - DALL-E mini and mega: a BART whose encoder reads a text and whose decoder draws picture tokens
 *
 * What     An encoder over the text's tokens, and a decoder that attends to what it has drawn and to the encoder's
 *          states.  A prompt is encoded once: what is kept of it are the keys and values of every decoder layer's
 *          cross-attention.  A step takes every candidate's last token and gives the scores of the next.
 * Source   borisdayma/dalle-mini f0be4de (NormFormer, Shleifer et al. 2021, arXiv:2110.09456; GLU, Shazeer 2020,
 *          arXiv:2002.05202); kuprel/min-dalle 73621fb for names and files.
 * Shapes   at most T text tokens, N picture tokens, V codes (the scores' other columns are dropped); x [rows, width].
 * EASY TO GET WRONG
 *          Layers: x += LN(attention(LN(x))); x += fc2(LN(gelu(fc0 LN(x)) * fc1 LN(x))).  Real files hold no scale for
 *          the norms in front of products: it is 1.  No layer has a bias.  The first token that the decoder is given
 *          is V, not a code.  Pads are not seen, so only the n tokens in front of them are computed.
 * Numbers  Within 5e-6 of the largest score of torch in f32 (tests/unit/bart.c).  A candidate's scores do not depend on
 *          the others, on their number or on the threads.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_BART_H
#define UNCLIP_BART_H

#include "lib/base/compute.h"
#include "lib/base/tensor.h"

struct bart_config {
    size_t encoder_layers, decoder_layers, encoder_heads, decoder_heads;
    size_t width, encoder_ffn, decoder_ffn;
    size_t text, tokens;                /* T, N */
    size_t text_vocab, picture_vocab;   /* rows of the embeddings */
    size_t codes;                       /* V; 0: picture_vocab less what lies behind the first token */
    size_t start;                       /* the decoder's first token */
};

/* What shapes say: everything except the heads, codes and start.  Encoder and decoder are files of their own. */
int bart_config_from_weights(struct bart_config *c, const struct weights *encoder, const struct weights *decoder,
                             struct err *e);

struct bart;

/* Checks the config; the halves are bound one by one, since each is a file of its own. */
struct bart *bart_open(const struct bart_config *c, struct arena *keep, struct err *e);
int bart_bind_encoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e);
int bart_bind_decoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e);

const struct bart_config *bart_config_of(const struct bart *b);

/* Floats of a prompt of n tokens, and of one candidate's keys and values. */
size_t bart_prompt_floats(const struct bart *b, size_t n);
size_t bart_candidate_floats(const struct bart *b);

/* Bytes of scratch for a prompt, and for a step of n candidates. */
size_t bart_scratch(const struct bart *b, const struct compute *k, size_t n);

/* ids [n], 1 <= n <= T, each below text_vocab.  states: NULL, or the encoder's [n, width]. */
void bart_encode(const struct bart *b, const struct compute *k, size_t n, const int ids[], float *prompt, float *states,
                 void *scratch);

struct bart_candidate {
    const float *prompt;
    size_t keys;            /* the prompt's tokens */
    float *cache;
    int token;              /* the picture token drawn last; `start` before the first */
};

/* Token number at - 1 goes in (the start token at 0); the scores of token number `at` come out, [n, V]. */
void bart_step(const struct bart *b, const struct compute *k, size_t at, size_t n, const struct bart_candidate c[],
               float *scores, void *scratch);

#endif
