/* mixing.h - mixes the vectors and noises of records: what embed-mix does to one record
 *
 * What     Reads the vectors of records, checks whether they can be mixed, makes frames between one record and another,
 *          and sums vectors.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 3: slerp between image embeddings and between the
 *          noises x_T; text differences.  The arithmetic is mix.h's.
 * Fields   A frame is a copy of the first record with the new vector and `theta`.  If the first record has no
 *          `noise_id`, the frame gets its root as `noise_id` and its `sample` as `noise_sample`, so all frames of a record
 *          are drawn from the noise of this record.
 *          If both records have the field `noise`, the noises are mixed, too.
 * Texts    text_states, tokens, truncated and text belong to one text_embed.  If text_embed is mixed, the frame at t = 0 keeps
 *          those of the first record and the frame at t = 1 gets those of the second record.  Between them the states of
 *          texts with equal numbers of tokens are interpolated linearly, and all else that belongs to one text is left out.
 *          States of different shapes are left out, too.
 * Models   Two vectors of one field are of one model if their fingerprints are equal.  A picture and a text of one CLIP may
 *          have different fingerprints, because towers in two files have a fingerprint each.  Such a file has no logit_scale.
 *          So a picture and a text are of different CLIPs if the fingerprints differ and clip-embed recorded a logit_scale for
 *          both.  For a picture of a prior, the text that the prior was given stands in for it.
 * Errors   Vectors of different widths or models, noises of different shapes or timesteps.
 */
#ifndef UNCLIP_MIXING_H
#define UNCLIP_MIXING_H

#include "tools/stage/origin.h"
#include "tools/stage/sample.h"
#include "tools/stage/vector.h"

/* Reads the vector in the field `wanted` of r into *out, as vector_floats does.  If `wanted` is NULL, the field is
 * image_embed, or text_embed if r has no image_embed.  Returns 1, or -1 for an error. */
int mix_get(const struct record *r, const char *wanted, struct vector *out, struct arena *a, struct err *e);

int mix_fits(const struct vector *a, const struct vector *b, bool force, struct err *e);

/* Drops text_states, tokens, truncated and text from r.  For a record whose text_embed was changed: these fields still describe
 * the text that had the old text_embed. */
int mix_drop_text(struct record *r, struct err *e);

int mix_set(struct record *r, const char *field, const float *v, size_t d, struct err *e);

/* Two texts whose difference is a direction for pictures.  mix_texts_read reads the text_embed of the first record of each
 * file.  If `force` is false, the texts and the pictures must be of one CLIP. */
struct mix_texts {
    struct vector fresh, old;
    struct origin_mark by;    /* which CLIP made `fresh` */
    bool force;
};

int mix_texts_read(struct mix_texts *t, const char *fresh, const char *old, bool force, struct arena *keep, struct err *e);

/* A way from the vector `from` of the record a to the vector `to`.  If `other` is not NULL, the noise of that record is
 * mixed with the noise of a, and, if the vector is a text_embed, the texts are mixed as the head of this file says; if their
 * text_states can be mixed, `states` holds those of a and of `other`.  mix_between makes a way from a field of record a to the same field of record b; `name` is
 * the file of b, for messages.  mix_along makes a way from the image_embed of record a along the difference of two
 * texts.  The records a and b, and the memory taken from the arena `mem`, must outlive the way. */
struct mix_way {
    const struct record *a, *other;
    struct sample sample;
    struct vector from;
    const float *to;
    const float *states[2];    /* [rows, wide] each, or NULL */
    size_t shape[2];           /* rows, wide */
};

int mix_between(struct mix_way *w, const struct record *a, const struct record *b, const char *name, const char *wanted,
                bool force, struct arena *mem, struct err *e);
int mix_along(struct mix_way *w, const struct record *a, const struct mix_texts *t, struct arena *mem, struct err *e);

/* Makes *out frame i of the n frames of the way w.  Its vector lies between the way's two vectors: t = 0 gives the
 * first vector and t = 1 the second.  If `lerp` is true, the vector is on the straight line, otherwise on the great
 * circle (slerp).  Returns 0, or -1 with the reason in e. */
int mix_frame(struct record *out, const struct mix_way *w, bool lerp, size_t i, size_t n, double t, struct arena *mem,
              struct err *e);

/* The options of a run of embed-mix.  A pointer is NULL if the option was not given; `mode` is always given. */
struct mix_options {
    const char *mode, *field, *pca;    /* pca: the file of --pca */
    const char *fresh, *old;           /* only for the mode diff: the files of the new and of the old text */
    const double *step;                /* [n]; NULL if n is 0 */
    size_t n;
};

/* Encodes the options as a map, which embed-mix stores in the field `params` of its records, and sets *out to it. */
int mix_params(struct span *out, const struct mix_options *o, struct arena *a, struct err *e);

/* A weighted sum of vectors; if `raw` is false, each vector is divided by its length first.  A struct that is {0} is an
 * empty sum.  The first vector that is added decides the width, the model, and the field that the sum gets. */
struct mix_total {
    bool raw, force;
    struct vector like;      /* has the field, width and model of the first vector */
    double *sum;
    size_t n;
};

/* Adds `weight` times the vector of r to t->sum.  The memory of the sum and of its model is taken from the arena
 * `keep`.  Returns 0, or -1 for an error. */
int mix_total_add(struct mix_total *t, const struct record *r, const char *wanted, double weight, struct arena *keep,
                  struct arena scratch, struct err *e);

/* Makes *out a new record whose vector is `scale` times the sum. */
int mix_total_record(struct record *out, const struct mix_total *t, const char *id, double scale, struct arena *a,
                     struct err *e);

#endif
