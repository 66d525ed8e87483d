#include "formats/record/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 64 << 10 };    /* bytes of the buffer at first */

int lines_open(struct lines *l, const char *name, char end, struct arena *a, size_t room, struct err *e) {
    l->fd = STDIN_FILENO;
    l->end = end;
    l->eof = l->held = false;
    l->at = l->len = 0;
    l->number = 0;
    if (!l->buf) {
        l->cap = FIRST;
        if (arena_split(a, room, &l->mem, &l->room) < 0 ||
            arena_split(a, room, &l->value_mem, &l->value_room) < 0 ||
            !(l->buf = arena_take(&l->room, l->cap, 1)))
            return err_set(e, "out of memory");
    }
    if (strcmp(name, "-") != 0 && (l->fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(e, "%s", strerror(errno));
    return 0;
}

void lines_close(struct lines *l) {
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    l->fd = -1;
}

/* Read more behind l->len: 1, 0 the buffer cannot grow any more, -2. */
static int more(struct lines *l, struct err *e) {
    size_t limit = l->mem.reserved - 2 * ARENA_ALIGN, cap = l->cap * 2 < limit ? l->cap * 2 : limit;
    ssize_t n;
    int why;

    if (l->at) {
        memmove(l->buf, l->buf + l->at, l->len - l->at);
        l->len -= l->at;
        l->at = 0;
    }
    if (l->len == l->cap) {
        if (cap <= l->cap || arena_grow(&l->room, l->buf, l->cap, cap) < 0)
            return 0;
        l->cap = cap;
    }
    while ((n = read(l->fd, l->buf + l->len, l->cap - l->len)) < 0) {
        why = errno;
        err_set(e, "%s", strerror(why));
        errno = why;
        return -2;
    }
    l->eof = n == 0;
    l->len += (size_t)n;
    return 1;
}

/* Pass over the rest of a line that is too long. */
static int pass(struct lines *l, struct err *e) {
    char *q;

    for (;;) {
        q = memchr(l->buf + l->at, l->end, l->len - l->at);
        if (q || l->eof)
            break;
        l->at = l->len;
        if (more(l, e) == -2)
            return -2;
    }
    l->at = q ? (size_t)(q - l->buf) + 1 : l->len;
    return err_set(e, "longer than %zu bytes", l->cap);
}

int lines_next(struct lines *l, struct span *s, struct err *e) {
    size_t seen = 0;    /* bytes known to hold no end */
    char *q;
    int rc;

    if (l->held) {
        l->held = false;
        *s = l->line;
        return 1;
    }
    while (!(q = memchr(l->buf + l->at + seen, l->end, l->len - l->at - seen)) && !l->eof) {
        seen = l->len - l->at;
        if ((rc = more(l, e)) == 0) {
            l->number++;
            return pass(l, e);
        }
        if (rc < 0)
            return rc;
    }
    if (!q && l->at == l->len)
        return 0;
    l->number++;
    l->line = *s = (struct span){(unsigned char *)l->buf + l->at, (q ? (size_t)(q - l->buf) : l->len) - l->at};
    l->at += s->n + (q != NULL);
    return 1;
}

struct balance {    /* where in a JSON text we are */
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

int lines_json(struct lines *l, struct span *s, uint64_t *first, struct err *e) {
    struct balance b = {0};
    int rc;

    do {
        if ((rc = lines_next(l, s, e)) <= 0) {
            *first = l->number;
            return rc;
        }
    } while (blank(*s));
    *first = l->number;
    scan(&b, *s);
    if (!b.depth || b.string)    /* a string does not go over a line's end: it is damaged */
        return 1;
    l->value_room = arena_open(&l->value_mem);
    mp_open(&l->value, &l->value_room);
    for (;;) {
        mp_raw(&l->value, *s);
        mp_raw(&l->value, (struct span){(const unsigned char *)"\n", 1});
        if (!b.depth || b.string || (rc = lines_next(l, s, e)) == 0)
            break;
        if (rc < 0)
            return rc;
        if (s->n && s->p[0] == '{') {
            l->held = true;
            break;
        }
        scan(&b, *s);
    }
    if (l->value.full)
        return err_set(e, "longer than %zu bytes", l->value_mem.reserved);
    *s = mp_span(&l->value);
    return 1;
}
