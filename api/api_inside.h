/* api_inside.h - what the parts of libunclip share: the handle, and how a call begins
 *
 * What     A call of unclip.h begins with api_enter, which clears the message of the last call.  It opens the components
 *          that it needs (api_text, api_vision, ...), which stay, and takes its scratch from a copy of the handle's
 *          arena.  Everything that a call computes is computed by tools/stage, formats and lib, as in the programs.
 * Errors   The functions return 0, or -1 with a message in u->err.  A component that could not be opened leaves nothing
 *          behind, so the next call tries again.
 * Memory   The handle is the first block of its own region (formats/io/region.h).
 */
#ifndef UNCLIP_API_INSIDE_H
#define UNCLIP_API_INSIDE_H

#include "api/unclip.h"
#include "formats/io/mapfile.h"
#include "tools/stage/decode.h"
#include "tools/stage/encode.h"
#include "tools/stage/prior_draw.h"
#include "tools/stage/vocabulary.h"

enum {
    API_BATCH = ENCODE_BATCH,    /* inputs of a tower at a time */
    API_PATHS = 32,              /* the most paths of a model */
    API_NAME = 4096              /* the longest text of an option, with its NUL */
};

/* The options of unclip_set.  A negative number and "" stand for a default that depends on the model or the machine. */
struct api_options {
    int64_t threads, precision, draw_precision, activation;
    char kernel[API_NAME], cache[API_NAME], templates[API_NAME], noise_id[API_NAME];
    int64_t truncate, exif, seed, sample, prior_steps, decode_steps, upsample_steps;
    double prior_guidance, decode_guidance, decode_eta;
};

struct unclip {
    struct arena_mem mem;
    struct arena arena;
    struct mapfile_list files;
    struct err err;
    char fact[64];                  /* the answer of unclip_get */
    const char *path[API_PATHS];
    size_t paths;
    struct api_options o;
    bool fixed;                     /* a component was opened, so that paths and early options cannot change */
    struct pack_cache cache;
    struct compute look, draw;      /* what towers and samplers compute with; the same threads */
    size_t width;                   /* E, or 0 before a header was read */
    double scale;                   /* from cosines to logits */
    struct encoder clip;            /* `bpe` is NULL before the text tower is opened */
    bool has_words;
    struct vocabulary words;
    struct prior_model prior;       /* this and the next two: `file` is NULL before it is opened */
    struct decoder_model decoder;
    struct upsampler_model upsampler;
    struct prior_draw drawer;       /* empty.n of its text is 0 before the empty text was run */
    bool has_empty;
    struct condition none;          /* the empty text, for an unCLIP decoder */
    struct decode_branch uncond;
    int (*step)(void *ctx, size_t done, size_t steps);
    void *ctx;
};

/* Begins a call: returns -1 if u is NULL. */
int api_enter(struct unclip *u);

/* Sets the message "WHERE: WHY", or "WHERE N: WHY" with the number N counted from 1.  Returns -1. */
int api_failed(struct unclip *u, const char *where, const struct err *why);
int api_failed_at(struct unclip *u, const char *where, size_t i, const struct err *why);

/* Returns -1 with a message if p is NULL. */
int api_need(struct unclip *u, const void *p, const char *name);

/* Returns -1 with a message unless all n numbers are finite. */
int api_finite(struct unclip *u, const float *v, size_t n, const char *name);

/* Starts threads and kernels, and fixes the paths. */
int api_start(struct unclip *u);

/* Runs `open` once more than it succeeds: if it fails, the memory and the files that it took are given back. */
int api_part(struct unclip *u, int (*open)(struct unclip *u));

struct model_paths api_paths(struct unclip *u);

/* Open the vocabulary; the text tower with its vocabulary; the image tower. */
int api_words(struct unclip *u);
int api_text(struct unclip *u);
int api_vision(struct unclip *u);

/* Open the prior, the decoder with the condition of the empty text, the upsampler. */
int api_prior(struct unclip *u);
int api_decoder(struct unclip *u);
int api_upsampler(struct unclip *u);

/* Sets *m to the CLIP that has the tower `want`, MODEL_TEXT or MODEL_VISION, or one of two.  If no tower is open, only
 * the headers of the model's files are read; then only the config and the fingerprint of *m may be used. */
int api_clip(struct unclip *u, unsigned want, struct clip_model *m);

/* Returns E, the width of the model's embeddings, or 0 for an error. */
size_t api_width(struct unclip *u);

/* Sets *scale to the factor from cosines to logits: the model's, or 100. */
int api_scale(struct unclip *u, double *scale);

const struct sim_kern *api_similarity(void);

#endif
