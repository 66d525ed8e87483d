/* unclip_config.h - the config.json files of a diffusers unCLIP pipeline
 *
 * What     UNet2DConditionModel and UNet2DModel as Karlo configures them, PriorTransformer, UnCLIPScheduler.
 *          Keys that are absent have the defaults of the classes that wrote the files.
 * Source   diffusers @58eb52c: models/unets, models/transformers/prior_transformer.py,
 *          schedulers/scheduling_unclip.py; kakaobrain/karlo-v1-alpha's files.
 * Errors   Another class, a block or option that is not implemented here, and values out of range are
 *          refused by name.
 */
#ifndef UNCLIP_UNCLIP_CONFIG_H
#define UNCLIP_UNCLIP_CONFIG_H

#include "lib/diffusion/scheduler.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* What no config of a component may say: quantization_config. */
int unclip_config_plain(const void *json, size_t n, struct err *e);

/* sample: the side of the picture, 0 where the file says null. */
int unclip_config_unet(struct unet_config *c, size_t *sample, const void *json, size_t n, struct err *e);

/* heads: what shapes cannot tell. */
int unclip_config_prior(struct prior_config *c, const void *json, size_t n, struct err *e);

int unclip_config_scheduler(struct sched_config *c, const void *json, size_t n, struct err *e);

#endif
