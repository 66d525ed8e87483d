/* Messages: "tool: file: reason" on standard error. */
#include "tools/common/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "tools/common/common.h"

const char *tool_prog = "unclip";

static struct {
    int (*fn)(void *of);
    void *of;
} at_end;

void tool_at_end(int (*fn)(void *of), void *of) {
    at_end.fn = fn, at_end.of = of;
}

int tool_flush_own(void) {
    int (*fn)(void *of) = at_end.fn;

    at_end.fn = NULL;    /* it may die itself */
    return fn ? fn(at_end.of) : 0;
}

__attribute__((format(printf, 1, 0)))
static void vsay(const char *fmt, va_list ap, int with_errno) {
    int e = errno;

    fflush(stdout);
    fprintf(stderr, "%s: ", tool_prog);
    vfprintf(stderr, fmt, ap);
    if (with_errno)
        fprintf(stderr, ": %s", strerror(e));
    fputc('\n', stderr);
}

/* What was done is written.  Where a signal came, the reason is the signal: it ended the call that failed. */
static noreturn void end(const char *fmt, va_list ap, int with_errno) {
    if (!tool_stopped())
        vsay(fmt, ap, with_errno);
    tool_flush_own();
    tool_raise_stop();
    exit(2);
}

void die(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    end(fmt, ap, 0);
}

void die_errno(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    end(fmt, ap, 1);
}

void warn(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsay(fmt, ap, 0);
    va_end(ap);
}

const char *tool_quote(struct span s, char *buf, size_t room) {
    static const char hex[] = "0123456789abcdef";
    bool utf8 = utf8_valid(s.p, s.n);
    size_t at = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = s.p[i];
        if (at + 8 > room) {
            memcpy(buf + at, "...", 3);
            at += 3;
            break;
        }
        if (c < 32 || c == 127 || (c >= 128 && !utf8)) {
            buf[at++] = '\\', buf[at++] = 'x', buf[at++] = hex[c >> 4], buf[at++] = hex[c & 15];
        } else {
            buf[at++] = (char)c;
        }
    }
    buf[at] = 0;
    return buf;
}
