/* params.h - what earlier programs wrote in a record's `params`
 *
 * What     params is an array of [program, map].  The value of a key is that of the last map that has the key.
 * Errors   In params of another form no key is found, and the caller takes its default.
 */
#ifndef UNCLIP_PARAMS_H
#define UNCLIP_PARAMS_H

#include "formats/record/record.h"

/* The value of key in the last map of `program` (NULL: of any) that has it.  1 or 0. */
int params_get(const struct record *r, const char *program, const char *key, struct span *val);

int params_int(const struct record *r, const char *program, const char *key, int64_t *v);

int params_float(const struct record *r, const char *program, const char *key, double *v);    /* int or float */

/* An array of at most `most` integers.  Returns how many there are, or 0. */
size_t params_ints(const struct record *r, const char *program, const char *key, int64_t *v, size_t most);

#endif
