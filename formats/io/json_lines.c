#include "formats/io/json_lines.h"

#include <string.h>

int json_lines_open(struct json_lines *j, const char *name, size_t most, struct arena *a, struct err *e) {
    j->held = false;
    if (!j->cap) {
        if (arena_split(a, most, &j->mem, &j->room) < 0 || !(j->buf = arena_take(&j->room, 0, 1)))
            return err_set(e, "no memory");
    }
    return lines_open(&j->lines, name, '\n', most, a, e);
}

void json_lines_close(struct json_lines *j) {
    lines_close(&j->lines);
}

struct balance {    /* at the end of the text scanned so far: open brackets, and whether a string is open */
    size_t depth;
    bool string, escape;
};

static void scan(struct balance *b, struct span s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)s.p[i];

        if (b->escape)
            b->escape = false;
        else if (b->string)
            b->escape = c == '\\', b->string = c != '"';
        else if (c == '"')
            b->string = true;
        else if (c == '{' || c == '[')
            b->depth++;
        else if ((c == '}' || c == ']') && b->depth)
            b->depth--;
    }
}

static bool blank(struct span s) {
    for (size_t i = 0; i < s.n; i++)
        if (!memchr(" \t\r", s.p[i], 3))
            return false;
    return true;
}

/* Makes j->line the next line: the line that was held back, or a new line of the file.  Returns what lines_next
 * does. */
static int next(struct json_lines *j, struct err *e) {
    if (!j->held)
        return lines_next(&j->lines, &j->line, e);
    j->held = false;
    return 1;
}

/* Appends j->line and a newline to j->buf.  Returns false if the object is too long or memory runs out. */
static bool append(struct json_lines *j) {
    size_t n = j->n + j->line.n + 1, cap = 2 * j->cap > n ? 2 * j->cap : n;

    if (n > j->lines.most)
        return false;
    if (n > j->cap) {
        if (arena_grow(&j->room, j->buf, j->cap, cap) < 0 && arena_grow(&j->room, j->buf, j->cap, cap = n) < 0)
            return false;
        j->cap = cap;
    }
    memcpy(j->buf + j->n, j->line.p, j->line.n);
    j->buf[n - 1] = '\n';
    j->n = n;
    return true;
}

int json_lines_next(struct json_lines *j, struct span *object, uint64_t *first, struct err *e) {
    struct balance b = {0};
    bool fits = true;
    int got;

    do {
        got = next(j, e);
        *first = j->lines.number;
        if (got <= 0)
            return got;
    } while (blank(j->line));
    scan(&b, j->line);
    *object = j->line;
    if (!b.depth || b.string)    /* JSON has no string that goes past the end of a line: the object is damaged */
        return 1;
    for (j->n = 0;;) {
        fits = fits && append(j);
        if (!b.depth || b.string || (got = next(j, e)) == 0)
            break;
        if (got < 0)
            return got;
        if (j->line.n && j->line.p[0] == '{') {
            j->held = true;
            break;
        }
        scan(&b, j->line);
    }
    *object = span_bytes(j->buf, j->n);
    return fits ? 1 : err_set(e, "longer than %zu bytes", j->lines.most);
}
