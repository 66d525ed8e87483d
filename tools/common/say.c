/* Messages: "tool: file: reason" on standard error. */
#include "tools/common/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
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

    at_end.fn = NULL;    /* fn may call die, which must not call fn again */
    return fn ? fn(at_end.of) : 0;
}

__attribute__((format(printf, 1, 0)))
static void vsay(const char *fmt, va_list ap, int with_errno) {
    int e = errno;
    char text[6000], line[6000];

    warn_counted();
    fflush(stdout);
    vsnprintf(text, sizeof text, fmt, ap);
    fprintf(stderr, "%s: %s%s%s\n", tool_prog, tool_quote(span_of(text), line, sizeof line), with_errno ? ": " : "",
            with_errno ? strerror(e) : "");
}

/* Prints the message, writes the results that are done and ends the program.  After a signal, this message is not printed,
 * because then the signal made the call fail. */
__attribute__((format(printf, 1, 0)))
static noreturn void end(const char *fmt, va_list ap, int with_errno) {
    warn_counted();
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

/* Records of one stream that failed one after the other for the same reason. */
static struct {
    char file[1000], reason[1000];
    uint64_t done, named, last;    /* the last record; `named` of the records were named */
    uint64_t n, first;             /* the last n records, from `first` on, were counted and not named */
    char id[300];                  /* of the last record that was counted */
} run;

void warn_counted(void) {
    const uint64_t n = run.n;

    run.n = 0;    /* warn calls this function */
    if (n == 1)
        warn("%s: record %llu (%s): %s", run.file, (unsigned long long)run.last, run.id, run.reason);
    else if (n)
        warn("%s: %llu more records (%llu to %llu): %s", run.file, (unsigned long long)n, (unsigned long long)run.first,
             (unsigned long long)run.last, run.reason);
}

void warn_record(const char *file, uint64_t number, struct span id, uint64_t done, const char *reason) {
    char text[300];
    const bool again = run.done == done && number > run.last && !strcmp(file, run.file) && !strcmp(reason, run.reason);

    if (again && run.named == SAY_NAMED) {
        run.first = run.n++ ? run.first : number;
        run.last = number;
        tool_quote(id, run.id, sizeof run.id);
        return;
    }
    warn("%s: record %llu (%s): %s", file, (unsigned long long)number, tool_quote(id, text, sizeof text), reason);
    snprintf(run.file, sizeof run.file, "%s", file);
    snprintf(run.reason, sizeof run.reason, "%s", reason);
    run.done = done, run.last = number;
    run.named = again ? run.named + 1 : 1;
}

const char *tool_quote(struct span s, char *buf, size_t room) {
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = 0;
        int len = utf8_get(s.p + i, s.n - i, &c);

        n = len > 0 ? (size_t)len : 1;
        if (at + 4 * n + 4 > room) {
            memcpy(buf + at, "...", 3);
            at += 3;
            break;
        }
        for (size_t k = 0; k < n; k++) {
            unsigned char b = s.p[i + k];
            if (len > 0 && !utf8_control(s.p + i, n))
                buf[at++] = (char)b;
            else
                buf[at++] = '\\', buf[at++] = 'x', buf[at++] = hex[b >> 4], buf[at++] = hex[b & 15];
        }
    }
    buf[at] = 0;
    return buf;
}

void tool_print(const char *text) {
    char line[9000];

    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        printf("%s\n", tool_quote(span_bytes(text, n), line, sizeof line));
    }
}
