/* sumbytes - measures how fast a file can be read: adds up the file's 64-bit words with several threads
 *
 * usage: sumbytes [-m] THREADS FILE...    prints the sum and the rate
 *
 * The program `rank` is compared with this one, which reads every byte of a warm file and hardly computes.
 * The file is read in pieces that stay in the processor's cache, or, with -m, it is mapped.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The buffers are aligned to PAGE.  A large block of malloc would start 16 bytes after the start of a page, and a Zen 3
 * copies from the page cache to such an address at a third of its speed. */
enum { MAX = 256, STEP = 1 << 18, PAGE = 4096 };

struct job {
    const char *map;    /* the mapped file, or NULL without -m */
    int fd;
    size_t n, thread, threads;
    uint64_t sum;
};

/* Adds the n bytes at p to 32 sums.  With so many sums, no addition waits for another. */
static void add(uint64_t s[32], const char *p, size_t n) {
    uint64_t w[32];

    for (size_t i = 0; i + sizeof w <= n; i += sizeof w) {
        memcpy(w, p + i, sizeof w);
        for (int k = 0; k < 32; k++)
            s[k] += w[k];
    }
}

/* What a thread does: it reads every threads-th stretch of STEP bytes. */
static void *work(void *arg) {
    struct job *j = arg;
    uint64_t s[32] = {0};
    char *buf = aligned_alloc(PAGE, STEP);

    for (size_t at = j->thread * STEP; buf && at < j->n; at += j->threads * STEP) {
        size_t n = at + STEP < j->n ? STEP : j->n - at;

        if (!j->map && pread(j->fd, buf, n, (off_t)at) != (ssize_t)n)
            break;
        add(s, j->map ? j->map + at : buf, n);
    }
    for (int k = 0; k < 32; k++)
        j->sum += s[k];
    free(buf);
    return NULL;
}

static double now(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int sum_file(const char *name, size_t threads, int mapped) {
    static struct job job[MAX];
    pthread_t id[MAX];
    double begun = now(), t;
    uint64_t sum = 0;
    struct stat st;
    void *p = NULL;
    int fd = open(name, O_RDONLY);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (mapped && (p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < threads; i++) {
        job[i] = (struct job){p, fd, (size_t)st.st_size, i, threads, 0};
        if (pthread_create(&id[i], NULL, work, &job[i]) != 0)
            return -1;
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        sum += job[i].sum;
    }
    t = now() - begun;
    printf("%016llx %.3f s %.2f GB/s %s\n", (unsigned long long)sum, t, (double)st.st_size / t / 1e9, name);
    if (p)
        munmap(p, (size_t)st.st_size);
    close(fd);
    return 0;
}

int main(int argc, char *argv[]) {
    int mapped = argc > 1 && !strcmp(argv[1], "-m");
    unsigned long threads = argc > 2 + mapped ? strtoul(argv[1 + mapped], NULL, 10) : 0;

    if (threads < 1 || threads > MAX) {
        fprintf(stderr, "usage: sumbytes [-m] THREADS FILE...\n");
        return 2;
    }
    for (int i = 2 + mapped; i < argc; i++)
        if (sum_file(argv[i], threads, mapped) < 0) {
            perror(argv[i]);
            return 2;
        }
    return 0;
}
