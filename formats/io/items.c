#include "formats/io/items.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ = 1 << 16 };    /* bytes asked for at once */

int items_open(struct items *t, const char *name, char end, size_t most, struct arena *a, struct err *e) {
    *t = (struct items){.fd = 0, .end = end, .most = most, .cap = READ};
    if (arena_split(a, most + 3 * (size_t)READ, &t->mem, &t->room) < 0 ||
        !(t->buf = arena_take(&t->room, t->cap, 1)))
        return err_set(e, "no memory");
    if (strcmp(name, "-"))
        t->fd = open(name, O_RDONLY | O_CLOEXEC);
    return t->fd < 0 ? err_set(e, "%s", strerror(errno)) : 0;
}

void items_close(struct items *t) {
    if (t->fd > 0)
        close(t->fd);
    t->fd = -1;
}

/* Read more behind what is there. */
static int fill(struct items *t, struct err *e) {
    ssize_t n;
    size_t cap = t->cap;

    if (t->at > 0) {
        memmove(t->buf, t->buf + t->at, t->len - t->at);
        t->len -= t->at;
        t->seen -= t->at;
        t->at = 0;
    }
    if (t->len == t->cap) {
        cap = t->cap * 2 < t->most + READ ? t->cap * 2 : t->most + READ;
        if (arena_grow(&t->room, t->buf, t->cap, cap) < 0) {
            err_set(e, "no memory");
            return -2;
        }
        t->cap = cap;
    }
    n = read(t->fd, t->buf + t->len, t->cap - t->len);
    if (n < 0) {
        err_set(e, "%s", strerror(errno));
        return -2;
    }
    t->eof = n == 0;
    t->len += (size_t)n;
    return 0;
}

/* The item buf[at, at + n) is whole; `step` bytes are used up with it. */
static int hand_out(struct items *t, struct span *item, size_t n, size_t step, struct err *e) {
    char *s = t->buf + t->at;
    bool drop = t->drop || n > t->most;

    t->at += step;
    t->seen = t->at;
    t->drop = false;
    t->number++;
    if (drop)
        return err_set(e, "longer than %zu bytes", t->most);
    if (t->end == '\n' && t->number == 1 && n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
        s += 3, n -= 3;
    if (t->end == '\n' && n > 0 && s[n - 1] == '\r')
        n--;
    *item = (struct span){(unsigned char *)s, n};
    return 1;
}

int items_next(struct items *t, struct span *item, struct err *e) {
    for (;;) {
        char *end = t->len > t->seen ? memchr(t->buf + t->seen, t->end, t->len - t->seen) : NULL;
        if (end) {
            size_t n = (size_t)(end - t->buf) - t->at;
            return hand_out(t, item, n, n + 1, e);
        }
        t->seen = t->len;
        if (t->len - t->at > t->most) {    /* keep nothing of what is too long */
            t->drop = true;
            t->at = t->len;
        }
        if (t->eof)
            return t->at < t->len || t->drop ? hand_out(t, item, t->len - t->at, t->len - t->at, e) : 0;
        int r = fill(t, e);
        if (r < 0)
            return r;
    }
}
