/* threads */
/* The thread pool: every task runs once, many small jobs lose no task, callers take turns, threads do not
 * share a processor. */
#define _GNU_SOURCE    /* sched_getcpu, sched_setaffinity */
#include "lib/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

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

#if defined __linux__
struct meeting {
    _Atomic int here;     /* tasks that have begun: each thread gets one */
    int cpu[2], same;     /* where each thread ran; may the worker use the processors that it might use before? */
    cpu_set_t may, one;   /* all, and the caller's */
};

static void meet(void *ctx, size_t i, int thread) {
    struct meeting *m = ctx;
    cpu_set_t may;

    (void)i;
    m->cpu[thread] = sched_getcpu();
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < 2)
        sched_yield();
    if (thread == 0)
        return;
    m->same += sched_getaffinity(0, sizeof may, &may) == 0 && CPU_EQUAL(&may, &m->may);
    sched_setaffinity(0, sizeof m->one, &m->one);    /* to the caller's processor; the worker may leave it */
    sched_setaffinity(0, sizeof m->may, &m->may);
}

/* A worker that last ran on the caller's processor runs its task on another one. */
static void aside(void) {
    enum { TIMES = 40 };
    const struct timespec pause = {0, 2000000};
    struct meeting m = {.same = 0};
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *p = pool_start(&a, 2, &e);
    int apart = 0;

    if (sched_getaffinity(0, sizeof m.may, &m.may) < 0 || CPU_COUNT(&m.may) < 2) {
        skip("there is one processor");
    } else {
        CPU_ZERO(&m.one);
        CPU_SET((size_t)sched_getcpu(), &m.one);
        sched_setaffinity(0, sizeof m.one, &m.one);
        for (int t = 0; t < TIMES; t++) {
            atomic_store(&m.here, 0);
            pool_run(p, 2, meet, &m);
            apart += m.cpu[0] != m.cpu[1];
            nanosleep(&pause, NULL);
        }
        sched_setaffinity(0, sizeof m.may, &m.may);
        ok(apart >= TIMES * 3 / 4 && m.same == TIMES, "threads do not share a processor: %d of %d, %d unbound", apart,
           TIMES, m.same);
    }
    pool_stop(p);
    free(a_mem.base);
}
#else
static void aside(void) {
}
#endif

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
    aside();
    limits();
    return done();
}
