/* region.h - reserve address space for an arena
 *
 * What     A region is reserved, not allocated.  The arena commits its pages when they are first used, in steps of
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

/* Tries to reserve `most` bytes, then half of them, then a quarter and so on, until the system agrees. */
int region_reserve(struct arena_mem *m, size_t most, struct err *e);

/* Asks the system not to use huge pages for the region, because a program may have many such regions with little in each. */
void region_small(const struct arena_mem *m);

/* Returns the region to the system.  No memory of the region may be used afterwards. */
void region_release(struct arena_mem *m);

#endif
