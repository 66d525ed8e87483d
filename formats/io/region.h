/* region.h - address space for an arena, from the system
 *
 * What     A region is reserved, not allocated: pages are given by the system when they are first used, in steps of
 *          ARENA_STEP.  If ulimit -v sets a limit, at most half of the limit is reserved, because files and threads need
 *          the rest.
 * Errors   region_reserve returns -1 if not even REGION_LEAST bytes of address space can be had.
 * Source   mmap(2): PROT_NONE, MAP_NORESERVE; getrlimit(2): RLIMIT_AS.
 */
#ifndef UNCLIP_REGION_H
#define UNCLIP_REGION_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define REGION_LEAST ((size_t)16 << 20)

/* Reserves `most` bytes, or the half of it, or the half of that, until the system agrees. */
int region_reserve(struct arena_mem *m, size_t most, struct err *e);

/* Asks the system not to use huge pages for the region, because many such regions will hold little. */
void region_small(const struct arena_mem *m);

/* Gives the region back.  Nothing in it may be used afterwards. */
void region_release(struct arena_mem *m);

#endif
