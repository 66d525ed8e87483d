/* clip_bind.h - what the binding of both towers shares
 *
 * What     Behind clip.h: the ranges of a config's numbers, tensors that are left over, projections.
 */
#ifndef UNCLIP_CLIP_BIND_H
#define UNCLIP_CLIP_BIND_H

#include "lib/layer/transformer.h"
#include "lib/net/clip.h"

/* Refuse a config whose numbers cannot be those of a network, before they are multiplied. */
int clip_check_text(const struct clip_config *c, struct err *e);
int clip_check_vision(const struct clip_config *c, struct err *e);

/* Refuse, by name, what a bound tower left: unused tensors of its own and of no tower. */
void clip_refuse_unused(struct bind *b, const struct clip_family *family, enum clip_tower tower);

/* A projection [E, D] without bias. */
void clip_bind_projection(struct bind *b, struct linear *l, const struct clip_family *family, const char *name,
                          size_t embed, size_t width);

#endif
