/* towers.h - the two towers of a CLIP, each opened when an input first needs it
 *
 * What     towers_text and towers_vision find the checkpoint, bind the tower and take the memory of one batch.
 *          towers_texts and towers_images run a tower.  A checkpoint that holds both towers is opened once; towers
 *          in separate files are opened as two checkpoints.
 * Errors   Opening fails where model_open_clip or clip_bind_* fail.  Running cannot fail.
 * Memory   Taken from keep, for `batch` inputs.
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

/* Open the text tower, or the vision tower, if it is not open. */
int towers_text(struct towers *t, struct err *e);
int towers_vision(struct towers *t, struct err *e);

/* Run the text tower by clip_text_run, or the vision tower by clip_image_run, on n <= batch inputs.  The tower must be
 * open.  A crop is u8 [S, S, 3], made by the model's prep.  features is that of clip_image_run. */
void towers_texts(const struct towers *t, size_t n, const int *const tokens[], const size_t len[],
                  float *embed, float *const states[]);
/* features as in clip_image_run. */
void towers_images(const struct towers *t, size_t n, const unsigned char *const crop[], float *embed, float *features);

#endif
