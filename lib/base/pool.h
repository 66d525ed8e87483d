/* pool.h - one pool of threads for a whole program
 *
 * What     pool_run calls fn(ctx, i, thread) once for every i in [0, n) and returns
 *          when all calls have; the caller is thread 0 and works too.  Tasks are
 *          handed out by an atomic counter, so which thread runs which task is not
 *          determined: a task must write nothing but its own part of the result,
 *          and no result may depend on `thread` (which only indexes scratch).  So
 *          the same bytes come out for any number of threads.
 *          Threads that have nothing to do spin for some 100 microseconds, then sleep.  None is bound to a
 *          processor, but one that was last on the caller's is woken on another (Linux).
 * Errors   pool_start returns NULL and fills err; everything else cannot fail.
 * Threads  One pool_run at a time per pool (calls from other threads wait); fn must not call pool_run on
 *          the same pool.  A NULL pool runs everything in the caller.
 */
#ifndef UNCLIP_POOL_H
#define UNCLIP_POOL_H

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct pool;

enum { POOL_MAX = 256 };    /* threads */

struct pool *pool_start(struct arena *a, int threads, struct err *e);
void pool_stop(struct pool *p);
int pool_threads(const struct pool *p);    /* 1 for NULL */
void pool_run(struct pool *p, size_t n, void (*fn)(void *ctx, size_t i, int thread), void *ctx);

#endif
