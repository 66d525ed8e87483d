/* compute.h - what a network computes with
 *
 * What     struct compute holds the table of kernels and the pool of threads.  Each program fills one such struct at
 *          its start, and every function that computes takes a pointer to the struct.
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
