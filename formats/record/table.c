#include "formats/record/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/base64.h"
#include "formats/io/write_all.h"
#include "lib/base/size.h"

static void put(struct table *t, const void *p, size_t n) {
    const char *s = p;

    while (n) {
        size_t part = TABLE_BUFFER - t->n < n ? TABLE_BUFFER - t->n : n;

        memcpy(t->buf + t->n, s, part);
        t->n += part, s += part, n -= part;
        if (t->n == TABLE_BUFFER)
            table_flush(t);
    }
}

static void put_str(struct table *t, const char *s) {
    put(t, s, strlen(s));
}

int table_flush(struct table *t) {
    if (t->n && isatty(t->fd))    /* a CSV text may hold control characters, which a terminal must not get */
        utf8_tame(t->buf, t->n);
    if (!t->error && t->n && write_all(t->fd, t->buf, t->n) < 0)
        t->error = errno;
    t->n = 0;
    errno = t->error;
    return t->error ? -1 : 0;
}

static void end_row(struct table *t) {
    put(t, t->format == TABLE_JSON ? "}\n" : t->format == TABLE_CSV ? "\r\n" : t->nul ? "" : "\n", t->format == TABLE_TSV ? 1 : 2);
}

int table_open(struct table *t, int fd, enum table_format f, const char *const name[],
               size_t ncols, struct arena *a) {
    *t = (struct table){.fd = fd, .format = f, .name = name, .ncols = ncols};
    t->buf = arena_take(a, TABLE_BUFFER, 1);
    if (!t->buf)
        return -1;
    if (f == TABLE_CSV)
        table_head(t);
    return 0;
}

static void put_tsv(struct table *t, struct span s) {
    size_t from = 0;
    char hex[8];

    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_control(s.p + i, s.n - i);
        if (!n && s.p[i] != '\\') {
            n = 1;
            continue;
        }
        put(t, s.p + from, i - from);
        switch (s.p[i]) {
        case '\\': put_str(t, "\\\\"), n = 1; break;
        case '\t': put_str(t, "\\t"); break;
        case '\n': put_str(t, "\\n"); break;
        case '\r': put_str(t, "\\r"); break;
        default:
            for (size_t k = 0; k < n; k++) {
                snprintf(hex, sizeof hex, "\\x%02x", s.p[i + k]);
                put_str(t, hex);
            }
        }
        from = i + n;
    }
    put(t, s.p + from, s.n - from);
}

static void put_csv(struct table *t, struct span s) {
    bool quote = false;
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++)
        quote = quote || s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
    if (!quote) {
        put(t, s.p, s.n);
        return;
    }
    put_str(t, "\"");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"') {
            put(t, s.p + from, i + 1 - from);
            from = i;    /* the next piece begins with this quote, so the quote is put twice */
        }
    put(t, s.p + from, s.n - from);
    put_str(t, "\"");
}

static void put_base64(struct table *t, struct span s) {
    char text[1024];
    size_t k;

    put_str(t, "{\"$bytes\":\"");
    for (; s.n; s.p += k, s.n -= k) {
        k = size_min(s.n, sizeof text / 4 * 3);
        base64_encode(text, s.p, k);
        put(t, text, base64_length(k));
    }
    put_str(t, "\"}");
}

static void put_json(struct table *t, struct span s) {
    size_t from = 0;
    char esc[8];

    if (!utf8_valid(s.p, s.n)) {
        put_base64(t, s);
        return;
    }
    put_str(t, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = s.p[i];
        size_t control = utf8_control(s.p + i, s.n - i);

        if (c == '"' || c == '\\')
            snprintf(esc, sizeof esc, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            snprintf(esc, sizeof esc, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (control)
            snprintf(esc, sizeof esc, "\\u%04x", s.p[i + control - 1]);
        else
            continue;
        put(t, s.p + from, i - from);
        put_str(t, esc);
        i += control == 2;
        from = i + 1;
    }
    put(t, s.p + from, s.n - from);
    put_str(t, "\"");
}

void table_head(struct table *t) {
    for (size_t i = 0; i < t->ncols; i++) {
        put_str(t, !i ? "" : t->format == TABLE_CSV ? "," : "\t");
        (t->format == TABLE_CSV ? put_csv : put_tsv)(t, span_of(t->name[i]));
    }
    end_row(t);
}

/* Puts what comes before the next column: a separator, or for JSON the brace and the column's name. */
static void begin(struct table *t) {
    if (t->format != TABLE_JSON) {
        put_str(t, t->col == 0 ? "" : t->format == TABLE_TSV ? "\t" : ",");
        return;
    }
    put_str(t, t->col ? "," : "{");
    put_json(t, span_of(t->name[t->col]));
    put_str(t, ":");
}

static void end(struct table *t) {
    if (++t->col < t->ncols)
        return;
    end_row(t);
    t->col = 0;
}

void table_text(struct table *t, struct span s) {
    begin(t);
    if (t->nul)
        put(t, s.p, s.n);
    else
        (t->format == TABLE_TSV ? put_tsv : t->format == TABLE_CSV ? put_csv : put_json)(t, s);
    end(t);
}

void table_number(struct table *t, double v) {
    char s[40];

    begin(t);
    snprintf(s, sizeof s, "%.7g", v);
    put_str(t, s);
    end(t);
}

void table_int(struct table *t, int64_t v) {
    char s[24];

    begin(t);
    snprintf(s, sizeof s, "%" PRId64, v);
    put_str(t, s);
    end(t);
}
