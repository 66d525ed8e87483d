/* unclip_model.h - open the diffusion side of a model: prior, decoder, upsamplers
 *
 * What     Each component comes from the first path that has it.  A path is a diffusers pipeline (prior/,
 *          text_proj/, decoder/, super_res_first/, super_res_last/, *_scheduler/), one of these subdirectories, a
 *          directory with the original Karlo .ckpt files, or one of these files.
 *          The class in prior/config.json says which prior it is: PriorTransformer, the diffusion prior, or
 *          ARPriorTransformer, the autoregressive prior, whose weights are in model.safetensors.
 * Source   kakaobrain/karlo-v1-alpha (diffusers layout); kakaobrain/karlo @3c68a50 for the original names.
 *          Original checkpoints do not store their schedulers: Karlo's settings are used.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
 * Errors   -1.  If no path has the component, err names all paths and what each lacks; other errors name the file.
 */
#ifndef UNCLIP_UNCLIP_MODEL_H
#define UNCLIP_UNCLIP_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/diffusion/sampler.h"
#include "lib/net/ar_prior.h"
#include "lib/net/text_proj.h"

struct prior_model {
    struct prior *prior;       /* the diffusion prior, or NULL */
    struct ar_prior *ar;       /* the autoregressive prior, or NULL */
    struct prior_config config;    /* with `ar` the sizes that both priors have */
    struct ar_prior_config codes;  /* with `ar` */
    struct sched sched;        /* without `ar`, like steps */
    size_t steps;              /* the default number of sampling steps: 25 */
    const char *file;
    char fingerprint[17];
};

struct decoder_model {
    struct unet *unet;
    struct unet_config config;
    struct text_proj proj;
    struct sched sched;
    size_t side, steps;        /* Karlo: pictures of 64 x 64 pixels; 25 sampling steps by default */
    const char *file;
    char fingerprint[17];
};

struct upsampler_model {
    struct unet *first, *last;
    struct sched sched;
    size_t ratio, steps;       /* Karlo: sides 4 times as long; 7 sampling steps by default */
    const char *file;
    char fingerprint[17];
};

int unclip_open_prior(struct prior_model *m, const struct model_paths *p, const struct compute *c,
                      struct arena *a, struct err *e);
int unclip_open_decoder(struct decoder_model *m, const struct model_paths *p, const struct compute *c,
                        struct arena *a, struct err *e);
int unclip_open_upsampler(struct upsampler_model *m, const struct model_paths *p, const struct compute *c,
                          struct arena *a, struct err *e);

#endif
