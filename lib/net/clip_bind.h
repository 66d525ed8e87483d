/* clip_bind.h - what the binding of both towers shares
 *
 * What     Helpers of clip_bind_text and clip_bind_vision (clip.h): they check the ranges of a config's numbers, refuse
 *          tensors that nothing used, and bind projections.
 * Errors   The checks return -1 with a message in e; the other functions leave their error in b (bind.h).
 */
#ifndef UNCLIP_CLIP_BIND_H
#define UNCLIP_CLIP_BIND_H

#include "lib/layer/transformer.h"
#include "lib/net/clip.h"

/* Refuse a config whose numbers are 0, too large or do not divide each other, before sizes are computed from them. */
int clip_check_text(const struct clip_config *c, struct err *e);
int clip_check_vision(const struct clip_config *c, struct err *e);

/* Refuse, by name, an unused tensor that belongs to this tower or to neither tower. */
void clip_refuse_unused(struct bind *b, const struct clip_family *family, enum clip_tower tower);

/* Bind a projection [embed, width] without bias; families with `transposed` store it as [width, embed]. */
void clip_bind_projection(struct bind *b, struct linear *l, const struct clip_family *family, const char *name,
                          size_t embed, size_t width);

#endif
