/* pool.h - one pool of threads for a whole program
 *
 * What     pool_run calls fn(ctx, i, thread) once for every i in [0, n) and returns
 *          when all calls have returned.  The caller is thread 0 and works too.  An
 *          atomic counter hands out the tasks, so any thread may run any task.  A task must
 *          write only its own part of the result, and no result may depend on `thread`, which only indexes
 *          scratch.  The results then have the same bytes for any number of threads.  Idle threads spin for
 *          some 100 microseconds, then sleep.  Threads are not bound to processors.  On Linux a thread that
 *          last ran on the caller's processor is woken on another one.
 *          The workers block all signals.
 * Source   POSIX threads and C11 atomics; on Linux sched_getcpu(3) and pthread_setaffinity_np(3).
 * Errors   pool_start returns NULL and fills err.  The other functions cannot fail.
 * Threads  A pool runs one pool_run at a time; calls from other threads wait.  fn must not call pool_run on
 *          the pool that runs fn.  With a NULL pool the caller runs everything.
 */
#ifndef UNCLIP_POOL_H
#define UNCLIP_POOL_H

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct pool;

enum { POOL_MAX = 256 };    /* the most threads of a pool */

struct pool *pool_start(struct arena *a, int threads, struct err *e);
void pool_stop(struct pool *p);
int pool_threads(const struct pool *p);    /* returns 1 if p is NULL */
void pool_run(struct pool *p, size_t n, void (*fn)(void *ctx, size_t i, int thread), void *ctx);

#endif
