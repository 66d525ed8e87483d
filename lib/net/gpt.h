/* gpt.h - a decoder-only transformer that draws one token after the other: text first, then a picture
 *
 * What     The transformer of DALL-E 1 and of its relatives.  A prompt's text positions are computed once (prefill),
 *          and their keys and values are kept for all of its candidates.  A candidate is one picture that is being
 *          drawn.  Each step takes every candidate's last picture token and gives the scores of its next one.  In
 *          some layers a picture token sees all earlier ones, in others only those back to the place above it, those
 *          in its column, or those in a window around it.  The cache of a layer holds only the keys and values that a
 *          later token can still see.
 * Source   Ramesh et al. 2021, arXiv:2102.12092, section 2.2 and figure 11 (masks);
 *          ai-forever/ru-dalle 0255cec rudalle/dalle/{model,transformer}.py; kakaobrain/minDALL-E e548007
 *          dalle/models/stage2/{transformer,layers}.py.
 * Shapes   T text positions; N = D x D picture tokens in raster order; V codes.  Scores are [candidates, V] f32.
 * Masks    Every picture position sees the text.  Let a be the number of a key and b the number of a query among the
 *          picture positions.  Position 0 is the first picture token; with `shifted` it is the last text position,
 *          and the first picture token is 1.  b sees a if a <= b and
 *              column   (b - a) mod D = 0
 *              row      b - a <= D
 *              window   |row(b) - row(a)| <= K/2 and |col(b) - col(a)| <= K/2; differences modulo D with `wrap`
 *          Layer i is a column layer if i mod 4 = 1.  If the last layer is not, it is a window layer.  All others are
 *          row layers.
 * EASY TO GET WRONG
 *          Each position has a pad token of its own, id 16384 + position in published files, and pads are not masked.
 *          ruDALL-E v2 puts one more token (id 2) in front, but its masks count positions as if it were not there.
 *          Its windows wrap around the edges of the picture.  The sandwich's norms (after_attention, after_mlp)
 *          are applied to a branch before it is added.  ruDALL-E has two norms in a row before the scores.
 * Numbers  Within 1e-5 of the largest score of torch in f32 (tests/unit/gpt.c).  A candidate's scores do not depend
 *          on the other candidates, on their number or on the threads.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape or is not used; the config and the
 *          shapes do not fit; memory is exhausted.  gpt_prefill and gpt_step cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_GPT_H
#define UNCLIP_GPT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/compute.h"
#include "lib/base/tensor.h"
#include "lib/kernel/kern.h"

struct gpt_names;    /* the tensor names of a family (gpt_bind.c) */
extern const struct gpt_names *const gpt_rudalle, *const gpt_mindalle;

struct gpt_config {
    const struct gpt_names *names;
    size_t layers, width, heads, mlp;    /* mlp: width of the hidden layer */
    size_t text, side, codes;      /* T, D, V */
    size_t text_vocab;             /* rows of the text embedding */
    enum act act;
    bool sparse;                   /* row, column and window layers; false: each layer sees all earlier tokens */
    bool shifted;                  /* one more token in front, which the masks do not count */
    bool wrap;                     /* windows wrap around the edges of the picture */
    bool sandwich;                 /* each branch is normalised before it is added */
    bool pads;                     /* id 0 is a pad, and stands for id text_vocab - T + position */
    size_t kernel;                 /* K, the side of a window in tokens; odd */
    int64_t first;                 /* with `shifted`: the id of the token in front */
};

/* Read names, layers, width, mlp, text, side, codes, text_vocab and sandwich from the tensors' names and shapes.  The
 * other fields keep their values.  Returns 0, or -1 if the tensors are not those of such a network. */
int gpt_config_from_weights(struct gpt_config *c, const struct weights *ws, struct err *e);

struct gpt;

/* Check the tensors against the config, and pack them. */
struct gpt *gpt_bind(const struct gpt_config *c, const struct weights *ws, const struct compute *k, struct arena *keep,
                     struct err *e);

const struct gpt_config *gpt_config_of(const struct gpt *g);

/* The number of positions before the first picture token: T, or T + 1 with `shifted`. */
size_t gpt_prefix(const struct gpt *g);

/* The number of floats in a prompt's keys and values, and in those of one candidate. */
size_t gpt_prompt_floats(const struct gpt *g);
size_t gpt_candidate_floats(const struct gpt *g);

/* Bytes of scratch for gpt_prefill (any n), and for gpt_step with n candidates. */
size_t gpt_scratch(const struct gpt *g, const struct compute *k, size_t n);

/* Runs the text positions, whose tokens are ids [T] with 0 <= id < text_vocab.  prompt receives the keys and values
 * (gpt_prompt_floats floats).  scores is NULL, or receives the scores [V] of the first picture token. */
void gpt_prefill(const struct gpt *g, const struct compute *k, const int ids[], float *prompt, float *scores,
                 void *scratch);

struct gpt_candidate {
    const float *prompt;    /* the keys and values of the candidate's text, from gpt_prefill */
    float *cache;           /* the candidate's own keys and values, gpt_candidate_floats floats */
    int token;              /* the picture token drawn last */
};

/* Gives picture token `at` of each candidate to the network, and writes the scores of picture token at + 1, [n, V].  If
 * scores is NULL, only the caches are filled.  Steps are taken in order, at = 0, 1, 2, ... */
void gpt_step(const struct gpt *g, const struct compute *k, size_t at, size_t n, const struct gpt_candidate c[],
              float *scores, void *scratch);

#endif
