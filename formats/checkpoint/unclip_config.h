/* unclip_config.h - the config.json files of a diffusers unCLIP pipeline
 *
 * What     The functions parse the configs of UNet2DConditionModel and UNet2DModel as Karlo configures them,
 *          PriorTransformer, UnCLIPScheduler.  Keys that are absent have the defaults of the classes that wrote the
 *          files.  ARPriorTransformer is a class of our own (lib/net/ar_prior.h; prior(1) has its keys).  It has no
 *          defaults, and keys that it does not know are refused, unless their names begin with "_".
 * Source   diffusers @58eb52c: models/unets, models/transformers/prior_transformer.py,
 *          schedulers/scheduling_unclip.py; kakaobrain/karlo-v1-alpha's files.
 * Errors   The functions return -1 for another class, for a block or option that is not implemented here, and for a
 *          value out of range; err names the key.
 * Memory   No memory stays allocated.
 */
#ifndef UNCLIP_UNCLIP_CONFIG_H
#define UNCLIP_UNCLIP_CONFIG_H

#include "lib/diffusion/scheduler.h"
#include "lib/net/ar_prior.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* Checks that a component's config does not have the key quantization_config, which is refused in every config.
 * Returns 0 or -1. */
int unclip_config_plain(const void *json, size_t n, struct err *e);

/* Parses the config of a U-Net into *c.  Sets *sample to the side of the U-Net's pictures in pixels, or to 0 if the
 * file does not say it.  Returns 0 or -1. */
int unclip_config_unet(struct unet_config *c, size_t *sample, const void *json, size_t n, struct err *e);

/* Reads what the config.json next to a GLIDE of other sizes than OpenAI's says that the tensors do not: num_head_channels
 * (glide_text2im's name; the channels of an attention head of the U-Net) and num_groups (of its group norms).  *c keeps
 * what the file does not name; other keys are not looked at.  Returns 0 or -1. */
int unclip_config_glide(struct unet_config *c, const void *json, size_t n, struct err *e);

/* Parses the config of a diffusion prior into *c.  Returns 0 or -1. */
int unclip_config_prior(struct prior_config *c, const void *json, size_t n, struct err *e);

/* Returns whether the class of a component's config is ARPriorTransformer.  A text that is not JSON has no class. */
bool unclip_config_is_ar_prior(const void *json, size_t n);

/* Parses the config of an autoregressive prior into *c.  Returns 0 or -1. */
int unclip_config_ar_prior(struct ar_prior_config *c, const void *json, size_t n, struct err *e);

/* Parses a scheduler_config.json into *c.  Returns 0 or -1. */
int unclip_config_scheduler(struct sched_config *c, const void *json, size_t n, struct err *e);

#endif
