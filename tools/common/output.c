/* The output of a run.  It is opened at the first result.  Records go to a terminal only with -o -.  If --skip-from
 * names the file of -o, results are appended.  _DEFAULT_SOURCE: flock. */
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
#include "formats/record/prune.h"
#include "tools/common/common.h"

/* Returns whether the file's bytes from offset `at` on begin as a record does.  They may be fewer than
 * RECORD_START_LEN.  Also returns true if they cannot be read. */
static bool begins_as_record(const char *name, uint64_t at) {
    char head[RECORD_START_LEN];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head, (off_t)at);

    if (fd >= 0)
        close(fd);
    return n <= 0 || !memcmp(head, RECORD_START, (size_t)n);
}

bool tool_has_records(const char *name) {
    char head[RECORD_START_LEN];
    struct stat st;
    int fd;
    ssize_t n;

    if (stat(name, &st) < 0 || !S_ISREG(st.st_mode) || (fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
        return false;
    n = read(fd, head, sizeof head);
    close(fd);
    return n == RECORD_START_LEN && !memcmp(head, RECORD_START, RECORD_START_LEN);
}

void tool_keep_records(const char *name) {
    char text[1100];

    if (name && tool_has_records(name))
        die("%s: a stream of records, which other results do not replace", tool_quote(span_of(name), text, sizeof text));
}

/* Locks the output file, because two runs that write one file would lose each other's results.  On a file system
 * without locks the run goes on. */
static void lock(int fd, const char *name) {
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        die("%s: another run is writing to it", name);
}

/* Opens and locks the existing file `name`.  `shown` is the name for messages.  Returns the descriptor. */
static int open_locked(const char *name, const char *shown) {
    struct stat held, there;
    int fd;

    for (;;) {
        if ((fd = open(name, O_WRONLY | O_CLOEXEC)) < 0)
            die_errno("%s", shown);
        lock(fd, shown);
        /* between open and lock, the --prune of another run may have replaced the file: then open the new one */
        if (fstat(fd, &held) == 0 && stat(name, &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino)
            return fd;
        close(fd);
    }
}

/* Ends the program if the output file, which does not exist yet, cannot be made in its directory.  This is checked at
 * the start, before hours of work. */
static void need_folder(const char *path, const char *name) {
    const char *base = strrchr(path, '/');
    char folder[4200];

    if (errno != ENOENT)
        die_errno("%s", name);
    snprintf(folder, sizeof folder, "%.*s", base ? (int)(base + 1 - path) : 1, base ? path : ".");
    if (access(folder, W_OK | X_OK) < 0)
        die_errno("%s", name);
}

/* Prepares the locked output file for the first result: empties it, or, if --skip-from names the same file, cuts it
 * after its last whole record. */
static void empty(struct tool *t) {
    struct tool_output *o = &t->output;
    uint64_t size = o->append ? o->resume.end : 0;

    if (o->append && size < o->resume.size && !t->quiet)
        warn("%s: %llu bytes of an unfinished record are cut off", o->name, (unsigned long long)(o->resume.size - size));
    if (ftruncate(o->held, (off_t)size) < 0 || lseek(o->held, (off_t)size, SEEK_SET) < 0)
        die_errno("%s", o->name);
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Checks and locks the file of -o at the start, if it exists.  The file's contents stay until the first result. */
static void hold(struct tool *t) {
    struct tool_output *o = &t->output;
    char text[1100];
    const char *name = tool_quote(span_of(o->name), text, sizeof text);
    struct stat st;

    if (stat(o->name, &st) < 0) {
        need_folder(o->name, name);
        o->there = lstat(o->name, &st) == 0;
        return;
    }
    o->there = true;
    if (S_ISDIR(st.st_mode))
        die("%s: %s", name, strerror(EISDIR));
    if (!S_ISREG(st.st_mode))
        return;
    o->held = open_locked(o->name, name);
    o->full = st.st_size > 0;
    if (o->text)
        tool_keep_records(o->name);
    if (!o->text && o->full && !begins_as_record(o->name, 0))
        die("%s: not a stream of records: it is not replaced", name);
}

/* Removes from the index `name` the records of files that have changed and, if p->gone, of files that no longer exist.
 * *held is the descriptor of the index, which is locked.  If the index is replaced, *held becomes that of the new file. */
static void prune(struct tool *t, const char *name, int *held, struct prune *p) {
    char shown[1100];
    struct err e = {0};
    int fd;

    tool_quote(span_of(name), shown, sizeof shown);
    p->stopped = tool_stopped;
    if (prune_copy(p, name, t->arena, &e) < 0) {
        if (tool_stopped())
            return;
        die("%s: %s", shown, e.msg);
    }
    if (p->gone && p->missing && !p->here) {
        if (p->dropped)
            file_new_drop(&p->to);
        die("%s: no file of its %llu records is here, so nothing is removed (names are relative to the directory where clip-embed ran)",
            shown, (unsigned long long)p->missing);
    }
    if (p->dropped) {
        fd = fcntl(p->to.fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            die_errno("%s", shown);
        lock(fd, shown);    /* before the rename, so that no other run can lock the new file first */
        if (file_new_keep(&p->to, true, &e) < 0)
            die("%s: %s", shown, e.msg);
        close(*held);
        *held = fd;
    }
    /* relative names may be those of other files, if this run is in another directory than the run before it */
    if (p->dropped && (t->verbose || (p->relative && !t->quiet)))
        warn("%s: of %llu records, those of %llu changed and %llu missing files are removed", shown, (unsigned long long)p->records,
             (unsigned long long)p->changed, p->gone ? (unsigned long long)p->missing : 0);
}

static void prune_file(struct tool *t, const char *name) {
    struct prune p = {.gone = true};
    char shown[1100];
    struct stat st;
    int held;

    tool_quote(span_of(name), shown, sizeof shown);
    if (stat(name, &st) < 0)
        die_errno("%s", shown);
    if (!S_ISREG(st.st_mode))
        die("%s: not a regular file", shown);
    held = open_locked(name, shown);
    if (!begins_as_record(name, 0))
        die("%s: not a stream of records: it is not pruned", shown);
    prune(t, name, &held, &p);
    close(held);
}

void tool_prune(struct tool *t, int n, char *name[]) {
    if (!n)
        die("--prune: an index is wanted");
    tool_catch_stop();
    for (int i = 0; i < n && !tool_stopped(); i++)
        prune_file(t, name[i]);
}

int tool_out(struct tool *t) {
    struct tool_output *o = &t->output;
    char text[1100];
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC;

    if (o->open)
        return o->fd;
    o->open = true;
    if (o->held >= 0) {
        empty(t);
        return o->fd = o->held;
    }
    flags |= o->there ? O_TRUNC : O_EXCL;    /* `there` means here a device, or a link to a file that does not exist */
    tool_quote(span_of(o->name), text, sizeof text);
    o->fd = open(o->name, flags, 0666);
    if (o->fd < 0 && errno == EEXIST)
        die("%s: another run has made it since this one began", text);
    if (o->fd < 0)
        die_errno("%s", text);
    lock(o->fd, text);
    return o->fd;
}

/* Ends the output of a run that had no result.  Makes an output file that does not exist, as a shell would.  Empties a
 * file that holds something only if the output is text and nothing failed. */
static void end_without_result(struct tool *t) {
    struct tool_output *o = &t->output;
    char text[1100];

    if (o->held < 0 || !o->full || (o->text && !t->failed))
        tool_out(t);
    else if (!o->append && !t->quiet)
        warn("%s: left as it was, for this run has no result", tool_quote(span_of(o->name), text, sizeof text));
}

int tool_close_output(struct tool *t) {
    struct tool_output *o = &t->output;

    if (!o->open && !tool_stopped())
        end_without_result(t);
    return o->fd == 1 ? fclose(stdout) : o->open ? close(o->fd) : 0;
}

void tool_output(struct tool *t, size_t nfields, const char *const fields[]) {
    struct tool_output *o = &t->output;
    const char *done = o->skip_from;
    struct err e = {0};

    if (o->text && t->input.keep_errors)
        die("--keep-errors needs records, not lines");
    tool_check_files(t);
    o->append = o->skip_from && o->name && (!strcmp(o->skip_from, o->name) || same_file(o->skip_from, o->name));
    o->open = !o->name || !strcmp(o->name, "-");
    if (!o->name && !o->text && isatty(1))
        die("records are not for a terminal: use -o FILE, a pipe (| record-json shows them), "
            "or -o - to have them all the same");
    if (o->open)
        o->fd = 1;
    else
        hold(t);
    if (o->skip_from && !o->append && access(o->skip_from, F_OK) < 0)
        die_errno("%s", o->skip_from);
    tool_catch_stop();
    if (o->append && o->held >= 0 && o->prune)
        prune(t, o->name, &o->held, &(struct prune){0});
    if (o->append)
        done = o->name;    /* which prune may have replaced: another link in --skip-from then leads to the file before it */
    if (done && resume_load(&o->resume, done, t->name, nfields, fields, &t->arena, &e) < 0)
        die("%s: %s", done, e.msg);
    if (o->append && o->resume.end < o->resume.size && !begins_as_record(o->name, o->resume.end))
        die("%s: what follows its last record, at byte %llu, is not the beginning of one: it is not cut off", o->name,
            (unsigned long long)o->resume.end);
}

void tool_write(struct tool *t, const struct record *r, struct arena scratch) {
    struct err e = {0};
    struct span s;

    if (t->output.text)
        return;
    if (record_encode(r, &s, &scratch, &e) < 0)
        die("%s", e.msg);
    if (write_all(tool_out(t), s.p, s.n) < 0)
        die_errno("write error");
}
