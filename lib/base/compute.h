/* compute.h - what a network computes with
 *
 * What     The table of kernels and the pool of threads.  Each program makes one such pair at its start, and every
 *          function that computes takes it by pointer.
 */
#ifndef UNCLIP_COMPUTE_H
#define UNCLIP_COMPUTE_H

struct kern;
struct pool;

struct compute {
    const struct kern *kern;    /* lib/kernel/kern.h */
    struct pool *pool;          /* lib/base/pool.h */
};

#endif
