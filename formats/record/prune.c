#include "formats/record/prune.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/io/mapfile.h"
#include "formats/io/write_all.h"
#include "formats/record/stream.h"

enum truth { TRUE_STILL, CHANGED, GONE, UNKNOWN };

/* Compares the content of the file with the content from which the id of r was made.  The file now has `size` bytes, and
 * had `then` bytes. */
static enum truth compare_content(const char *name, const struct record *r, int64_t size, int64_t then, struct arena a) {
    enum truth t = UNKNOWN;
    struct mapfile m;
    struct span id;

    if (size != then)
        return CHANGED;
    if (mapfile_open(&m, name, NULL) < 0)
        return UNKNOWN;
    if (record_content_id(m.p, m.n, &id, &a, NULL) == 0)
        t = memcmp(id.p, r->id.p, id.n) ? CHANGED : TRUE_STILL;
    mapfile_close(&m);
    return t;
}

/* Tells what became of the file of r.  *relative becomes true if the file's name is relative. */
static enum truth look(const struct record *r, bool *relative, struct arena a) {
    struct file_stamp then = record_stamp(r), now;
    struct span name;
    const char *file;
    struct stat st;

    if (!then.known || record_has(r, "root"))
        return UNKNOWN;
    if (record_str(r, "archive", &name, NULL) <= 0 && record_str(r, "path", &name, NULL) <= 0)
        name = r->id;
    if (!name.n || memchr(name.p, 0, name.n) || !(file = arena_str(&a, name.p, name.n)) || !strcmp(file, "-"))
        return UNKNOWN;
    *relative = *file != '/';
    if (stat(file, &st) < 0)
        return errno == ENOENT ? GONE : UNKNOWN;
    now = file_stamp_of(&st);
    if (!now.known)    /* a FIFO, a directory, ... */
        return UNKNOWN;
    if (file_stamp_equal(&then, &now))
        return TRUE_STILL;
    if (record_has(r, "archive") || !record_by_content(r))    /* an archive's content is not that of its member */
        return CHANGED;
    return compare_content(file, r, now.size, then.size, a);
}

/* Writes the bytes [*from, upto) of the stream to p->to, and sets *from to upto. */
static int copy(struct prune *p, const struct stream *s, size_t *from, size_t upto, struct err *e) {
    if (write_all(p->to.fd, s->map + *from, upto - *from) < 0)
        return err_set(e, "%s", strerror(errno));
    *from = upto;
    return 0;
}

/* Reads all records.  *from is the offset of the first byte of the stream that is neither copied nor dropped yet. */
static int pass(struct prune *p, struct stream *s, const char *name, size_t *from, struct arena a, struct err *e) {
    size_t begin;
    int got;

    for (;;) {
        struct arena scratch = a;
        struct err bad = {0};
        struct record r;
        enum truth t;
        bool relative = false;

        if (p->stopped && p->stopped())
            return err_set(e, "interrupted");
        got = stream_next(s, &r, &scratch, &bad);
        if (got == 0 || got == -2)
            return got ? err_set(e, "%s", bad.msg) : 0;
        if (got < 0)
            continue;
        p->records++;
        t = look(&r, &relative, scratch);
        p->here += t == TRUE_STILL || t == CHANGED;
        p->changed += t == CHANGED;
        p->missing += t == GONE;
        if (t != CHANGED && !(t == GONE && p->gone))
            continue;
        p->relative += relative;
        if (!p->dropped && file_new_open(&p->to, name, e) < 0)
            return -1;
        p->dropped = true;
        begin = (size_t)(r.id.p - s->map) - RECORD_START_LEN - 1;    /* the MessagePack header of an id has 1 to 5 bytes */
        while (memcmp(s->map + begin, RECORD_START, RECORD_START_LEN) != 0)
            begin--;
        if (copy(p, s, from, begin, e) < 0)
            return -1;
        *from = s->at;
    }
}

int prune_copy(struct prune *p, const char *name, struct arena a, struct err *e) {
    struct stream s;
    size_t from = 0;
    int r;

    p->records = p->here = p->missing = p->changed = p->relative = 0;
    p->dropped = false;
    if (stream_open(&s, name, &a, arena_share(&a, 4, (size_t)1 << 20), e) < 0)
        return -1;
    if (!s.map) {    /* an empty file, or not a regular file */
        stream_close(&s);
        return 0;
    }
    r = pass(p, &s, name, &from, a, e);
    if (r == 0 && p->dropped)
        r = copy(p, &s, &from, s.len, e);
    stream_close(&s);
    if (r < 0 && p->dropped)
        file_new_drop(&p->to);
    return r;
}
