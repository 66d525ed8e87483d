/* samples.h - what the samplers (prior, decode64, upsample) share: their params, and the -n results of a record
 */
#ifndef UNCLIP_SAMPLES_H
#define UNCLIP_SAMPLES_H

#include "tools/common/tool.h"
#include "tools/stage/sample.h"

/* Put --noise-id into the record. */
int tool_noise_id(struct tool *t, struct record *r, struct err *e);

/* Write the pairs that the params of all samplers begin with. */
void tool_params(const struct tool *t, struct mp *m);

/* Are all -n results of this record in --skip-from? */
bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a);

/* child becomes the i-th result, in which `field` was made.  1; 0 where --skip-from holds it, because a run ended between
 * the samples of a record; -1. */
int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e);

#endif
