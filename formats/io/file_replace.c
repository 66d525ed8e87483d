/* _XOPEN_SOURCE: realpath. */
#define _XOPEN_SOURCE 700
#include "formats/io/file_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/write_all.h"

static int failed(struct err *e) {
    return err_set(e, "%s", strerror(errno));
}

int file_new_at(struct file_new *f, int dir, const char *temp, const char *name, unsigned mode, struct err *e) {
    f->dir = dir;
    f->fd = -1;
    if (snprintf(f->name, sizeof f->name, "%s", name) >= PATH_MAX || snprintf(f->temp, sizeof f->temp, "%s", temp) >= PATH_MAX)
        errno = ENAMETOOLONG;
    else
        f->fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return f->fd < 0 ? failed(e) : 0;
}

/* Opens `name` itself for writing, without a temporary file.  The caller has found that `name` is a device, a FIFO, or
 * a link to a file that does not exist. */
static int write_through(struct file_new *f, const char *name, struct err *e) {
    f->temp[0] = 0;
    f->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    return f->fd < 0 ? failed(e) : 0;
}

/* Creates the temporary file in the directory of `name`, under a name that no other file has. */
static int open_temporary(struct file_new *f, const char *name, struct err *e) {
    const char *slash = strrchr(name, '/');
    int dir = slash ? (int)(slash + 1 - name) : 0;
    char temp[PATH_MAX];

    for (unsigned i = 0; i < 100; i++) {
        if (snprintf(temp, sizeof temp, "%.*s.unclip-%ld-%u.tmp", dir, name, (long)getpid(), i) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            break;
        }
        if (file_new_at(f, AT_FDCWD, temp, name, 0666, NULL) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return failed(e);
}

int file_new_open(struct file_new *f, const char *name, struct err *e) {
    char real[PATH_MAX];
    struct stat old, link;
    bool there = stat(name, &old) == 0;

    if (there && S_ISDIR(old.st_mode)) {
        errno = EISDIR;
        return failed(e);
    }
    if (there ? !S_ISREG(old.st_mode) : lstat(name, &link) == 0)
        return write_through(f, name, e);
    if (there && (access(name, W_OK) < 0 || !(name = realpath(name, real))))
        return failed(e);
    if (open_temporary(f, name, e) < 0)
        return -1;
    if (!there || fchmod(f->fd, old.st_mode & 0777) == 0)
        return 0;
    failed(e);
    file_new_drop(f);
    return -1;
}

void file_new_drop(struct file_new *f) {
    if (f->fd >= 0)
        close(f->fd);
    if (f->temp[0])
        unlinkat(f->dir, f->temp, 0);
    f->fd = -1;
}

int file_new_keep(struct file_new *f, bool sync, struct err *e) {
    int fd = f->fd, bad = sync && fsync(fd) < 0 ? failed(e) : 0;

    f->fd = -1;
    if (close(fd) < 0 && !bad)
        bad = failed(e);
    if (!bad && f->temp[0] && renameat(f->dir, f->temp, f->dir, f->name) < 0)
        bad = failed(e);
    if (bad)
        file_new_drop(f);
    return bad;
}

int file_replace(const char *name, const void *p, size_t n, struct err *e) {
    struct file_new f;

    if (file_new_open(&f, name, e) < 0)
        return -1;
    if (write_all(f.fd, p, n) == 0)
        return file_new_keep(&f, false, e);
    failed(e);
    file_new_drop(&f);
    return -1;
}
