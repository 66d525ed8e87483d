#include "tools/stage/token_line.h"

int token_line(struct span line, int64_t **id, size_t *n, struct arena *a, struct err *e) {
    int64_t v = -1;

    *n = 0;
    *id = arena_take(a, line.n / 2 + 1, sizeof **id);
    if (!*id)
        return err_set(e, "out of memory");
    for (size_t i = 0; i <= line.n; i++) {
        int c = i < line.n ? line.p[i] : ' ';
        if (c >= '0' && c <= '9') {
            v = (v < 0 ? 0 : v < INT32_MAX ? v * 10 : v) + c - '0';
        } else if (c != ' ' && c != '\t') {
            return err_set(e, "not a line of token ids: byte %zu", i);
        } else if (v >= 0) {
            (*id)[(*n)++] = v;
            v = -1;
        }
    }
    return 0;
}
