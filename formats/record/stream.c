#define _GNU_SOURCE    /* madvise, F_SETPIPE_SZ */
#include "formats/record/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/near.h"
#include "formats/io/read_all.h"
#include "formats/record/not_records.h"

/* FIRST: initial size of the buffer.  PIPE: size that the kernel is asked to give a pipe's buffer.  KIND: number of
 * bytes that not_records needs to tell what an input is. */
enum { FIRST = 256 << 10, PIPE = 1 << 20, KIND = 64 };
static const size_t WINDOW = (size_t)32 << 20;   /* bytes of a mapped file that stay in memory behind the reader */

uint64_t stream_offset(const struct stream *s) {
    return s->base + s->at;
}

/* Maps a regular file.  Reading begins at the descriptor's offset (a shell may have read a part of standard input).
 * Returns 0, or -1 if the file must be read instead. */
static int map_file(struct stream *s, const struct stat *st) {
    off_t at = lseek(s->fd, 0, SEEK_CUR);
    void *p;

    if (!S_ISREG(st->st_mode) || st->st_size <= 0 || at < 0)
        return -1;
    p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, s->fd, 0);
    if (p == MAP_FAILED)
        return -1;
    s->map = p;
    s->len = (size_t)st->st_size;
    s->at = at < st->st_size ? (size_t)at : s->len;
    s->eof = true;
    return 0;
}

static int open_buffer(struct stream *s, struct arena *a, size_t buffer, struct err *e) {
    if (arena_split(a, buffer, &s->mem, &s->room) < 0)
        return err_set(e, "no room for a buffer of %zu bytes", buffer);
    s->from = a;
    s->cap = buffer < FIRST ? buffer : FIRST;
    s->buf = arena_take(&s->room, s->cap, 1);
    return s->buf ? 0 : err_set(e, "out of memory");
}

