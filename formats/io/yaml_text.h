/* yaml_text.h - parse YAML that is not trusted, with libyaml
 *
 * What     Parses the first document of a text into a tree of maps, lists and scalars.  An alias is a node that occurs
 *          twice, never a copy, so a small file takes little memory.  Where a key occurs twice, the last value counts,
 *          as in PyYAML.
 * Checks   The text has at most YAML_TEXT_MAX bytes and YAML_BRACKETS brackets that open, and is nested as deep
 *          as libyaml allows (1000).
 * Memory   libyaml allocates the tree, and yaml_text_free frees it.  Strings point into the tree.
 */
#ifndef UNCLIP_YAML_TEXT_H
#define UNCLIP_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "lib/base/err.h"

enum { YAML_TEXT_MAX = 1 << 18, YAML_BRACKETS = 1000, YAML_SIZE_MAX = 1 << 24 };

struct yaml_text {
    yaml_document_t doc;
};

/* Returns 0, and the caller frees y with yaml_text_free; or -1 with err ("line N: what") and nothing to free. */
int yaml_text_load(struct yaml_text *y, const void *p, size_t n, struct err *e);
void yaml_text_free(struct yaml_text *y);

/* Returns the root node of the document, or NULL where the text is empty. */
const yaml_node_t *yaml_text_root(struct yaml_text *y);

/* Returns the value of a key.  NULL where the key is absent, where the value is null (empty or ~), or where `map` is
 * NULL or not a map. */
const yaml_node_t *yaml_get(struct yaml_text *y, const yaml_node_t *map, const char *key);

/* Calls yaml_get for each key of `path`, in which dots separate the keys, and returns the last value, or NULL. */
const yaml_node_t *yaml_path(struct yaml_text *y, const yaml_node_t *map, const char *path);

/* These functions look up a member of a map.  Where it is absent or null, they return 0 and leave the caller's default
 * in *v.  A value of another type or out of range is an error that names the key.  A size is 1 to YAML_SIZE_MAX.  A
 * text has no NUL inside. */
int yaml_get_size(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *v, struct err *e);
int yaml_get_bool(struct yaml_text *y, const yaml_node_t *map, const char *key, bool *v, struct err *e);
int yaml_get_text(struct yaml_text *y, const yaml_node_t *map, const char *key, const char **v, struct err *e);

/* Writes into *n how many items a list has, or 0 where the list is absent or null. */
int yaml_get_count(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *n, struct err *e);

#endif
