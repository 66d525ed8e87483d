/* towers.h - the two towers of a CLIP, each opened when an input first needs it
 *
 * What     towers_text and towers_vision find the checkpoint, bind the tower and take the memory for one batch.
 *          towers_texts and towers_images run a tower.  A checkpoint that holds both towers is opened once; towers
 *          in separate files are opened as two checkpoints.
 * Errors   Opening fails if model_open_clip or clip_bind_* fail, or if memory runs out.  Running cannot fail.
 * Memory   Memory for `batch` inputs is taken from the arena `keep`.
 */
#ifndef UNCLIP_TOWERS_H
#define UNCLIP_TOWERS_H

#include "formats/checkpoint/model.h"

struct towers {
    struct model_paths paths;
    const struct compute *compute;
    struct arena *keep;
    size_t batch;
    struct clip_model *text_model, *vision_model;    /* NULL before they are opened */
    const struct clip_text *text;
    const struct clip_vision *vision;
    void *text_scratch, *vision_scratch;
    float *planes;                                   /* [batch, 3, S, S] */
};

/* towers_text opens the text tower, and towers_vision the vision tower, unless it is open already. */
int towers_text(struct towers *t, struct err *e);
int towers_vision(struct towers *t, struct err *e);

/* towers_texts calls clip_text_run for n texts, and towers_images calls clip_image_run for n crops; n <= t->batch.  The
 * caller has opened the tower.  A crop is the square u8 [S, S, 3] that prep_crop makes with the model's struct prep. */
void towers_texts(const struct towers *t, size_t n, const int *const tokens[], const size_t len[],
                  float *embed, float *const states[]);
/* clip_image_run describes `features`. */
void towers_images(const struct towers *t, size_t n, const unsigned char *const crop[], float *embed, float *features);

#endif
