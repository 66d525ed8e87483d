/* glide_names.h - tell GLIDE's files apart, and divide one into its two networks
 *
 * What     base.pt, base_inpaint.pt, upsample.pt and upsample_inpaint.pt hold a U-Net and a text transformer each, in one
 *          state dict without prefixes.  The channels that the U-Net takes tell the four apart:
 *            base 3: x                             base_inpaint 7: x, known picture, mask
 *            upsample 6: x, small picture          upsample_inpaint 10: x, known picture, mask, small picture
 * Source   openai/glide-text2im @69b5307 text2im_model.py.
 * Errors   -1 with a message in e: memory is exhausted.
 */
#ifndef UNCLIP_GLIDE_NAMES_H
#define UNCLIP_GLIDE_NAMES_H

#include "lib/base/tensor.h"

enum glide_file { GLIDE_NONE, GLIDE_BASE, GLIDE_BASE_INPAINT, GLIDE_UPSAMPLE, GLIDE_UPSAMPLE_INPAINT };

/* Which of GLIDE's files holds these tensors? */
enum glide_file glide_file(const struct weights *ws);

/* Fills *text with the tensors of the text transformer, and *unet with all others, both in the order of *all.  The tables
 * take memory from the arena a; the tensors' values are not copied. */
int glide_divide(const struct weights *all, struct weights *text, struct weights *unet, struct arena *a, struct err *e);

#endif
