/* unclip_config.h - the config.json files of a diffusers unCLIP pipeline
 *
 * What     UNet2DConditionModel and UNet2DModel as Karlo configures them, PriorTransformer, UnCLIPScheduler.
 *          Keys that are absent have the defaults of the classes that wrote the files.
 *          ARPriorTransformer is a class of our own (lib/net/ar_prior.h; prior(1) has its keys).  It has no defaults, and
 *          keys that it does not know are refused, unless their names begin with "_".
 * Source   diffusers @58eb52c: models/unets, models/transformers/prior_transformer.py,
 *          schedulers/scheduling_unclip.py; kakaobrain/karlo-v1-alpha's files.
 * Errors   -1, and err names the key: another class, a block or option that is not implemented here, or a value out
 *          of range.
 * Memory   No memory stays allocated.
 */
#ifndef UNCLIP_UNCLIP_CONFIG_H
#define UNCLIP_UNCLIP_CONFIG_H

#include "lib/diffusion/scheduler.h"
#include "lib/net/ar_prior.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* Check a component's config for the key that is refused in all of them, quantization_config.  0 or -1. */
int unclip_config_plain(const void *json, size_t n, struct err *e);

/* The config of a U-Net.  *sample: the side of its pictures in pixels, 0 where the file does not say it.  0 or -1. */
int unclip_config_unet(struct unet_config *c, size_t *sample, const void *json, size_t n, struct err *e);

/* The config of a prior.  0 or -1. */
int unclip_config_prior(struct prior_config *c, const void *json, size_t n, struct err *e);

/* Returns whether the class of a component's config is ARPriorTransformer.  A text that is not JSON has no class. */
bool unclip_config_is_ar_prior(const void *json, size_t n);

/* The config of an autoregressive prior.  0 or -1. */
int unclip_config_ar_prior(struct ar_prior_config *c, const void *json, size_t n, struct err *e);

/* Parses a scheduler_config.json into *c.  Returns 0 or -1. */
int unclip_config_scheduler(struct sched_config *c, const void *json, size_t n, struct err *e);

#endif
