#define _DEFAULT_SOURCE    /* madvise: POSIX's DONTNEED does nothing in glibc */

#include "formats/io/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/near.h"

static struct file_state state_of(const struct stat *st) {
    return (struct file_state){(uint64_t)st->st_ino, (uint64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
                               (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ctim.tv_sec,
                               (int64_t)st->st_ctim.tv_nsec};
}

int mapfile_of(struct mapfile *m, int fd, const char *path, struct err *e) {
    struct stat st;
    void *p;

    if (fstat(fd, &st) < 0)
        return err_set(e, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, "%s", S_ISDIR(st.st_mode) ? strerror(EISDIR) : "not a regular file");
    if (st.st_size == 0) {
        *m = (struct mapfile){(const unsigned char *)"", 0, state_of(&st), path, NULL};
        return 0;
    }
    if ((uintmax_t)st.st_size > SIZE_MAX)
        return err_set(e, "%s", strerror(EFBIG));
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_set(e, "%s", strerror(errno));
    *m = (struct mapfile){p, (size_t)st.st_size, state_of(&st), path, NULL};
    return 0;
}

int mapfile_keep(struct mapfile *m, const struct arena *a, struct err *e) {
    struct mapfile_list *l = a->mem->files;

    if (!l || !m->n)
        return 0;
    if (l->n == MAPFILE_LIST) {
        mapfile_close(m);
        return err_set(e, "more than %d files", MAPFILE_LIST);
    }
    l->v[l->n++] = span_bytes(m->p, m->n);
    m->kept = l;
    return 0;
}

void mapfile_close_list(struct mapfile_list *l, size_t from) {
    for (; l->n > from; l->n--)
        munmap((void *)(uintptr_t)l->v[l->n - 1].p, l->v[l->n - 1].n);
}

static void take_off(struct mapfile_list *l, const unsigned char *p) {
    size_t i = 0;

    while (i < l->n && l->v[i].p != p)
        i++;
    if (i < l->n)
        memmove(&l->v[i], &l->v[i + 1], (--l->n - i) * sizeof *l->v);
}

void mapfile_close(struct mapfile *m) {
    if (m->kept)
        take_off(m->kept, m->p);
    if (m->n)
        munmap((void *)(uintptr_t)m->p, m->n);
    *m = (struct mapfile){.p = NULL};
}

bool mapfile_unchanged(const struct mapfile *m) {
    struct stat st;
    struct file_state now;

    if (stat(m->path, &st) < 0)
        return false;
    now = state_of(&st);
    return memcmp(&now, &m->state, sizeof now) == 0;
}

int mapfile_open(struct mapfile *m, const char *path, struct err *e) {
    /* with O_NONBLOCK, opening a FIFO that has no writer does not block; mapfile_of then refuses the FIFO */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;

    if (fd < 0)
        return near_open_failed(path, e);
    r = mapfile_of(m, fd, path, e);
    close(fd);
    return r;
}

static void advise(const struct mapfile *m, int how) {
    if (m->n)
        madvise((void *)(uintptr_t)m->p, m->n, how);    /* a failure costs speed only */
}

void mapfile_random(const struct mapfile *m) {
    advise(m, MADV_RANDOM);
}

void mapfile_large(const struct mapfile *m) {
#ifdef MADV_HUGEPAGE
    advise(m, MADV_HUGEPAGE);
#else
    (void)m;
#endif
}

void mapfile_forget(const struct mapfile *m) {
    advise(m, MADV_DONTNEED);
    advise(m, MADV_NORMAL);
}
