#include "formats/io/yaml_text.h"

#include <stdio.h>
#include <string.h>

/* Returns the number of opening brackets, also those in quotes and comments.  For each token libyaml looks at every
 * bracket that is still open, so its time grows with the square of the number of brackets. */
static size_t brackets(const char *p, size_t n) {
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += p[i] == '[' || p[i] == '{';
    return k;
}

int yaml_text_load(struct yaml_text *y, const void *p, size_t n, struct err *e) {
    yaml_parser_t parser;
    int r = 0;

    if (n > YAML_TEXT_MAX)
        return err_set(e, "%zu bytes are too long for a config", n);
    if (brackets(p, n) > YAML_BRACKETS)
        return err_set(e, "more than %d brackets in a config", YAML_BRACKETS);
    if (!yaml_parser_initialize(&parser))
        return err_set(e, "out of memory");
    yaml_parser_set_input_string(&parser, p, n);
    if (!yaml_parser_load(&parser, &y->doc))
        r = err_set(e, "not valid YAML: line %zu: %s", parser.problem_mark.line + 1, parser.problem ? parser.problem : "out of memory");
    yaml_parser_delete(&parser);
    return r;
}

void yaml_text_free(struct yaml_text *y) {
    yaml_document_delete(&y->doc);
}

const yaml_node_t *yaml_text_root(struct yaml_text *y) {
    return yaml_document_get_root_node(&y->doc);
}

/* Returns true if v is a scalar whose text is the n bytes at s. */
static bool is(const yaml_node_t *v, const char *s, size_t n) {
    return v && v->type == YAML_SCALAR_NODE && v->data.scalar.length == n && !memcmp(v->data.scalar.value, s, n);
}

/* Returns true if v is a plain scalar (without quotes) whose text is a, b or c. */
static bool word(const yaml_node_t *v, const char *a, const char *b, const char *c) {
    return v->type == YAML_SCALAR_NODE && v->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (is(v, a, strlen(a)) || is(v, b, strlen(b)) || is(v, c, strlen(c)));
}

static const yaml_node_t *member(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t n) {
    const yaml_node_t *v = NULL;

    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        if (is(yaml_document_get_node(&y->doc, p->key), key, n))
            v = yaml_document_get_node(&y->doc, p->value);
    return v && (word(v, "", "~", "null") || word(v, "Null", "NULL", "")) ? NULL : v;
}

const yaml_node_t *yaml_get(struct yaml_text *y, const yaml_node_t *map, const char *key) {
    return member(y, map, key, strlen(key));
}

const yaml_node_t *yaml_path(struct yaml_text *y, const yaml_node_t *map, const char *path) {
    for (;;) {
        size_t n = strcspn(path, ".");

        map = member(y, map, path, n);
        if (!path[n])
            return map;
        path += n + 1;
    }
}

int yaml_get_size(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *v, struct err *e) {
    const yaml_node_t *x = yaml_get(y, map, key);
    size_t sum = 0;
    bool good = x && x->type == YAML_SCALAR_NODE && x->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                x->data.scalar.length > 0 && x->data.scalar.length < 10;

    if (!x)
        return 0;
    for (size_t i = 0; good && i < x->data.scalar.length; i++) {
        unsigned d = x->data.scalar.value[i] - (unsigned)'0';

        good = d <= 9;
        sum = sum * 10 + d;
    }
    if (!good || sum < 1 || sum > YAML_SIZE_MAX)
        return err_set(e, "%s is not a number from 1 to %d", key, YAML_SIZE_MAX);
    *v = sum;
    return 0;
}

int yaml_get_bool(struct yaml_text *y, const yaml_node_t *map, const char *key, bool *v, struct err *e) {
    const yaml_node_t *x = yaml_get(y, map, key);
    bool yes = x && word(x, "true", "True", "TRUE");

    if (!x)
        return 0;
    if (!yes && !word(x, "false", "False", "FALSE"))
        return err_set(e, "%s is neither true nor false", key);
    *v = yes;
    return 0;
}

int yaml_get_text(struct yaml_text *y, const yaml_node_t *map, const char *key, const char **v, struct err *e) {
    const yaml_node_t *x = yaml_get(y, map, key);

    if (!x)
        return 0;
    if (x->type != YAML_SCALAR_NODE || strlen((const char *)x->data.scalar.value) != x->data.scalar.length)
        return err_set(e, "%s is not a text", key);
    *v = (const char *)x->data.scalar.value;
    return 0;
}

int yaml_get_count(struct yaml_text *y, const yaml_node_t *map, const char *key, size_t *n, struct err *e) {
    const yaml_node_t *x = yaml_get(y, map, key);

    *n = 0;
    if (x && x->type != YAML_SEQUENCE_NODE)
        return err_set(e, "%s is not a list", key);
    if (x)
        *n = (size_t)(x->data.sequence.items.top - x->data.sequence.items.start);
    return 0;
}
