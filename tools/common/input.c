/* Reads the records that a run is to process, one after another, and reports those that fail. */
#include "tools/common/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/io/near.h"
#include "tools/common/common.h"
#include "tools/common/output.h"
#include "tools/common/progress.h"

/* Counts a failure.  With --strict, also finishes the output and ends the program. */
static void count_failure(struct tool *t) {
    t->failed++;
    if (t->input.strict)
        exit(tool_finish(t));
}

int tool_stream(struct tool *t, struct stream *s, const char *name) {
    struct err e = {0};

    if (!strcmp(name, "-") && isatty(0))
        die("a stream of records is wanted on standard input, which is a terminal (try '%s -h')", tool_prog);
    if (stream_open(s, name, &t->arena, arena_share(&t->arena, 4, (size_t)1 << 33), &e) == 0)
        return 0;
    if (tool_stopped())
        return -1;
    if (t->input.flush)
        t->input.flush(t->input.flush_of);
    warn("%s: %s%s", name, e.msg, strcmp(e.msg, strerror(EISDIR)) ? "" : " (a stream is a file; clip-embed DIR/* makes one of pictures)");
    count_failure(t);
    return -1;
}

bool tool_other_shard(const struct tool *t, struct span root) {
    return t->input.shard_n && XXH64(root.p, root.n, 0) % t->input.shard_n != t->input.shard_i;
}

bool tool_written(struct tool *t, const struct record *r, struct arena scratch) {
    return t->output.skip_from && resume_take(&t->output.resume, resume_content_key(r, scratch));
}

/* Writes a record that has `error`, unless the file of --skip-from holds it already. */
static void write_failed(struct tool *t, const struct record *r, struct arena scratch) {
    if (!tool_written(t, r, scratch))
        tool_write(t, r, scratch);
}

/* Writes a record that failed in an earlier program to the output, or names it in a warning if the output is text. */
static void pass_failed(struct tool *t, const struct stream *s, const struct record *r, struct arena scratch) {
    struct span why = {0};
    char text[600];

    if (t->output.text && record_str(r, "error", &why, NULL) >= 0)
        warn_record(s->name, s->number, r->id, t->done, tool_quote(why, text, sizeof text));
    write_failed(t, r, scratch);
    count_failure(t);
}

int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a) {
    for (;;) {
        struct arena before = *a;
        struct err e = {0};
        int got;

        if (tool_stopped())
            return 0;
        got = stream_next(s, r, a, &e);
        t->input.number = s->number;
        t->input.name = s->name;
        if (got == 0 || (got < 0 && tool_stopped()))
            return 0;
        if (t->input.flush && (got < 0 || record_has(r, "error")))
            t->input.flush(t->input.flush_of);
        if (got < 0) {
            warn("%s: %s", s->name, e.msg);
            count_failure(t);
            if (got == -2)
                return 0;
        } else if (!tool_other_shard(t, record_root(r))) {
            if (!record_has(r, "error"))
                return 1;
            pass_failed(t, s, r, *a);
        }
        *a = before;
    }
}

bool tool_skip(struct tool *t, struct span id, struct file_stamp stamp, struct span params, size_t nfields,
               const struct span fp[]) {
    struct resume *r = &t->output.resume;
    const struct file_stamp none = {0};

    if (!t->output.skip_from)
        return false;
    if (!resume_take(r, resume_key(id, stamp, params, nfields, fp)) &&
        (!stamp.known || !resume_take(r, resume_key(id, none, params, nfields, fp))))
        return false;
    t->skipped++;
    return true;
}

void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason) {
    struct err e = {0};

    warn_record(file, number, r->id, t->done, reason);
    if (t->input.keep_errors) {
        struct record bare;    /* written instead of r if r has no room for another field */

        if (record_set_text(r, "error", span_of(reason), &e) < 0) {
            if (record_new(&bare, r->id, r->id_bin, r->a, &e) < 0 || record_set_text(&bare, "error", span_of(reason), &e) < 0)
                die("%s", e.msg);
            r = &bare;
        }
        write_failed(t, r, *r->a);
    }
    count_failure(t);
}

void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch) {
    enum { HINTS = 3 };    /* only the first failures get a hint, because each hint reads a directory */
    struct record r;
    struct err e = {0}, hint = {0};
    bool bin;

    if (tool_stopped())
        return;    /* the input failed because the signal interrupted it */
    if (t->failed < HINTS && !strcmp(reason, strerror(ENOENT)) && access(where, F_OK) < 0)
        near_open_failed(where, &hint);
    warn("%s: %s", where, *hint.msg ? hint.msg : reason);
    if (t->input.keep_errors) {
        if (record_id(id, &id, &bin, &scratch, &e) < 0 || record_new(&r, id, bin, &scratch, &e) < 0 ||
            record_set_text(&r, "error", span_of(reason), &e) < 0)
            die("%s", e.msg);
        write_failed(t, &r, scratch);
    }
    count_failure(t);
}

void tool_item_end(struct tool *t, const char *file, uint64_t number, struct record *r, const char *why, struct arena scratch) {
    if (*why && file) {
        tool_input_failed(t, file, r->id, why, scratch);
    } else if (*why) {
        tool_record_failed(t, t->input.name, number, r, why);
    } else {
        tool_write(t, r, scratch);
        t->done++;
    }
}

static void run_stream(struct tool *t, const char *file, int (*fn)(void *, struct record *, struct arena *, struct err *),
                       void *ctx) {
    struct stream s;
    struct record r;

    if (tool_stream(t, &s, file) < 0)
        return;
    for (;;) {
        struct arena a = t->arena;
        struct err e = {0};
        int got;

        if (!tool_next(t, &s, &r, &a))
            break;
        got = fn(ctx, &r, &a, &e);
        if (tool_stopped())
            break;
        if (t->input.flush && (got < 0 || !stream_ready(&s)))
            t->input.flush(t->input.flush_of);
        if (got < 0)
            tool_record_failed(t, s.name, s.number, &r, e.msg);
        t->done += got > 0;
        tool_progress(t, 0);
    }
    if (t->input.flush && !tool_stopped())
        t->input.flush(t->input.flush_of);
    stream_close(&s);
}

void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *, struct record *, struct arena *, struct err *),
                  void *ctx) {
    if (n == 0)
        run_stream(t, "-", fn, ctx);
    for (int i = 0; i < n && !tool_stopped(); i++)
        run_stream(t, files[i], fn, ctx);
}

