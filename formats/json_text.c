#include "formats/json_text.h"

#include <string.h>

json_t *json_text_load(const void *p, size_t n, struct err *e) {
    json_error_t je;
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &je);
    char *near;

    if (j)
        return j;
    /* what jansson quotes from the file does not belong on a terminal */
    near = strstr(je.text, " near ");
    if (near)
        *near = 0;
    err_set(e, "not valid JSON: byte %d: %s", je.position, je.text);
    return NULL;
}
