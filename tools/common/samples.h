/* samples.h - what the samplers (prior, decode64, upsample) share: their params, and the -n results of a record
 */
#ifndef UNCLIP_SAMPLES_H
#define UNCLIP_SAMPLES_H

#include "tools/common/tool.h"
#include "tools/stage/sample.h"

/* Sets the record's noise_id to the value of --noise-id, if that option was given. */
int tool_noise_id(struct tool *t, struct record *r, struct err *e);

/* Writes to m the pairs of key and value that the params of all samplers begin with. */
void tool_params(const struct tool *t, struct mp *m);

/* Returns whether the file of --skip-from holds all -n results of this record. */
bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a);

/* Makes *child the record of result i: a copy of r for which the program will compute the field `field`.  Returns 1.
 * Returns 0 if the file of --skip-from holds the result already, because an earlier run ended between the samples of a
 * record.  Returns -1 for an error. */
int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e);

#endif
