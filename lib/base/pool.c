#define _GNU_SOURCE    /* sched_getcpu, pthread_setaffinity_np */
#include "lib/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* How a job is handed out without a lock.  `ticket` holds the job's number in its upper half
 * and the next task in its lower half; a thread claims a task by adding one to the ticket
 * with a compare-and-swap.  The swap succeeds only if the ticket is still the one that the thread has
 * read.  The claimed task then belongs to the job (fn, ctx, n) that the thread read after the ticket,
 * because the caller cannot begin another job before the claimed task is done.  A thread that comes
 * late finds no task left and does no harm.  The caller does not wait for threads that are asleep.
 *
 * Sleeping is safe because both sides write first and read afterwards, in sequentially consistent
 * order.  A thread counts itself as asleep, then looks for a new job.  The caller publishes the
 * job, then looks for sleepers. */

enum { SPIN = 5000 };    /* a thread looks for a job this many times (about 100 microseconds) before it sleeps */
#define PAUSE 1e5        /* the least time between two barrings of workers from a processor, in nanoseconds */
#define TASKS_MAX ((size_t)1 << 31)

struct pool {
    _Alignas(64) _Atomic uint64_t ticket;
    _Alignas(64) _Atomic size_t done;        /* tasks of this job that have returned */
    _Atomic bool caller_sleeps;
    _Alignas(64) _Atomic(void (*)(void *, size_t, int)) fn;
    _Atomic(void *) ctx;
    _Atomic size_t first, n;
    _Atomic int sleepers;
    _Atomic bool quit;

    int threads;
    double parted;              /* the time at which workers were last barred, in nanoseconds */
    pthread_mutex_t turn;       /* the running call of pool_run holds this lock */
    pthread_mutex_t lock;       /* guards the conditions `work` and `finished` only */
    pthread_cond_t work, finished;
    struct worker {
        struct pool *pool;
        pthread_t id;
        int thread;
        _Atomic int cpu;    /* the processor on which the thread ran last */
        bool barred;
#if defined __linux__
        cpu_set_t may;      /* the processors on which the thread was allowed to run before it was barred */
#endif
    } worker[];
};

static void relax(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

/* An operating system may wake a thread on the processor where it last ran, even if the caller runs there now and
 * another processor is idle.  Virtual machines wake threads in this way on purpose, to keep few processors awake.  Both
 * threads then share one processor for milliseconds, which is slower than one thread alone.  So workers that last ran
 * on the caller's processor are barred from that processor before a job is handed out.  Once these workers are awake,
 * they may use all their processors again. */
#if defined __linux__
static void note_cpu(struct worker *w) {
    int cpu = sched_getcpu();

    if (cpu != atomic_load(&w->cpu))
        atomic_store(&w->cpu, cpu);
}

/* Returns true at most once in PAUSE nanoseconds, because barring does not help if all processors are busy. */
static bool due(struct pool *p) {
    struct timespec t;
    double now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
    if (now - p->parted < PAUSE)
        return false;
    p->parted = now;
    return true;
}

static bool bar(struct worker *w, int cpu) {
    cpu_set_t other;

    if (pthread_getaffinity_np(w->id, sizeof w->may, &w->may) != 0)
        return false;
    other = w->may;
    CPU_CLR((size_t)cpu, &other);
    return CPU_COUNT(&other) > 0 && pthread_setaffinity_np(w->id, sizeof other, &other) == 0;
}

/* Bars from the caller's processor the workers that last ran there.  Returns true if at least one worker was barred. */
static bool part(struct pool *p) {
    int cpu = sched_getcpu();
    bool met = false, any = false;

    for (int i = 1; i < p->threads; i++)
        met |= atomic_load(&p->worker[i].cpu) == cpu;
    if (!met || cpu < 0 || cpu >= CPU_SETSIZE || !due(p))
        return false;
    for (int i = 1; i < p->threads; i++) {
        struct worker *w = &p->worker[i];

        w->barred = atomic_load(&w->cpu) == cpu && bar(w, cpu);
        any |= w->barred;
    }
    return any;
}

static void unbar(struct pool *p) {
    for (int i = 1; i < p->threads; i++)
        if (p->worker[i].barred)
            pthread_setaffinity_np(p->worker[i].id, sizeof p->worker[i].may, &p->worker[i].may);
}
#else
static void note_cpu(struct worker *w) {
    (void)w;
}

static bool part(struct pool *p) {
    (void)p;
    return false;
}

static void unbar(struct pool *p) {
    (void)p;
}
#endif

/* Runs tasks of the current job until no task is left. */
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
        work(p, w->thread);
        note_cpu(w);
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
    bool barred = part(p);

    /* The ticket still shows the previous job, with all n tasks claimed.  A thread that has read this ticket may next
     * read the n of the new job.  So the ticket is changed before n is raised, and the claim of that thread fails. */
    atomic_store(&p->n, 0);
    atomic_store(&p->done, 0);
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
    if (barred)
        unbar(p);
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
    sigset_t all, before;
    int r = 0;

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
    sigfillset(&all);    /* the workers block all signals, so the system delivers them to the program's other threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        struct worker *w = &p->worker[p->threads];

        *w = (struct worker){.pool = p, .thread = p->threads, .cpu = -1};
        r = pthread_create(&w->id, NULL, worker_main, w);
        if (r)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!r)
        return p;
    err_set(e, "cannot start thread %d of %d: %s", p->threads + 1, threads, strerror(r));
    pool_stop(p);
    return NULL;
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
