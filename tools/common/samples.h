/* samples.h - what the samplers (prior, decode64, upsample) share: their params, and the -n results of a record
 */
#ifndef UNCLIP_SAMPLES_H
#define UNCLIP_SAMPLES_H

#include "tools/common/tool.h"
#include "tools/stage/sample.h"

/* Adds the value of --noise-id to the record. */
int tool_noise_id(struct tool *t, struct record *r, struct err *e);

/* Writes to m the pairs of key and value that the params of all samplers begin with. */
void tool_params(const struct tool *t, struct mp *m);

/* Returns whether the file of --skip-from holds all -n results of this record. */
bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a);

/* Makes child, a copy of r, the record of result i, for which the program makes `field`.  Returns 1, 0 if the file of
 * --skip-from holds the result, because a run ended between the samples of a record, or -1. */
int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e);

#endif
