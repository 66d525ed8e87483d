/* clip_config.h - the JSON files that say what a CLIP checkpoint is and how it sees
 *
 * What     Hugging Face's config.json (of both towers, or of one), preprocessor_config.json and
 *          processor_config.json; open_clip_config.json.  Keys that are absent have the defaults of the
 *          libraries that wrote the files: these defaults are part of the format.
 * Source   transformers CLIPTextConfig, CLIPVisionConfig, CLIPConfig, CLIPImageProcessor;
 *          open_clip @89fb801 src/open_clip/model.py (CLIPVisionCfg, CLIPTextCfg), transform.py.
 * Errors   -1, and err names the key: a value of the wrong type or range, an unknown activation, and, in
 *          open_clip's files, a key that is set to something which is not implemented here.
 * Memory   No memory stays allocated.
 */
#ifndef UNCLIP_CLIP_CONFIG_H
#define UNCLIP_CLIP_CONFIG_H

#include "lib/image/prep.h"
#include "lib/net/clip.h"

/* The preprocessing for a tower that sees side x side pixels, where no file gives it: the shorter side to `side` by
 * Pillow's bicubic, centre crop, OpenAI's mean and std. */
struct prep clip_prep_default(size_t side, enum prep_crop rule);

/* Read config.json.  family and scale are not touched; act_known is set.  1, 0 if it is the config of
 * another kind of model, or -1. */
int clip_config_hf(struct clip_config *c, const void *json, size_t n, struct err *e);

/* The model_type of a config.json; "" if the file has no model_type or is not JSON. */
void clip_config_type(char type[64], const void *json, size_t n);

/* Read preprocessor_config.json (0 or -1), or processor_config.json, where transformers 5 writes the same keys under
 * image_processor (1, 0 if the file does not have image_processor, or -1).  Every key that would change a picture is
 * read, or refused by name if it is set.  So is a key that is not known. */
int clip_prep_hf(struct prep *p, const void *json, size_t n, struct err *e);
int clip_prep_processor(struct prep *p, const void *json, size_t n, struct err *e);

/* Read open_clip_config.json: model_cfg into c, and preprocess_cfg into p. */
int clip_config_openclip(struct clip_config *c, struct prep *p, const void *json, size_t n,
                         struct err *e);

/* Take what shapes cannot tell (heads, activations, eps) from `file` into c.  c came from clip_config_from_weights.  A
 * number in `file` that contradicts the shapes is an error. */
int clip_config_merge(struct clip_config *c, const struct clip_config *file, struct err *e);

#endif
