/* noised_model.h - find and open GLIDE's noised CLIP
 *
 * What     noised_model_open opens the image encoder and the text encoder, which are two files in one directory,
 *          clip_image_enc and clip_text_enc (.pt or .safetensors).  It also opens CLIP's tokenizer, from the first path
 *          that has one (model.h).
 * Source   openai/glide-text2im @69b5307 download.py (the names of the files).
 * Memory   What is bound comes from the arena.
 * Errors   noised_model_open returns -1.  If no path has the two files, err names all paths; other errors name the
 *          file.
 */
#ifndef UNCLIP_NOISED_MODEL_H
#define UNCLIP_NOISED_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/net/noised_clip.h"
#include "lib/text/bpe.h"

struct noised_model {
    struct noised_clip *clip;
    struct bpe bpe;
    const char *file;          /* file of the image encoder */
    char fingerprint[17];      /* fingerprint of the image encoder */
};

int noised_model_open(struct noised_model *m, const struct model_paths *p, const struct compute *c, struct arena *a,
                      struct err *e);

#endif
