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
