/* unclip_model.h - open the diffusion side of a model: prior, decoder, upsamplers; GLIDE's networks
 *
 * What     Each component comes from the first path that has it.  A path is a diffusers pipeline (prior/,
 *          text_proj/, decoder/, super_res_first/, super_res_last/, *_scheduler/), one of these subdirectories, a
 *          directory with the original Karlo .ckpt files, or one of these files.
 *          The class in prior/config.json says which prior it is: PriorTransformer, the diffusion prior, or
 *          ARPriorTransformer, the autoregressive prior, whose weights are in model.safetensors.
 *          A GLIDE is a directory with base, upsample and their _inpaint forms (.pt or .safetensors), or one of these
 *          files, with GPT-2's tokenizer next to it or in another path (glide_tok.h).
 * Source   kakaobrain/karlo-v1-alpha (diffusers layout); kakaobrain/karlo @3c68a50 for the original names;
 *          openai/glide-text2im @69b5307 model_creation.py, download.py.
 *          Original checkpoints do not store their schedulers: Karlo's and GLIDE's settings are used.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
 * Errors   The functions return -1.  If no path has the component, err names all paths and what each lacks; other
 *          errors name the file.
 */
#ifndef UNCLIP_UNCLIP_MODEL_H
#define UNCLIP_UNCLIP_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/diffusion/sampler.h"
#include "lib/net/ar_prior.h"
#include "lib/net/glide_text.h"
#include "lib/net/text_proj.h"
#include "lib/text/word_bpe.h"

struct prior_model {
    struct prior *prior;       /* the diffusion prior, or NULL */
    struct ar_prior *ar;       /* the autoregressive prior, or NULL */
    struct prior_config config;    /* if `ar` is set, only the sizes that both kinds of prior have are filled in */
    struct ar_prior_config codes;  /* filled in if `ar` is set */
    struct sched sched;        /* sched and steps are filled in if `ar` is NULL */
    size_t steps;              /* the default number of sampling steps: 25 */
    const char *file;
    char fingerprint[17];
};

/* The transformer in a GLIDE network's own file, through which the network is told about a text. */
struct glide_side {
    struct glide_text text;
    struct word_bpe words;
};

struct decoder_model {
    struct unet *unet;
    struct unet_config config;
    struct text_proj proj;     /* filled in for an unCLIP decoder */
    const struct glide_side *glide;    /* filled in for a GLIDE; NULL for an unCLIP decoder */
    struct sched sched;
    size_t side, steps;        /* Karlo: pictures of 64 x 64 pixels, 25 sampling steps by default; GLIDE: 64 and 100 */
    double guidance;           /* the default; Karlo: 8, GLIDE: 3 */
    const char *file;
    char fingerprint[17];
};

struct upsampler_model {
    struct unet *first, *last; /* two equal pointers for GLIDE */
    const struct glide_side *glide;    /* NULL for unCLIP's upsamplers, which see no text */
    struct sched sched;
    size_t ratio, steps;       /* Karlo: sides 4 times as long; 7 sampling steps by default */
    const char *spacing;       /* the default spacing; GLIDE: "fast27"; if NULL, `steps` counts */
    size_t unit;               /* the sides of the large pictures are multiples of `unit` */
    bool ddim;                 /* the default; GLIDE: true, unless the network inpaints */
    double temperature;        /* the default temperature of the initial noise; GLIDE: 0.997 */
    const char *file;
    char fingerprint[17];
};

int unclip_open_prior(struct prior_model *m, const struct model_paths *p, const struct compute *c,
                      struct arena *a, struct err *e);

/* If `inpaint` is set, a GLIDE network that was trained for inpainting is preferred to another.  Else another is
 * preferred. */
int unclip_open_decoder(struct decoder_model *m, const struct model_paths *p, bool inpaint, const struct compute *c,
                        struct arena *a, struct err *e);
int unclip_open_upsampler(struct upsampler_model *m, const struct model_paths *p, const struct compute *c,
                          struct arena *a, struct err *e);

/* Opens GLIDE's upsampler for inpainting, and no other upsampler. */
int unclip_open_painter(struct upsampler_model *m, const struct model_paths *p, const struct compute *c, struct arena *a,
                        struct err *e);

#endif
