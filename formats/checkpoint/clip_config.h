/* clip_config.h - the JSON files that say what a CLIP checkpoint is and how it sees
 *
 * What     Hugging Face's config.json (joint, or that of one tower) and preprocessor_config.json;
 *          open_clip_config.json.  Keys that are absent have the
 *          defaults of the libraries that wrote the files: those are part of the format.
 * Source   transformers CLIPTextConfig, CLIPVisionConfig, CLIPConfig, CLIPImageProcessor;
 *          open_clip @89fb801 src/open_clip/model.py (CLIPVisionCfg, CLIPTextCfg), transform.py.
 * Errors   A value of the wrong type or range, an unknown activation, another kind of model
 *          and, in open_clip's files, every key that is set to something which is not implemented
 *          here, are refused by name.
 * Memory   Nothing stays allocated.
 */
#ifndef UNCLIP_CLIP_CONFIG_H
#define UNCLIP_CLIP_CONFIG_H

#include "lib/image/prep.h"
#include "lib/net/clip.h"

/* What to do before a tower that sees `side` pixels, where no file says it: Pillow's bicubic,
 * centre crop, OpenAI's mean and std. */
struct prep clip_prep_default(size_t side, enum prep_crop rule);

/* config.json.  family and scale are not touched; act_known is set.  1, 0 if it is the config of
 * another kind of model, or -1. */
int clip_config_hf(struct clip_config *c, const void *json, size_t n, struct err *e);

/* The model_type of another kind's config.json, "" if it has none. */
void clip_config_type(char type[64], const void *json, size_t n);

/* preprocessor_config.json; and processor_config.json, where transformers 5 writes the same keys under
 * image_processor: 1, 0 if it has no such key, or -1.  Every key that would change a picture is read or refused
 * by name, as is a key that is not known. */
int clip_prep_hf(struct prep *p, const void *json, size_t n, struct err *e);
int clip_prep_processor(struct prep *p, const void *json, size_t n, struct err *e);

/* open_clip_config.json: both parts */
int clip_config_openclip(struct clip_config *c, struct prep *p, const void *json, size_t n,
                         struct err *e);

/* Take from `file` what shapes cannot tell (heads, activations, eps) into c, which came from
 * clip_config_from_weights, and refuse what contradicts it. */
int clip_config_merge(struct clip_config *c, const struct clip_config *file, struct err *e);

#endif
