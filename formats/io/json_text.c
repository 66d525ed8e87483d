#include "formats/io/json_text.h"

#include <string.h>

/* Parses the text.  If `big` is set and a number in it has more than 64 bits, all numbers become reals. */
static json_t *load(const void *p, size_t n, bool big, struct err *e) {
    json_error_t je;
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &je);
    char *near;

    if (!j && big && json_error_code(&je) == json_error_numeric_overflow)
        j = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &je);
    if (j)
        return j;
    /* cut the words in which jansson quotes the file, whose bytes must not reach a terminal */
    near = strstr(je.text, " near ");
    if (near)
        *near = 0;
    err_set(e, "not valid JSON: byte %d: %s", je.position, je.text);
    return NULL;
}

json_t *json_text_load(const void *p, size_t n, struct err *e) {
    return load(p, n, false, e);
}

json_t *json_text_load_big(const void *p, size_t n, struct err *e) {
    return load(p, n, true, e);
}

json_t *json_object_load(const void *p, size_t n, struct err *e) {
    json_t *j = json_text_load(p, n, e);

    if (j && !json_is_object(j)) {
        err_set(e, "not an object");
        json_decref(j);
        return NULL;
    }
    return j;
}

const json_t *json_get(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);

    return json_is_null(v) ? NULL : v;
}

int json_get_size(const json_t *o, const char *key, size_t *v, struct err *e) {
    const json_t *x = json_get(o, key);

    if (!x)
        return 0;
    if (!json_is_integer(x) || json_integer_value(x) < 1 || json_integer_value(x) > JSON_SIZE_MAX)
        return err_set(e, "%s is not a number from 1 to %d", key, JSON_SIZE_MAX);
    *v = (size_t)json_integer_value(x);
    return 0;
}

int json_get_bool(const json_t *o, const char *key, bool *v, struct err *e) {
    const json_t *x = json_get(o, key);

    if (x && !json_is_boolean(x))
        return err_set(e, "%s is neither true nor false", key);
    if (x)
        *v = json_is_true(x);
    return 0;
}

int json_get_real(const json_t *o, const char *key, double *v, double min, double max,
                    struct err *e) {
    const json_t *x = json_get(o, key);

    if (!x)
        return 0;
    *v = json_number_value(x);
    if (!json_is_number(x) || !(*v >= min && *v <= max))
        return err_set(e, "%s is not a number from %g to %g", key, min, max);
    return 0;
}
