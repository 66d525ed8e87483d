/* unclip_model.h - open the diffusion side of a model: prior, decoder, upsamplers
 *
 * What     Components are found among the paths as model.h finds a CLIP: each from the first path that
 *          has it.  A path is a diffusers pipeline (prior/, text_proj/, decoder/, super_res_first/,
 *          super_res_last/, *_scheduler/), one such folder, a folder with the original Karlo .ckpt files, or
 *          one of those files.
 * Source   kakaobrain/karlo-v1-alpha (diffusers layout); kakaobrain/karlo @3c68a50 for the original names.
 *          What the files leave open (schedulers of original checkpoints) is Karlo's.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
 * Errors   A component that no path has: err names the places tried.  Everything else is final and
 *          names the file.
 */
#ifndef UNCLIP_UNCLIP_MODEL_H
#define UNCLIP_UNCLIP_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/diffusion/sampler.h"
#include "lib/net/text_proj.h"

struct prior_model {
    struct prior *prior;
    struct prior_config config;
    struct sched sched;
    size_t steps;              /* the model's default: 25 */
    const char *file;
    char fingerprint[17];
};

struct decoder_model {
    struct unet *unet;
    struct unet_config config;
    struct text_proj proj;
    struct sched sched;
    size_t side, steps;        /* 64, 25 */
    const char *file;
    char fingerprint[17];
};

struct upsampler_model {
    struct unet *first, *last;
    struct sched sched;
    size_t ratio, steps;       /* 4, 7 */
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
