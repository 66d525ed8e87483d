/* yaml_text.h - YAML from outside, through libyaml
 *
 * What     The first document of a text as a tree of maps, lists and scalars.  An alias is a node that occurs twice,
 *          never a copy: a small file stays small.  Of a key that occurs twice the last counts, as in PyYAML.
 * Checks   At most YAML_TEXT_MAX bytes; nesting as deep as libyaml allows (1000).
 * Memory   libyaml's own, freed by yaml_text_free.  Strings point into it.
 */
#ifndef UNCLIP_YAML_TEXT_H
#define UNCLIP_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "lib/base/err.h"

enum { YAML_TEXT_MAX = 1 << 18, YAML_SIZE_MAX = 1 << 24 };

struct yaml_text {
    yaml_document_t doc;
};

/* 0 and a document to be freed, or -1 and nothing to free ("line N: what"). */
int yaml_text_load(struct yaml_text *y, const void *p, size_t n, struct err *e);
void yaml_text_free(struct yaml_text *y);

/* NULL where the text is empty. */
const yaml_node_t *yaml_text_root(struct yaml_text *y);

/* The value of a key, NULL where it is absent or null (an empty value, ~), or where `map` is NULL or not a map. */
const yaml_node_t *yaml_get(struct yaml_text *y, const yaml_node_t *map, const char *key);

/* The same along a path of keys, separated by dots. */
const yaml_node_t *yaml_path(struct yaml_text *y, const yaml_node_t *map, const char *path);

/* Members of a map.  Absent and null leave the default in *v; a value of another type or out of range is an error that
 * names the key. */
int yaml_get_size(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *v, struct err *e);    /* 1 to YAML_SIZE_MAX */
int yaml_get_bool(struct yaml_text *y, const yaml_node_t *map, const char *key, bool *v, struct err *e);
int yaml_get_text(struct yaml_text *y, const yaml_node_t *map, const char *key, const char **v, struct err *e);    /* without NUL inside */

/* How many items a list has; 0 where it is absent or null. */
int yaml_get_count(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *n, struct err *e);

#endif
