/* clip_config.h - the JSON files that say what a CLIP checkpoint is and how it sees
 *
 * What     Hugging Face's config.json (of both towers, or of one), preprocessor_config.json and
 *          processor_config.json; open_clip_config.json.  Keys that are absent have the defaults of the
 *          libraries that wrote the files: these defaults are part of the format.
 * Source   transformers CLIPTextConfig, CLIPVisionConfig, CLIPConfig, CLIPImageProcessor;
 *          open_clip @89fb801 src/open_clip/model.py (CLIPVisionCfg, CLIPTextCfg), transform.py.
 * Errors   The functions return -1, and err names the key, if a value has the wrong type or range, if an activation is
 *          unknown, or, in open_clip's files, if a key is set to something that is not implemented here.
 * Memory   No memory stays allocated.
 */
#ifndef UNCLIP_CLIP_CONFIG_H
#define UNCLIP_CLIP_CONFIG_H

#include "lib/image/prep.h"
#include "lib/net/clip.h"

/* Returns the preprocessing for a tower that sees side x side pixels, for models whose files do not give it.  The
 * shorter side is resized to `side` by Pillow's bicubic filter; then come a centre crop and OpenAI's mean and std. */
struct prep clip_prep_default(size_t side, enum prep_crop rule);

/* Reads config.json into *c.  Sets c->act_known, and does not touch c->family and c->scale.  Returns 1, or 0 if the
 * config is of another kind of model, or -1 on an error. */
int clip_config_hf(struct clip_config *c, const void *json, size_t n, struct err *e);

/* Writes the model_type of a config.json into `type`, or "" if the file has no model_type or is not JSON. */
void clip_config_type(char type[64], const void *json, size_t n);

/* clip_prep_hf reads preprocessor_config.json, and returns 0 or -1.  clip_prep_processor reads processor_config.json,
 * in which transformers 5 writes these keys under image_processor.  It returns 1, or 0 if the file does not have
 * image_processor, or -1 on an error.  Every key that would change a picture is read, or refused by name if it is set.
 * A key that is not known is refused in this way, too. */
int clip_prep_hf(struct prep *p, const void *json, size_t n, struct err *e);
int clip_prep_processor(struct prep *p, const void *json, size_t n, struct err *e);

/* Read open_clip_config.json: model_cfg into c, and preprocess_cfg into p. */
int clip_config_openclip(struct clip_config *c, struct prep *p, const void *json, size_t n,
                         struct err *e);

/* Copies what shapes of tensors cannot tell (heads, activations, eps) from `file` to c, which clip_config_from_weights
 * has filled in.  A number in `file` that contradicts the shapes is an error. */
int clip_config_merge(struct clip_config *c, const struct clip_config *file, struct err *e);

#endif
