/* api_inside.h - what the source files of libunclip share: the handle, and functions that begin a call
 *
 * What     Each public function begins with api_enter, which clears the error message of the last call.  It then opens the
 *          components that it needs (api_text, api_vision, ...); they stay open until the handle is freed.  It takes its
 *          scratch memory from a copy of the handle's arena.  All computation is in tools/stage, formats and lib, whose
 *          functions the programs call as well.
 * Errors   The functions return 0, or -1 with a message in u->err.  If a component cannot be opened, its memory and files
 *          are released, and the next call that needs it tries again.
 * Memory   struct unclip itself is the first block in the memory region of the handle (formats/io/region.h).
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
    API_BATCH = ENCODE_BATCH,    /* the largest number of inputs in one pass of a tower */
    API_PATHS = 32,              /* the largest number of paths of a model */
    API_NAME = 4096              /* bytes of the longest text of an option, including the NUL */
};

/* The options of unclip_set.  A negative number, threads = 0, and "" stand for a default, which may depend on the model or
 * the machine. */
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
    char fact[64];                  /* the text that unclip_get returns */
    const char *path[API_PATHS];
    size_t paths;
    struct api_options o;
    bool fixed;                     /* a component was opened: paths and early options can no longer change */
    struct arena unstarted;         /* the arena before the threads were started */
    struct pack_cache cache;
    struct compute look, draw;      /* look: kernels of the towers; draw: of the samplers; both have the same threads */
    size_t width;                   /* E, the width of the embeddings; 0 if not known yet */
    double scale;                   /* the logit scale; valid if width is not 0 */
    struct encoder clip;            /* clip.bpe is NULL until the text tower is open */
    bool has_words;
    struct vocabulary words;
    struct prior_model prior;       /* for prior, decoder and upsampler: `file` is NULL until the component is open */
    struct decoder_model decoder;
    struct upsampler_model upsampler;
    struct prior_draw drawer;       /* drawer.empty is valid if has_empty */
    bool has_empty;
    bool has_none;
    struct condition none;          /* if has_none: the condition of the empty text, for the prior and an unCLIP decoder */
    struct decode_branch uncond;
    int (*step)(void *ctx, size_t done, size_t steps);
    void *ctx;
};

/* Begins a call: clears the error message.  Returns -1 if u is NULL. */
int api_enter(struct unclip *u);

/* Both functions set an error message, unless one is set already, and return -1.  The message of api_failed is
 * "WHERE: WHY".  That of api_failed_at is "WHERE N: WHY", where N is i + 1. */
int api_failed(struct unclip *u, const char *where, const struct err *why);
int api_failed_at(struct unclip *u, const char *where, size_t i, const struct err *why);

/* Returns 0, or -1 with a message if p, the argument `name` of a call, is NULL. */
int api_need(struct unclip *u, const void *p, const char *name);

/* Returns 0, or -1 with a message if one of the n elements of v is not finite. */
int api_finite(struct unclip *u, const float *v, size_t n, const char *name);

/* Chooses the kernels and starts the threads.  Does nothing if the threads are running. */
int api_start(struct unclip *u);

/* Calls open(u), which opens a component, and returns its result.  Sets u->fixed if open succeeds.  If open fails, releases
 * the memory and the files that it took, and stops the threads unless u->fixed is set. */
int api_part(struct unclip *u, int (*open)(struct unclip *u));

struct model_paths api_paths(struct unclip *u);

/* The next six functions open a component, unless it is open.  api_words opens the vocabulary alone, api_text the text
 * tower with its tokenizer, and api_vision the image tower. */
int api_words(struct unclip *u);
int api_text(struct unclip *u);
int api_vision(struct unclip *u);

/* api_decoder also computes the unconditional branch of the guidance, which has the empty text, into u->uncond. */
int api_prior(struct unclip *u);
int api_decoder(struct unclip *u);
int api_upsampler(struct unclip *u);

/* Sets *m to the CLIP that has the tower `want`: MODEL_TEXT, MODEL_VISION, or MODEL_TEXT | MODEL_VISION for either of them.
 * If no such tower is open, only the headers of the model's files are read; then the caller may use only the config and
 * the fingerprint of *m. */
int api_clip(struct unclip *u, unsigned want, struct clip_model *m);

/* Returns E, the width of the model's embeddings, or 0 for an error. */
size_t api_width(struct unclip *u);

/* Sets *scale to the model's logit scale, or to 100 if the model has none. */
int api_scale(struct unclip *u, double *scale);

const struct sim_kern *api_similarity(void);

#endif
