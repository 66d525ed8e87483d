/* _XOPEN_SOURCE: realpath. */
#define _XOPEN_SOURCE 700
#include "formats/io/file_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/write_all.h"

static int failed(struct err *e) {
    return err_set(e, "%s", strerror(errno));
}

/* Write and close. */
static int fill(int fd, const void *p, size_t n) {
    int r = write_all(fd, p, n), why = errno;

    if (close(fd) < 0 && r == 0)
        return -1;
    errno = why;
    return r;
}

static int write_through(const char *name, const void *p, size_t n, struct err *e) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);

    return fd < 0 || fill(fd, p, n) < 0 ? failed(e) : 0;
}

/* A new file in the folder of `name`; its own name goes to temp [PATH_MAX]. */
static int open_temporary(const char *name, char *temp) {
    const char *slash = strrchr(name, '/');
    int dir = slash ? (int)(slash + 1 - name) : 0, fd = -1;

    for (unsigned i = 0; i < 100 && fd < 0; i++) {
        if (snprintf(temp, PATH_MAX, "%.*s.unclip-%ld-%u.tmp", dir, name, (long)getpid(), i) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return fd;
}

int file_replace(const char *name, const void *p, size_t n, struct err *e) {
    char temp[PATH_MAX], real[PATH_MAX];
    struct stat old, link;
    bool there = stat(name, &old) == 0;
    int fd;

    if (there && S_ISDIR(old.st_mode)) {
        errno = EISDIR;
        return failed(e);
    }
    if (there ? !S_ISREG(old.st_mode) : lstat(name, &link) == 0)    /* a device; a link to what is not there */
        return write_through(name, p, n, e);
    if (there && access(name, W_OK) < 0)
        return failed(e);
    if (there && !(name = realpath(name, real)))
        return failed(e);
    if ((fd = open_temporary(name, temp)) < 0)
        return failed(e);
    if ((there && fchmod(fd, old.st_mode & 0777) < 0 && (close(fd), true)) || fill(fd, p, n) < 0 ||
        rename(temp, name) < 0) {
        failed(e);
        unlink(temp);
        return -1;
    }
    return 0;
}
