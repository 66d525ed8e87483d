#include "lib/base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, const char *fmt, ...) {
    va_list ap;

    if (!e || e->msg[0])
        return -1;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    for (char *s = e->msg; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
    return -1;
}

int err_at(struct err *e, const char *where, const struct err *why) {
    return err_set(e, "%.400s: %s", where, why->msg);
}

void err_clear(struct err *e) {
    e->msg[0] = 0;
}
