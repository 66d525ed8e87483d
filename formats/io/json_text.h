/* json_text.h - parse JSON that is not trusted, with jansson
 *
 * What     Accepts strict JSON only: UTF-8, nothing after the value, no duplicate names, no NUL in strings, nesting no
 *          deeper than jansson allows (2048).
 * Memory   jansson allocates the value.  The caller frees it with json_decref.
 */
#ifndef UNCLIP_JSON_TEXT_H
#define UNCLIP_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"

/* Returns the parsed value.  If the text is not valid JSON, returns NULL, and err names the byte and the reason. */
json_t *json_text_load(const void *p, size_t n, struct err *e);

/* Returns what json_text_load returns, also of a text in which a number has more than 64 bits, as the 10^30 that transformers
 * writes for "no limit" into tokenizer_config.json.  Then all numbers of the text are reals. */
json_t *json_text_load_big(const void *p, size_t n, struct err *e);

/* Returns the parsed value.  If the text is not valid JSON or the value is not an object, returns NULL and sets err. */
json_t *json_object_load(const void *p, size_t n, struct err *e);

/* These functions look up a member of an object.  A member that is null counts as absent: json_get returns NULL, and
 * the other functions return 0 and leave the caller's default in *v.  A value of another type or out of range is an
 * error that names the key. */
enum { JSON_SIZE_MAX = 1 << 24 };

const json_t *json_get(const json_t *o, const char *key);
int json_get_size(const json_t *o, const char *key, size_t *v, struct err *e);    /* 1 to JSON_SIZE_MAX */
int json_get_bool(const json_t *o, const char *key, bool *v, struct err *e);
int json_get_real(const json_t *o, const char *key, double *v, double min, double max, struct err *e);

#endif
