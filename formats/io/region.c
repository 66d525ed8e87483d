#define _GNU_SOURCE    /* MAP_NORESERVE */
#include "formats/io/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static int commit(void *at, size_t n) {
    return mprotect(at, n, PROT_READ | PROT_WRITE);
}

int region_reserve(struct arena_mem *m, size_t most, struct err *e) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 2 < most)
        most = (size_t)limit.rlim_cur / 2 / 4096 * 4096;
    for (size_t n = most; n >= REGION_LEAST; n /= 2) {
        void *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
            continue;
        *m = (struct arena_mem){p, n, 0, 0, commit, NULL};
        return 0;
    }
    return err_set(e, "no address space: %s", strerror(errno ? errno : ENOMEM));
}

void region_small(const struct arena_mem *m) {
#ifdef MADV_NOHUGEPAGE
    madvise(m->base, m->reserved, MADV_NOHUGEPAGE);    /* failure is harmless: it only costs memory */
#else
    (void)m;
#endif
}

void region_release(struct arena_mem *m) {
    if (!m->base)
        return;
    arena_close(m);
    munmap(m->base, m->reserved);
    *m = (struct arena_mem){.base = NULL};
}