int stream_open(struct stream *s, const char *name, struct arena *a, size_t buffer, struct err *e) {
    struct stat st;

    *s = (struct stream){.fd = STDIN_FILENO, .name = name};
    if (strcmp(name, "-") != 0 && (s->fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
        return near_open_failed(name, e);
    if (fstat(s->fd, &st) < 0)
        err_set(e, "%s", strerror(errno));
    else if (S_ISDIR(st.st_mode))
        err_set(e, "%s", strerror(EISDIR));
    else if (map_file(s, &st) == 0 || open_buffer(s, a, buffer, e) == 0) {
        if (S_ISFIFO(st.st_mode))
            fcntl(s->fd, F_SETPIPE_SZ, PIPE);    /* reader and writer wait less; a failure is harmless */
        return 0;
    }
    stream_close(s);
    return -1;
}

void stream_close(struct stream *s) {
    union { const unsigned char *in; void *out; } map = {s->map};

    if (s->map)
        munmap(map.out, s->len);
    s->map = NULL;
    stream_release(s);
}

void stream_release(struct stream *s) {
    if (s->fd > STDIN_FILENO)
        close(s->fd);
    s->fd = -1;
    if (s->from)
        arena_join(s->from, &s->mem);
}

bool stream_ready(const struct stream *s) {
    struct pollfd p = {.fd = s->fd, .events = POLLIN};

    return s->map || s->eof || s->at < s->len || poll(&p, 1, 0) != 0;
}

int stream_first(const char *name, struct record *r, struct arena *keep, struct err *e) {
    struct err inner = {0};
    struct stream s;
    int got;

    if (stream_open(&s, name, keep, arena_share(keep, 4, (size_t)1 << 30), &inner) < 0)
        return err_at(e, name, &inner);
    got = stream_next(&s, r, keep, &inner);
    if (got == 1 && record_clone(r, r, keep, &inner) < 0)
        got = -1;
    stream_close(&s);
    if (got == 1)
        return 0;
    err_set(&inner, "no record in it");    /* err_set keeps an earlier message */
    return err_at(e, name, &inner);
}

/* Makes room in buf after s->len: moves the unread bytes to the front, or enlarges the buffer.  Returns 0, or -1 if the
 * buffer is full and cannot grow. */
static int make_room(struct stream *s) {
    size_t cap = s->cap * 2;

    if (s->at > 0 && s->at >= s->cap / 2) {
        memmove(s->buf, s->buf + s->at, s->len - s->at);
        s->base += s->at;
        s->len -= s->at;
        s->at = 0;
    }
    if (s->len < s->cap)
        return 0;
    if (cap > s->mem.reserved - 2 * ARENA_ALIGN)
        cap = s->mem.reserved - 2 * ARENA_ALIGN;
    if (cap > s->cap && arena_grow(&s->room, s->buf, s->cap, cap) == 0) {
        s->cap = cap;
    } else if (s->at) {
        memmove(s->buf, s->buf + s->at, s->len - s->at);
        s->base += s->at;
        s->len -= s->at;
        s->at = 0;
    } else {
        return -1;
    }
    return 0;
}

/* Reads more bytes into buf after s->len.  Returns 1 if bytes were read or the end was reached, -1 if the buffer is
 * full, or -2 if reading failed. */
static int more(struct stream *s, struct err *e) {
    ssize_t n;

    if (s->at == s->len && s->at) {
        s->base += s->at;
        s->at = s->len = 0;
    }
    if (make_room(s) < 0)
        return -1;
    while ((n = read(s->fd, s->buf + s->len, s->cap - s->len)) < 0) {
        if (errno == EAGAIN && wait_readable(s->fd) == 0)    /* another program made the descriptor non-blocking */
            continue;
        n = errno;
        err_set(e, "%s", strerror((int)n));
        errno = (int)n;
        return -2;
    }
    s->eof = n == 0;
    s->len += (size_t)n;
    return 1;
}

static const unsigned char *here(const struct stream *s) {
    return (s->map ? s->map : s->buf) + s->at;
}

/* Moves s->at to the next RECORD_START after damage.  Returns 1 if found, 0 at the end of the stream, or -2 if
 * reading failed. */
static int find_start(struct stream *s, struct err *e) {
    const size_t keep = RECORD_START_LEN - 1;

    for (;;) {
        size_t n = s->len - s->at, k = record_find_start(here(s), n, 0);

        if (k < n) {
            s->at += k;
            s->lost = false;
            return 1;
        }
        if (s->eof) {
            s->at = s->len;
            return 0;
        }
        if (n > keep)
            s->at = s->len - keep;
        if (more(s, e) == -2)
            return -2;
    }
}

/* Tells the kernel that the pages of the mapped file more than WINDOW bytes behind the reader are not needed, so a file
 * larger than memory does not fill memory.  The kernel reads a page again when it is touched. */
static void drop_behind(struct stream *s) {
    union { const unsigned char *in; void *out; } p;
    size_t upto;

    if (s->at - s->behind < 2 * WINDOW)
        return;
    upto = (s->at - WINDOW) / WINDOW * WINDOW;
    p.in = s->map + s->behind;
    madvise(p.out, upto - s->behind, MADV_DONTNEED);
    s->behind = upto;
}

/* Puts into e what is wrong at s->at, and makes the next stream_next search from the byte after it.  If `record` is
 * set, a record begins at s->at, and is counted.  `heads` is the number of MessagePack heads that were read in it.
 * Returns -1, or -2 if there is too much damage to go on. */
static int damaged(struct stream *s, bool record, const char *why, uint64_t heads, struct err *e) {
    uint64_t offset = stream_offset(s);
    const char *what;

    while (!record && !offset && s->len - s->at < KIND && !s->eof && more(s, e) == 1)
        ;
    what = record || offset ? NULL : not_records(here(s), s->len - s->at);
    s->wasted += heads;
    s->lost = true;
    s->at++;
    if (s->wasted > s->base + s->len + (1 << 20)) {
        err_set(e, "too much damage: gave up at byte %" PRIu64, offset);
        return -2;
    }
    if (record)
        return err_set(e, "record %" PRIu64 " at byte %" PRIu64 ": %s", ++s->number, offset, why);
    return what ? err_set(e, "%s", what) : err_set(e, "garbage at byte %" PRIu64, offset);
}

/* Reads until the whole record at s->at is in the buffer, or until it is known to be malformed or cut, which
 * record_parse will report.  Returns 1 in both cases, -1 if the record is longer than the buffer, or -2 if reading
 * failed. */
static int whole(struct stream *s, struct mp_walk *w, struct err *e) {
    int rc;

    mp_walk_start(w, 0, 1, MP_DEPTH);
    while (mp_walk(w, here(s), s->len - s->at) == 0 && !s->eof) {
        if (w->pos > s->mem.reserved)
            return -1;
        if ((rc = more(s, e)) < 0)
            return rc;
    }
    return 1;
}

/* Returns 1 if a record of any version starts at s->at, 0 at the end of the stream, -1 for garbage, or -2 if reading
 * failed. */
static int at_start(struct stream *s, struct err *e) {
    size_t n;

    while ((n = s->len - s->at) < RECORD_START_LEN && !s->eof) {
        if (n && memcmp(here(s), RECORD_START, n < 8 ? n : 8) != 0)
            return -1;
        if (more(s, e) == -2)
            return -2;
    }
    if (!n)
        return 0;
    return memcmp(here(s), RECORD_START, n < 8 ? n : 8) ? -1 : 1;
}

int stream_next(struct stream *s, struct record *r, struct arena *a, struct err *e) {
    struct mp_walk w = {.items = 0};
    struct err why = {0};
    size_t used;
    int rc;

    if (s->lost && (rc = find_start(s, e)) <= 0)
        return rc;
    if ((rc = at_start(s, e)) <= 0)
        return rc == -1 ? damaged(s, false, NULL, 0, e) : rc;
    if (!s->map && (rc = whole(s, &w, e)) < 0)
        return rc == -2 ? rc : damaged(s, true, "longer than the buffer", w.items, e);
    rc = record_parse(r, here(s), s->len - s->at, &used, a, &why);
    if (rc <= 0 && s->map) {    /* count the heads up to the damage */
        mp_walk_start(&w, 0, 1, MP_DEPTH);
        mp_walk(&w, here(s), s->len - s->at);
    }
    if (rc <= 0)
        return damaged(s, true, rc ? why.msg : "cut short: the stream ends inside it", w.items, e);
    s->at += used;
    s->number++;
    if (s->map)
        drop_behind(s);
    return 1;
}

void stream_skip(struct stream *s, size_t bytes, uint64_t records) {
    s->at += bytes;
    s->number += records;
    if (s->map)
        drop_behind(s);
}
