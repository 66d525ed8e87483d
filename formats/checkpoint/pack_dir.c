/* _DEFAULT_SOURCE: getentropy. */
#define _DEFAULT_SOURCE
#include "formats/checkpoint/pack_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "formats/io/pathname.h"

#define TEMP_SUFFIX ".tmp"

enum { DAY = 24 * 60 * 60, FILES = 1024 };
#define CHUNK ((size_t)16 << 20)    /* bytes written at a time */

static int failed(struct err *e) {
    return err_set(e, "%s", strerror(errno));
}

/* ---- trust ---- */

static int check_owner(const struct stat *st, struct err *e) {
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return err_set(e, "belongs to somebody else");
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return err_set(e, "others may write to it");
    return 0;
}

static int make_dirs(const char *path) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;

    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT || n == 0 || snprintf(parent, sizeof parent, "%.*s", n, path) >= PATH_MAX)
        return -1;
    return mkdir(parent, 0700) == 0 || errno == EEXIST ? mkdir(path, 0700) : -1;
}

int pack_dir_open(const char *path, bool make, struct err *e) {
    struct stat st;
    int fd;

    if (make && make_dirs(path) < 0 && errno != EEXIST)
        return failed(e);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(e);
    if (fstat(fd, &st) < 0 ? failed(e) : check_owner(&st, e)) {
        close(fd);
        return -1;
    }
    return fd;
}

int pack_dir_file(int dir, const char *name, struct err *e) {
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return failed(e);
    if (fstat(fd, &st) < 0 ? failed(e) : check_owner(&st, e)) {
        close(fd);
        return -1;
    }
    return fd;
}

void pack_dir_used(int fd) {
    struct stat st;

    if (fstat(fd, &st) == 0 && time(NULL) - st.st_mtime > DAY)
        futimens(fd, NULL);    /* if the time cannot be set, the file only counts as unused for longer */
}

/* ---- new files ---- */

static int create(struct pack_new *f, int dir, const char *name, struct err *e) {
    char temp[64];
    uint64_t r;

    if (getentropy(&r, sizeof r) < 0)
        return failed(e);
    snprintf(temp, sizeof temp, "%016" PRIx64 TEMP_SUFFIX, r);
    return file_new_at(&f->file, dir, temp, name, 0600, e);
}

int pack_dir_create(struct pack_new *f, const char *path, const char *name, size_t bytes, bool (*stop)(void),
                    struct err *e) {
    struct statvfs v;
    uint64_t room;
    int dir = pack_dir_open(path, true, e);

    f->error = f->nheld = 0;
    f->stopped = false;
    f->stop = stop;
    f->at = 0;
    if (dir < 0)
        return -1;
    room = fstatvfs(dir, &v) < 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
    if (bytes > PACK_MOST)
        err_set(e, "%zu MiB are too many", bytes >> 20);
    else if (room / 2 < bytes)
        err_set(e, "less than twice %zu MiB is free", bytes >> 20);
    else if (create(f, dir, name, e) == 0)
        return 0;
    close(dir);
    return -1;
}

static void write_held(struct pack_new *f) {
    struct iovec *v = f->held, *end = v + f->nheld;
    ssize_t k;

    f->nheld = 0;
    f->stopped = f->stopped || (f->stop && f->stop());
    while (v < end && !f->error && !f->stopped) {
        k = writev(f->file.fd, v, (int)(end - v));
        if (k < 0 && errno != EINTR)
            f->error = errno;
        for (; k > 0 && (size_t)k >= v->iov_len; v++)
            k -= (ssize_t)v->iov_len;
        if (k > 0) {
            v->iov_base = (char *)v->iov_base + k;
            v->iov_len -= (size_t)k;
        }
    }
}

void pack_dir_write(struct pack_new *f, const void *p, size_t n) {
    char *from = (char *)(uintptr_t)p;    /* writev only reads it */

    for (size_t k; n && !f->error && !f->stopped; from += k, n -= k) {
        k = CHUNK - f->at % CHUNK;
        k = n < k ? n : k;
        f->held[f->nheld++] = (struct iovec){from, k};
        f->at += k;
        if (f->nheld == PACK_HELD || f->at % CHUNK == 0)
            write_held(f);
    }
}

static void prune(int dir, const char *keep);

int pack_dir_publish(struct pack_new *f, struct err *e) {
    int r;

    write_held(f);
    if (f->stopped || f->error) {
        r = f->stopped ? err_set(e, "interrupted") : err_set(e, "%s", strerror(f->error));
        file_new_drop(&f->file);
    } else {
        r = file_new_keep(&f->file, true, e);
    }
    if (r == 0)
        prune(f->file.dir, f->file.name);
    close(f->file.dir);
    return r;
}

/* ---- old files ---- */

struct old {
    char name[PACK_NAME_LENGTH];
    uint64_t size;
    time_t used;
};

static int longest_unused(const void *a, const void *b) {
    const struct old *x = a, *y = b;

    return x->used < y->used ? -1 : x->used > y->used;
}

/* Returns whether unclip may have made a file of this name.  Its files are called WORD.WORD.HEX.packed (2 dots before
 * the suffix) or HEX.tmp (no dot), where HEX is 16 hexadecimal digits. */
static bool ours(const char *name, const char *suffix, int dots) {
    size_t n = strlen(name), end = n - strlen(suffix);

    if (!path_ends(name, suffix) || end < 16 || n >= PACK_NAME_LENGTH ||
        strspn(name + end - 16, "0123456789abcdef") != 16)
        return false;
    for (size_t i = 0; i < end; i++)
        dots -= name[i] == '.';
    return dots == 0;
}

/* Remove the files that are too old, and put the other packed files into list.  Returns the number of files in list. */
static size_t sweep(int dir, DIR *d, const char *keep, struct old *list) {
    time_t now = time(NULL);
    struct dirent *e;
    struct stat st;
    size_t n = 0;

    while (n < FILES && (e = readdir(d))) {
        bool temp = ours(e->d_name, TEMP_SUFFIX, 0), file = ours(e->d_name, PACK_SUFFIX, 2);
        if ((!temp && !file) || !strcmp(e->d_name, keep) || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        if (now - st.st_mtime > (temp ? DAY : PACK_DAYS * DAY)) {
            unlinkat(dir, e->d_name, 0);
        } else if (file) {
            list[n].used = st.st_mtime;
            list[n].size = (uint64_t)st.st_size;
            strcpy(list[n++].name, e->d_name);    /* ours() checked the length */
        }
    }
    return n;
}

static void prune(int dir, const char *keep) {
    struct old list[FILES];
    int copy = dup(dir);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    uint64_t all = 0;
    struct stat st;
    size_t n;

    if (!d) {
        if (copy >= 0)
            close(copy);
        return;
    }
    n = sweep(dir, d, keep, list);
    closedir(d);
    if (fstatat(dir, keep, &st, 0) == 0)
        all = (uint64_t)st.st_size;
    for (size_t i = 0; i < n; i++)
        all += list[i].size;
    qsort(list, n, sizeof *list, longest_unused);
    for (size_t i = 0; i < n && all > PACK_MOST; i++)
        if (unlinkat(dir, list[i].name, 0) == 0)
            all -= list[i].size;
}
