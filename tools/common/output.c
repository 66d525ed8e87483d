/* The output: opened at the first result; never a terminal's; appended to with --skip-from.  _DEFAULT_SOURCE: flock. */
#define _DEFAULT_SOURCE
#include "tools/common/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/write_all.h"
#include "tools/common/common.h"

/* The first bytes of what begins at `at` in the file, or as many as there are: those of a record?  What cannot be read may be. */
static bool begins_as_record(const char *name, uint64_t at) {
    char head[RECORD_START_LEN];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head, (off_t)at);

    if (fd >= 0)
        close(fd);
    return n <= 0 || !memcmp(head, RECORD_START, (size_t)n);
}

/* Two runs that write one file would lose each other's results.  File systems without locks are taken as they are. */
static void lock(int fd, const char *name) {
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        die("%s: another run is writing to it", name);
}

/* A file that is not there can be made, as far as one can tell: better to know before hours of work. */
static void need_folder(const char *path, const char *name) {
    const char *base = strrchr(path, '/');
    char folder[4200];

    if (errno != ENOENT)
        die_errno("%s", name);
    snprintf(folder, sizeof folder, "%.*s", base ? (int)(base + 1 - path) : 1, base ? path : ".");
    if (access(folder, W_OK | X_OK) < 0)
        die_errno("%s", name);
}

/* The held file before the first result: empty, or with --skip-from as long as its whole records. */
static void empty(struct tool *t) {
    uint64_t size = t->append ? t->resume.end : 0;

    if (t->append && size < t->resume.size && !t->quiet)
        warn("%s: %llu bytes of an unfinished record are cut off", t->out, (unsigned long long)(t->resume.size - size));
    if (ftruncate(t->held, (off_t)size) < 0 || lseek(t->held, (off_t)size, SEEK_SET) < 0)
        die_errno("%s", t->out);
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* -o FILE is left as it is until there is a result.  From the start it is locked, where it is there. */
static void hold(struct tool *t) {
    char text[1100];
    const char *name = tool_quote(span_of(t->out), text, sizeof text);
    struct stat st;

    if (stat(t->out, &st) < 0) {
        need_folder(t->out, name);
        t->out_there = lstat(t->out, &st) == 0;
        return;
    }
    t->out_there = true;
    if (S_ISDIR(st.st_mode))
        die("%s: %s", name, strerror(EISDIR));
    if (!S_ISREG(st.st_mode))
        return;
    t->held = open(t->out, O_WRONLY | O_CLOEXEC);
    if (t->held < 0)
        die_errno("%s", name);
    lock(t->held, name);
    t->out_full = st.st_size > 0;
    if (!t->text && t->out_full && !begins_as_record(t->out, 0))
        die("%s: not a stream of records: it is not replaced", name);
}

int tool_out(struct tool *t) {
    char text[1100];
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC;

    if (t->out_open)
        return t->out_fd;
    t->out_open = true;
    if (t->held >= 0) {
        empty(t);
        return t->out_fd = t->held;
    }
    flags |= t->out_there ? O_TRUNC : O_EXCL;    /* there: a device, or a link to what is not there */
    tool_quote(span_of(t->out), text, sizeof text);
    t->out_fd = open(t->out, flags, 0666);
    if (t->out_fd < 0 && errno == EEXIST)
        die("%s: another run has made it since this one began", text);
    if (t->out_fd < 0)
        die_errno("%s", text);
    lock(t->out_fd, text);
    return t->out_fd;
}

/* The run had no result.  A file that is not there is made, as a shell would; what a file holds is lost only where it was
 * text and nothing failed. */
static void end_without_result(struct tool *t) {
    char text[1100];

    if (t->held < 0 || !t->out_full || (t->text && !t->failed))
        tool_out(t);
    else if (!t->append && !t->quiet)
        warn("%s: left as it was, for this run has no result", tool_quote(span_of(t->out), text, sizeof text));
}

int tool_close_output(struct tool *t) {
    if (!t->out_open && !tool_stopped())
        end_without_result(t);
    return t->out_fd == 1 ? fclose(stdout) : t->out_open ? close(t->out_fd) : 0;
}

void tool_output(struct tool *t, size_t nfields, const char *const fields[]) {
    struct err e = {0};

    tool_check_files(t);
    t->append = t->skip_from && t->out && (!strcmp(t->skip_from, t->out) || same_file(t->skip_from, t->out));
    t->out_open = !t->out || !strcmp(t->out, "-");
    if (!t->out && !t->text && isatty(1))
        die("records are not for a terminal: use -o FILE, a pipe (| record-json shows them), "
            "or -o - to have them all the same");
    if (t->out_open)
        t->out_fd = 1;
    else
        hold(t);
    if (t->skip_from && !t->append && access(t->skip_from, F_OK) < 0)
        die_errno("%s", t->skip_from);
    if (t->skip_from &&
        resume_load(&t->resume, t->skip_from, t->name, nfields, fields, &t->arena, &e) < 0)
        die("%s: %s", t->skip_from, e.msg);
    if (t->append && t->resume.end < t->resume.size && !begins_as_record(t->out, t->resume.end))
        die("%s: what follows its last record, at byte %llu, is not the beginning of one: it is not cut off", t->out,
            (unsigned long long)t->resume.end);
    tool_catch_stop();
}

void tool_write(struct tool *t, const struct record *r, struct arena scratch) {
    struct err e = {0};
    struct span s;

    if (t->text)
        return;
    if (record_encode(r, &s, &scratch, &e) < 0)
        die("%s", e.msg);
    if (write_all(tool_out(t), s.p, s.n) < 0)
        die_errno("write error");
}
