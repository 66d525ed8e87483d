#define _GNU_SOURCE    /* sched_getcpu, sched_setaffinity */
#include "lib/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* How a job is handed out without a lock.  `ticket` holds the job's number in its upper half
 * and the next task in its lower half; a thread claims a task by adding one to it with a
 * compare-and-swap.  That succeeds only while the ticket is what the thread has read, so the
 * job it read in between (fn, ctx, n) is the one the task belongs to: the caller cannot have
 * begun another before the claimed task is done.  Threads that come late find nothing left and
 * do no harm; nobody has to wait for threads that are asleep.
 *
 * Sleeping is safe because both sides write first and look then, in sequentially consistent
 * order: a thread counts itself as asleep, then looks for a new job; the caller publishes the
 * job, then looks for sleepers. */

enum { SPIN = 1000 };    /* looks before sleeping: about 20 microseconds */
#define PAUSE 1e6        /* nanoseconds between two times that a thread steps aside */
#define TASKS_MAX ((size_t)1 << 31)

struct pool {
    _Alignas(64) _Atomic uint64_t ticket;
    _Alignas(64) _Atomic size_t done;        /* tasks of this job that have returned */
    _Atomic bool caller_sleeps;
    _Alignas(64) _Atomic(void (*)(void *, size_t, int)) fn;
    _Atomic(void *) ctx;
    _Atomic size_t first, n;
    _Atomic int cpu;                         /* where the caller ran when it handed out the job */
    _Atomic int sleepers;
    _Atomic bool quit;

    int threads;
    pthread_mutex_t turn;       /* one pool_run at a time */
    pthread_mutex_t lock;       /* for the two conditions only */
    pthread_cond_t work, finished;
    struct worker {
        struct pool *pool;
        pthread_t id;
        int thread;
        double moved;    /* when it stepped aside last */
    } worker[];
};

static void relax(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

static int this_cpu(void) {
#if defined __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* The kernel wakes a thread where it ran last, be it where the caller runs now, and on a machine of two
 * processors that has just been busy it may not see for milliseconds that the other one is idle: both threads
 * then share one, which is slower than one alone.  So a worker that finds itself there goes elsewhere; which
 * processors it may use is as before afterwards. */
static void step_aside(struct worker *w, int from) {
#if defined __linux__
    struct timespec t;
    cpu_set_t may, other;
    double now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
    if (now - w->moved < PAUSE || from >= CPU_SETSIZE || sched_getaffinity(0, sizeof may, &may) < 0)
        return;
    w->moved = now;
    other = may;
    CPU_CLR((size_t)from, &other);
    if (CPU_COUNT(&other) > 0 && sched_setaffinity(0, sizeof other, &other) == 0)
        sched_setaffinity(0, sizeof may, &may);
#else
    (void)w, (void)from;
#endif
}

/* Do tasks of the current job until none is left. */
static void work(struct pool *p, int thread) {
    for (;;) {
        uint64_t t = atomic_load(&p->ticket);
        size_t i = t & UINT32_MAX, n = atomic_load(&p->n), first = atomic_load(&p->first);
        void (*fn)(void *, size_t, int) = atomic_load(&p->fn);
        void *ctx = atomic_load(&p->ctx);

        if (i >= n)
            return;
        if (!atomic_compare_exchange_weak(&p->ticket, &t, t + 1))
            continue;
        fn(ctx, first + i, thread);
        if (atomic_fetch_add(&p->done, 1) + 1 == n && atomic_load(&p->caller_sleeps)) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->finished);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static bool has_news(struct pool *p, uint64_t seen) {
    return atomic_load(&p->ticket) >> 32 != seen || atomic_load(&p->quit);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    struct pool *p = w->pool;
    uint64_t seen = 0;
    int cpu;

    while (!atomic_load(&p->quit)) {
        for (int i = 0; i < SPIN && !has_news(p, seen); i++)
            relax();
        if (!has_news(p, seen)) {
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->sleepers, 1);
            while (!has_news(p, seen))
                pthread_cond_wait(&p->work, &p->lock);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->lock);
        }
        seen = atomic_load(&p->ticket) >> 32;
        cpu = this_cpu();
        if (cpu >= 0 && cpu == atomic_load(&p->cpu))
            step_aside(w, cpu);
        work(p, w->thread);
    }
    return NULL;
}

static void wait_for_all(struct pool *p, size_t n) {
    for (int i = 0; i < SPIN && atomic_load(&p->done) < n; i++)
        relax();
    if (atomic_load(&p->done) == n)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->caller_sleeps, true);
    while (atomic_load(&p->done) < n)
        pthread_cond_wait(&p->finished, &p->lock);
    atomic_store(&p->caller_sleeps, false);
    pthread_mutex_unlock(&p->lock);
}

static void run_job(struct pool *p, size_t first, size_t n, void (*fn)(void *, size_t, int), void *ctx) {
    uint64_t job = (atomic_load(&p->ticket) >> 32) + 1;

    /* The last job's ticket has come to its n.  A thread that has read it may read the new n
     * next; so the ticket moves out of the way, which makes that thread's claim fail, before
     * n is raised. */
    atomic_store(&p->n, 0);
    atomic_store(&p->done, 0);
    atomic_store(&p->cpu, this_cpu());
    atomic_store(&p->fn, fn);
    atomic_store(&p->ctx, ctx);
    atomic_store(&p->first, first);
    atomic_store(&p->ticket, (job - 1) << 32 | UINT32_MAX);
    atomic_store(&p->n, n);
    atomic_store(&p->ticket, job << 32);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    work(p, 0);
    wait_for_all(p, n);
}

void pool_run(struct pool *p, size_t n, void (*fn)(void *ctx, size_t i, int thread), void *ctx) {
    if (!p || p->threads == 1) {
        for (size_t i = 0; i < n; i++)
            fn(ctx, i, 0);
        return;
    }
    pthread_mutex_lock(&p->turn);
    if (n == 1)
        fn(ctx, 0, 0);
    else
        for (size_t i = 0; i < n; i += TASKS_MAX)
            run_job(p, i, n - i < TASKS_MAX ? n - i : TASKS_MAX, fn, ctx);
    pthread_mutex_unlock(&p->turn);
}

int pool_threads(const struct pool *p) {
    return p ? p->threads : 1;
}

struct pool *pool_start(struct arena *a, int threads, struct err *e) {
    struct pool *p;

    if (threads < 1 || threads > POOL_MAX) {
        err_set(e, "%d threads: not between 1 and %d", threads, POOL_MAX);
        return NULL;
    }
    p = arena_zero(a, 1, sizeof *p + (size_t)threads * sizeof *p->worker);
    if (!p) {
        err_set(e, "no memory for %d threads", threads);
        return NULL;
    }
    pthread_mutex_init(&p->turn, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        struct worker *w = &p->worker[p->threads];
        int r;

        *w = (struct worker){.pool = p, .thread = p->threads};
        r = pthread_create(&w->id, NULL, worker_main, w);
        if (r) {
            err_set(e, "cannot start thread %d of %d: %s", p->threads + 1, threads, strerror(r));
            pool_stop(p);
            return NULL;
        }
    }
    return p;
}

void pool_stop(struct pool *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->quit, true);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->worker[i].id, NULL);
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->turn);
}
