/* bart.h - DALL-E mini and mega: a BART whose encoder reads a text and whose decoder draws picture tokens
 *
 * What     An encoder over the text's tokens, and a decoder that attends to the picture tokens drawn so far and to the
 *          encoder's states.  A prompt is encoded once, and the keys and values of every decoder layer's
 *          cross-attention are kept for all of its candidates.  A candidate is one picture that is being drawn.  A
 *          step takes every candidate's last token and gives the scores of its next token.
 * Source   borisdayma/dalle-mini f0be4de (NormFormer, Shleifer et al. 2021, arXiv:2110.09456; GLU, Shazeer 2020,
 *          arXiv:2002.05202); kuprel/min-dalle 73621fb for names and files.
 * Shapes   At most T text tokens; N picture tokens; V codes.  All numbers are f32.  The decoder's output layer has
 *          picture_vocab rows, of which the first V are used, so scores are [candidates, V].
 * EASY TO GET WRONG
 *          Layers: x += LN(attention(LN(x))); x += fc2(LN(gelu(fc0 LN(x)) * fc1 LN(x))).  Real files hold no scale for
 *          the norms in front of products, and a scale that is missing is 1.  No linear layer has a bias.  The first
 *          token that the decoder is given is V, which is not a code.  No token attends to a pad token, so only the n
 *          tokens before the pads are computed.
 * Numbers  Within 5e-6 of the largest score of torch in f32 (tests/unit/bart.c).  A candidate's scores do not depend on
 *          the other candidates, on their number or on the threads.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape or is not used; the heads do not
 *          divide the width; a size is 0 or out of range; memory is exhausted.  bart_encode and bart_step cannot fail.
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
    size_t codes;                       /* V, 1 to picture_vocab */
    size_t start;                       /* the decoder's first token */
};

/* Read from the tensors' shapes all fields except the heads, codes and start, which keep their values.  The encoder and
 * the decoder are two files. */
int bart_config_from_weights(struct bart_config *c, const struct weights *encoder, const struct weights *decoder,
                             struct err *e);

struct bart;

/* Check the config.  Encoder and decoder are bound afterwards, each from its own file. */
struct bart *bart_open(const struct bart_config *c, struct arena *keep, struct err *e);
int bart_bind_encoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e);
int bart_bind_decoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e);

const struct bart_config *bart_config_of(const struct bart *b);

/* The number of floats in the keys and values of a prompt of n tokens, and in those of one candidate. */
size_t bart_prompt_floats(const struct bart *b, size_t n);
size_t bart_candidate_floats(const struct bart *b);

/* Bytes of scratch for bart_encode (any n), and for bart_step with n candidates. */
size_t bart_scratch(const struct bart *b, const struct compute *k, size_t n);

/* Encode a prompt: ids [n], 1 <= n <= T, each below text_vocab.  prompt receives bart_prompt_floats(b, n) floats.
 * states receives the encoder's states [n, width], or is NULL. */
void bart_encode(const struct bart *b, const struct compute *k, size_t n, const int ids[], float *prompt, float *states,
                 void *scratch);

struct bart_candidate {
    const float *prompt;
    size_t keys;            /* the number of tokens in the prompt */
    float *cache;           /* bart_candidate_floats floats: the candidate's own keys and values */
    int token;              /* the picture token drawn last; `start` before the first is drawn */
};

/* Gives picture token at - 1 of each candidate to the decoder, or the start token if at is 0, and writes the scores of
 * picture token `at`, [n, V].  Steps are taken in order, at = 0, 1, ..., N - 1. */
void bart_step(const struct bart *b, const struct compute *k, size_t at, size_t n, const struct bart_candidate c[],
               float *scores, void *scratch);

#endif
