/* The output: never a terminal's or an input's, appended to with --skip-from. */
#include "tools/common/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/write_all.h"
#include "tools/common/common.h"

/* -o FILE is also what --skip-from names: go on behind its last whole record. */
static int open_append(struct tool *t, const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        die_errno("%s", path);
    if (t->resume.end < t->resume.size) {
        if (!t->quiet)
            warn("%s: %llu bytes of an unfinished record are cut off", path,
                 (unsigned long long)(t->resume.size - t->resume.end));
        if (ftruncate(fd, (off_t)t->resume.end) < 0)
            die_errno("%s", path);
    }
    if (lseek(fd, (off_t)t->resume.end, SEEK_SET) < 0)
        die_errno("%s", path);
    return fd;
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Emptying the file that standard input comes from would lose it. */
static void refuse_input_as_output(const char *path) {
    struct stat in, out;

    if (fstat(0, &in) == 0 && S_ISREG(in.st_mode) && stat(path, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        die("%s: input file is output file", path);
}

void tool_not_output(const struct tool *t, const char *name) {
    struct stat st;

    if (t->out && strcmp(t->out, "-") != 0 && same_file(t->out, name) && stat(name, &st) == 0 &&
        S_ISREG(st.st_mode))
        die("%s: input file is output file", name);
}

void tool_not_outputs(const struct tool *t, int n, char *name[]) {
    for (int i = 0; i < n; i++)
        tool_not_output(t, name[i]);
}

static void open_output(struct tool *t, bool append) {
    if (!t->out || !strcmp(t->out, "-")) {
        if (!t->out && !t->text && isatty(1))
            die("records are not for a terminal: use -o FILE, a pipe (| record-json shows them), "
                "or -o - to have them all the same");
        return;
    }
    refuse_input_as_output(t->out);
    t->out_fd = append ? open_append(t, t->out)
                       : open(t->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (t->out_fd < 0)
        die_errno("%s", t->out);
}

void tool_output(struct tool *t, size_t nfields, const char *const fields[]) {
    bool same = t->skip_from && t->out && (!strcmp(t->skip_from, t->out) || same_file(t->skip_from, t->out));
    struct err e = {0};

    if (t->skip_from &&
        resume_load(&t->resume, t->skip_from, t->name, nfields, fields, &t->arena, &e) < 0)
        die("%s: %s", t->skip_from, e.msg);
    open_output(t, same);
    tool_catch_stop();
}

void tool_write(struct tool *t, const struct record *r, struct arena scratch) {
    struct err e = {0};
    struct span s;

    if (t->text)
        return;
    if (record_encode(r, &s, &scratch, &e) < 0)
        die("%s", e.msg);
    if (write_all(t->out_fd, s.p, s.n) < 0)
        die_errno("write error");
}
