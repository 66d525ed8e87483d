/* params.h - what earlier programs wrote in a record's `params`
 *
 * What     params is an array of [program, map].  The value of a key is that of the last map that has the key.
 * Errors   In params of another form no key is found, and the caller takes its default.
 */
#ifndef UNCLIP_PARAMS_H
#define UNCLIP_PARAMS_H

#include "formats/record/record.h"

/* Finds the value of the key `key` in the last map of `program` that has the key, or in the last map of any program if
 * `program` is NULL.  Returns 1, or 0 if the key is not found. */
int params_get(const struct record *r, const char *program, const char *key, struct span *val);

/* Finds the string under the key `key` in the last map of `program`.  Returns 1, or 0 if that map has no such string. */
int params_last_text(const struct record *r, const char *program, const char *key, struct span *s);

int params_int(const struct record *r, const char *program, const char *key, int64_t *v);

int params_float(const struct record *r, const char *program, const char *key, double *v);    /* takes int or float */

/* Reads an array of at most `most` integers into v.  Returns their number, or 0 if the value has another form. */
size_t params_ints(const struct record *r, const char *program, const char *key, int64_t *v, size_t most);

#endif
