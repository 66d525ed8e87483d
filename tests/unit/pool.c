/* The thread pool: every task once, nothing lost over many small jobs, callers take turns. */
#include "lib/pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/tap.h"

enum { MANY = 5000 };

struct job {
    int done[MANY];
    int threads;
    _Atomic int wrong;
};

static void once(void *ctx, size_t i, int thread) {
    struct job *j = ctx;

    j->done[i]++;
    if (thread < 0 || thread >= j->threads)
        atomic_fetch_add(&j->wrong, 1);
}

static int all(const struct job *j, size_t n, int times) {
    for (size_t i = 0; i < MANY; i++)
        if (j->done[i] != (i < n ? times : 0))
            return 0;
    return 1;
}

static void counts(int threads) {
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *p = pool_start(&a, threads, &e);
    struct job *j = calloc(1, sizeof *j);
    int good = 1;

    j->threads = threads;
    ok(p && pool_threads(p) == threads, "%d threads", threads);
    pool_run(p, 0, once, j);
    ok(all(j, 0, 0), "no task is no call");
    pool_run(p, MANY, once, j);
    ok(all(j, MANY, 1) && !j->wrong, "every task runs once, thread numbers are in range");
    for (size_t n = 1; n < 40; n++) {
        memset(j->done, 0, sizeof j->done);
        for (int t = 1; t <= 100; t++)
            pool_run(p, n, once, j);
        good &= all(j, n, 100);
    }
    ok(good, "3900 small jobs in a row lose nothing");
    pool_stop(p);
    free(j);
    free(a_mem.base);
}

struct caller {
    struct pool *p;
    int sum;
};

static void add(void *ctx, size_t i, int thread) {
    _Atomic int *sum = ctx;

    (void)thread;
    atomic_fetch_add(sum, (int)i);
}

static void *call(void *arg) {
    struct caller *c = arg;

    for (int i = 0; i < 200; i++) {
        _Atomic int sum = 0;

        pool_run(c->p, 50, add, &sum);
        c->sum += sum == 1225;
    }
    return NULL;
}

static void callers(void) {
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *p = pool_start(&a, 3, &e);
    struct caller c[3] = {{p, 0}, {p, 0}, {p, 0}};
    pthread_t t[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, call, &c[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    ok(c[0].sum == 200 && c[1].sum == 200 && c[2].sum == 200, "three callers take turns");
    pool_stop(p);
    free(a_mem.base);
}

static void limits(void) {
    TAP_ARENA(a, 1);
    struct arena none = a;
    struct err e = {0};
    _Atomic int sum = 0;

    none.end = none.at + 64;
    ok(!pool_start(&a, 0, &e) && !strcmp(e.msg, "0 threads: not between 1 and 256"), "0 threads are refused");
    e.msg[0] = 0;
    ok(!pool_start(&none, 2, &e) && e.msg[0], "no memory is an error");
    pool_run(NULL, 50, add, &sum);
    ok(sum == 1225 && pool_threads(NULL) == 1, "no pool: the caller does it all");
    pool_stop(NULL);
    free(a_mem.base);
}

int main(void) {
    counts(1);
    counts(2);
    counts(7);
    callers();
    limits();
    return done();
}
