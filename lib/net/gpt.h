/* gpt.h - a decoder-only transformer that draws one token after the other: text first, then a picture
 *
 * What     The transformer of DALL-E 1 and of its relatives.  A prompt's text positions are run once (prefill) and
 *          their keys and values are kept for all of its candidates; then each step takes every candidate's last
 *          picture token and gives the scores of the next.  Layers may see all earlier picture tokens, the row
 *          above, a column, or a window; a cache holds only the keys that its layer can still see.
 * Source   Ramesh et al. 2021, arXiv:2102.12092, section 2.2 and figure 11 (masks);
 *          ai-forever/ru-dalle 0255cec rudalle/dalle/{model,transformer}.py; kakaobrain/minDALL-E e548007
 *          dalle/models/stage2/{transformer,layers}.py.
 * Shapes   T text positions, N = D x D picture tokens in raster order, V codes; x [rows, width] f32.
 * Masks    With a = the number of a key and b of a query among the picture positions (0 is the first; with
 *          `shifted` the last text position is 0 and the first picture token 1), a <= b, and text always seen:
 *              column   (b - a) mod D = 0
 *              row      b - a <= D
 *              window   |row(b) - row(a)| <= K/2 and |col(b) - col(a)| <= K/2, the differences modulo D where it wraps
 *          Layer i is a column layer where i mod 4 = 1, else a window layer where it is the last, else a row layer.
 * EASY TO GET WRONG
 *          Pad tokens have an embedding for each position, 16384 + position in the published files, and are seen.
 *          ruDALL-E v2 puts one more token (id 2) in front, the masks do not know of it, and its windows wrap.
 *          The sandwich's norms are on the branches, before the addition.  Two norms follow each other before the
 *          scores.
 * Numbers  Within 1e-5 of the largest score of torch in f32 (tests/unit/gpt.c).  A candidate's scores do not depend
 *          on the others, on their number or on the threads.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_GPT_H
#define UNCLIP_GPT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/compute.h"
#include "lib/base/tensor.h"
#include "lib/kernel/kern.h"

struct gpt_names;    /* of gpt_bind.c: the family */
extern const struct gpt_names *const gpt_rudalle, *const gpt_mindalle;

struct gpt_config {
    const struct gpt_names *names;
    size_t layers, width, heads, mlp;
    size_t text, side, codes;      /* T, D, V */
    size_t text_vocab;             /* rows of the text embedding */
    enum act act;
    bool sparse;                   /* row, column and window layers, else all layers see everything */
    bool shifted;                  /* one more token in front, of which the masks do not know */
    bool wrap;                     /* windows wrap around */
    bool sandwich;                 /* norms on the branches */
    bool pads;                     /* id 0 is a pad: text_vocab - T + position */
    size_t kernel;                 /* K, odd */
    int64_t first;                 /* the token in front where shifted */
};

/* What names and shapes say: all except heads, text position rules and the version; those are left as they were set.
 * -1 where the tensors are not those of such a network. */
int gpt_config_from_weights(struct gpt_config *c, const struct weights *ws, struct err *e);

struct gpt;

/* Checks the config against the tensors; packs them. */
struct gpt *gpt_bind(const struct gpt_config *c, const struct weights *ws, const struct compute *k, struct arena *keep,
                     struct err *e);

const struct gpt_config *gpt_config_of(const struct gpt *g);

/* Positions before the first picture token: T, or T + 1. */
size_t gpt_prefix(const struct gpt *g);

/* Floats of a prompt's keys and values, and of one candidate's. */
size_t gpt_prompt_floats(const struct gpt *g);
size_t gpt_candidate_floats(const struct gpt *g);

/* Bytes of scratch for a prefill, and for a step of n candidates. */
size_t gpt_scratch(const struct gpt *g, const struct compute *k, size_t n);

/* Run the text ids [T] (0 <= id < text_vocab): prompt receives the keys and values, scores [V] those of the first
 * picture token. */
void gpt_prefill(const struct gpt *g, const struct compute *k, const int ids[], float *prompt, float *scores,
                 void *scratch);

struct gpt_candidate {
    const float *prompt;    /* of its text */
    float *cache;           /* its own keys and values */
    int token;              /* the picture token drawn last */
};

/* Token number `at` of every candidate goes in, and the scores of token at + 1 come out, [n, V]; scores NULL: only the
 * caches are filled. */
void gpt_step(const struct gpt *g, const struct compute *k, size_t at, size_t n, const struct gpt_candidate c[],
              float *scores, void *scratch);

/* For tests and traces: the state after layer i (or the final norm, i = layers) of the last step's candidates.  NULL
 * turns it off. */
struct gpt_trace {
    void (*layer)(void *ctx, size_t i, size_t n, const float *x);
    void *ctx;
};
void gpt_set_trace(struct gpt *g, const struct gpt_trace *t);

#endif
