#include "formats/io/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/near.h"
#include "formats/io/read_all.h"
#include "lib/base/utf8.h"

enum { READ = 1 << 16 };    /* bytes that one read(2) asks for */

int lines_open(struct lines *l, const char *name, char end, size_t most, struct arena *a, struct err *e) {
    l->fd = STDIN_FILENO;
    l->end = end;
    l->at = l->len = l->seen = 0;
    l->number = 0;
    l->eof = l->drop = false;
    if (!l->buf) {
        l->most = most;
        l->cap = READ;
        if (arena_split(a, most + 3 * (size_t)READ, &l->mem, &l->room) < 0 ||
            !(l->buf = arena_take(&l->room, l->cap, 1)))
            return err_set(e, "no memory");
    }
    l->text = l->buf;
    if (strcmp(name, "-"))
        l->fd = open(name, O_RDONLY | O_CLOEXEC);
    return l->fd < 0 ? near_open_failed(name, e) : 0;
}

struct lines lines_of(struct span text) {
    return (struct lines){.fd = -1, .end = '\n', .most = SIZE_MAX, .text = (const char *)text.p, .len = text.n, .eof = true};
}

void lines_close(struct lines *l) {
    if (l->fd > 0)
        close(l->fd);
    l->fd = -1;
}

/* Reads more bytes of the file into buf, behind the bytes that are not handed out yet.  Returns 0, or -2 on an
 * error. */
static int fill(struct lines *l, struct err *e) {
    ssize_t n;
    size_t cap = l->cap;

    if (l->at > 0) {
        memmove(l->buf, l->buf + l->at, l->len - l->at);
        l->len -= l->at;
        l->seen -= l->at;
        l->at = 0;
    }
    if (l->len == l->cap) {
        cap = l->cap * 2 < l->most + READ ? l->cap * 2 : l->most + READ;
        if (arena_grow(&l->room, l->buf, l->cap, cap) < 0) {
            err_set(e, "no memory");
            return -2;
        }
        l->cap = cap;
    }
    while ((n = read(l->fd, l->buf + l->len, l->cap - l->len)) < 0) {
        int why;

        if (errno == EAGAIN && wait_readable(l->fd) == 0)    /* another program made the descriptor non-blocking */
            continue;
        why = errno;
        err_set(e, "%s", strerror(why));
        errno = why;
        return -2;
    }
    l->eof = n == 0;
    l->len += (size_t)n;
    return 0;
}

/* Makes *line the line text[at, at + n), and moves l->at on by `step` bytes, which are the line and the character that
 * ends it.  Returns 1, or -1 if the line is too long. */
static int hand_out(struct lines *l, struct span *line, size_t n, size_t step, struct err *e) {
    const char *s = l->text + l->at;
    bool drop = l->drop || n > l->most;

    l->at += step;
    l->seen = l->at;
    l->drop = false;
    l->number++;
    if (drop)
        return err_set(e, "longer than %zu bytes", l->most);
    if (l->end == '\n' && l->number == 1 && n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
        s += 3, n -= 3;
    if (l->end == '\n' && n > 0 && s[n - 1] == '\r')
        n--;
    *line = span_bytes(s, n);
    return 1;
}

/* Returns whether the file begins with the byte order mark of UTF-16.  A list of items that end in NUL has no byte
 * order mark. */
static bool is_utf16(const struct lines *l) {
    return l->end == '\n' && !l->number && !l->at && l->len >= 2 &&
           (!memcmp(l->text, "\xff\xfe", 2) || !memcmp(l->text, "\xfe\xff", 2));
}

int lines_next(struct lines *l, struct span *line, struct err *e) {
    for (;;) {
        if (is_utf16(l)) {
            err_set(e, "text in UTF-16, where UTF-8 is expected (iconv -f UTF-16 -t UTF-8)");
            errno = EILSEQ;
            return -2;
        }
        const char *end = l->len > l->seen ? memchr(l->text + l->seen, l->end, l->len - l->seen) : NULL;
        if (end) {
            size_t n = (size_t)(end - l->text) - l->at;
            return hand_out(l, line, n, n + 1, e);
        }
        l->seen = l->len;
        if (l->len - l->at > l->most) {    /* the line is too long: its bytes are dropped */
            l->drop = true;
            l->at = l->len;
        }
        if (l->eof)
            return l->at < l->len || l->drop ? hand_out(l, line, l->len - l->at, l->len - l->at, e) : 0;
        int r = fill(l, e);
        if (r < 0)
            return r;
    }
}

int text_line(struct lines *l, struct span *line, struct err *e) {
    int got;

    do {
        got = lines_next(l, line, e);
    } while (got > 0 && !line->n);
    if (got <= 0)
        return got;
    if (memchr(line->p, 0, line->n))
        return err_set(e, "line %" PRIu64 ": a NUL byte in a text file", l->number);
    return utf8_valid(line->p, line->n) ? 1 : err_set(e, "line %" PRIu64 ": not UTF-8", l->number);
}
