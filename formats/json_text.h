/* json_text.h - JSON from outside, through jansson
 *
 * What     Strict JSON: UTF-8, nothing after the value, no duplicate names, no NUL in
 *          strings, nesting as deep as jansson allows (2048).
 * Memory   jansson's own, freed by json_decref; nothing of ours points into it afterwards.
 */
#ifndef UNCLIP_JSON_TEXT_H
#define UNCLIP_JSON_TEXT_H

#include <jansson.h>

#include "lib/err.h"

/* The value, or NULL with err ("byte N: what"). */
json_t *json_text_load(const void *p, size_t n, struct err *e);

#endif
