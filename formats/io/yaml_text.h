/* yaml_text.h - parse YAML that is not trusted, with libyaml
 *
 * What     Parses the first document of a text into a tree of maps, lists and scalars.  An alias is a node that occurs
 *          twice, never a copy, so a small file takes little memory.  If a key occurs twice, the last value counts, as
 *          in PyYAML.
 * Checks   The text has at most YAML_TEXT_MAX bytes and YAML_BRACKETS opening brackets, and is nested no deeper than
 *          libyaml allows (1000).
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

/* Returns 0; the caller then frees y with yaml_text_free.  If the text is not valid YAML, returns -1; err names the
 * line, and there is nothing to free. */
int yaml_text_load(struct yaml_text *y, const void *p, size_t n, struct err *e);
void yaml_text_free(struct yaml_text *y);

/* Returns the root node of the document, or NULL if the text is empty. */
const yaml_node_t *yaml_text_root(struct yaml_text *y);

/* Returns the value of a key.  Returns NULL if the key is absent, if the value is null (empty or ~), or if `map` is
 * NULL or not a map. */
const yaml_node_t *yaml_get(struct yaml_text *y, const yaml_node_t *map, const char *key);

/* Calls yaml_get for each key of `path`, in which dots separate the keys, and returns the last value, or NULL. */
const yaml_node_t *yaml_path(struct yaml_text *y, const yaml_node_t *map, const char *path);

/* These functions look up a member of a map.  If the member is absent or null, they return 0 and leave the caller's
 * default in *v.  A value of another type or out of range is an error that names the key.  A size is 1 to
 * YAML_SIZE_MAX.  A text has no NUL inside. */
int yaml_get_size(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *v, struct err *e);
int yaml_get_bool(struct yaml_text *y, const yaml_node_t *map, const char *key, bool *v, struct err *e);
int yaml_get_text(struct yaml_text *y, const yaml_node_t *map, const char *key, const char **v, struct err *e);

/* Writes into *n how many items a list has, or 0 if the list is absent or null. */
int yaml_get_count(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *n, struct err *e);

#endif
