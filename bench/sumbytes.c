/* sumbytes - how fast memory can be read: the 64-bit words of a mapped file, summed by N threads
 *
 * usage: sumbytes THREADS FILE...       prints the sum and the rate of the summing alone
 *
 * What rank is measured against: a program that looks at every byte of a warm file and does
 * next to nothing with it.
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

enum { MAX = 256, STEP = 1 << 20 };

struct job {
    const char *p;
    size_t n, thread, threads;
    uint64_t sum;
};

/* Every threads-th stretch of STEP bytes; four sums, so that no addition waits for another. */
static void *work(void *arg) {
    struct job *j = arg;
    uint64_t s[32] = {0}, w[32];

    for (size_t at = j->thread * STEP; at < j->n; at += j->threads * STEP) {
        size_t end = at + STEP < j->n ? at + STEP : j->n;

        for (size_t i = at; i + sizeof w <= end; i += sizeof w) {
            memcpy(w, j->p + i, sizeof w);
            for (int k = 0; k < 32; k++)
                s[k] += w[k];
        }
    }
    for (int k = 0; k < 32; k++)
        j->sum += s[k];
    return NULL;
}

static double now(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int sum_file(const char *name, size_t threads) {
    static struct job job[MAX];
    pthread_t id[MAX];
    double begun = now(), t;
    uint64_t sum = 0;
    struct stat st;
    void *p;
    int fd = open(name, O_RDONLY);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < threads; i++) {
        job[i] = (struct job){p, (size_t)st.st_size, i, threads, 0};
        if (pthread_create(&id[i], NULL, work, &job[i]) != 0)
            return -1;
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        sum += job[i].sum;
    }
    t = now() - begun;
    printf("%016llx %.3f s %.2f GB/s %s\n", (unsigned long long)sum, t, (double)st.st_size / t / 1e9, name);
    munmap(p, (size_t)st.st_size);
    close(fd);
    return 0;
}

int main(int argc, char *argv[]) {
    unsigned long threads = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (threads < 1 || threads > MAX) {
        fprintf(stderr, "usage: sumbytes THREADS FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        if (sum_file(argv[i], threads) < 0) {
            perror(argv[i]);
            return 2;
        }
    return 0;
}
