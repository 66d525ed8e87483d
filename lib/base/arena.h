/* arena.h - memory for everything that is not a weight
 *
 * What     An arena gives out the blocks of a region one after the other, and never
 *          frees a single block.  Memory that must stay valid is taken through a pointer to
 *          the arena.  Scratch is taken from a copy of the arena, passed by value, and is
 *          free again when the copy goes out of scope:
 *
 *              void f(struct arena *keep, struct arena scratch);
 *
 *          base              at                    committed         end
 *          |-- given out ----|-- free, committed --|-- reserved only --|
 *
 *          The region is one reservation of address space, which main makes (tools/common).
 *          Pages are committed, in steps of ARENA_STEP, when they are first given out.  All
 *          copies of an arena share one `struct arena_mem`.
 * Source   Hanson 1990, "Fast allocation and deallocation of memory based on object
 *          lifetimes", Software: Practice and Experience 20(1).
 * Shapes   Every block is aligned to ARENA_ALIGN bytes (a cache line and a zmm
 *          register) and followed by a gap of the same size.  Builds with
 *          AddressSanitizer poison the gap, so that an overrun is caught as with malloc.
 * Errors   arena_take returns NULL when n * size overflows, when the region is
 *          full, or when the system refuses the commit.  Blocks are NOT cleared.
 *          Tests fill regions with 0xff, so that a float that was never written is NaN.
 * Threads  Two threads must not call these functions at the same time on arenas of one
 *          region.
 */
#ifndef UNCLIP_ARENA_H
#define UNCLIP_ARENA_H

#include <stddef.h>

#include "lib/base/span.h"

enum { ARENA_ALIGN = 64 };
#define ARENA_STEP ((size_t)2 << 20)    /* bytes: the size of a huge page */

struct arena_mem {
    char *base;
    size_t reserved;     /* bytes of address space */
    size_t committed;    /* bytes that may be touched; never shrinks */
    size_t peak;         /* the most bytes given out at any time, without those of parts (arena_split) */
    /* Makes [at, at + n) usable.  Returns 0, or -1 on failure.  NULL if the whole region is usable (in tests). */
    int (*commit)(void *at, size_t n);
    struct mapfile_list *files;    /* the mapped files that are unmapped with the region (formats/io/mapfile.h), or NULL */
};

struct arena {
    char *at, *end;
    struct arena_mem *mem;
};

/* Returns an arena that gives out the whole region. */
struct arena arena_open(struct arena_mem *m);

/* Returns memory for n elements of `size` bytes, or NULL.  If n * size is 0, the pointer is valid too. */
void *arena_take(struct arena *a, size_t n, size_t size);

/* Returns memory as arena_take does, filled with zero bytes. */
void *arena_zero(struct arena *a, size_t n, size_t size);

/* Grows the block p in place from `old` to `new` bytes.  p must be the last block that was taken from the arena a.
 * Returns 0, or -1 if the arena is full; the old block stays valid. */
int arena_grow(struct arena *a, void *p, size_t old, size_t new);

/* Returns a copy of n bytes of s with a NUL after them, or NULL if the arena is full. */
char *arena_str(struct arena *a, const void *s, size_t n);

/* Returns a copy of s with a NUL after its bytes.  If the arena is full, the p of the returned span is NULL. */
struct span arena_span(struct arena *a, struct span s);

/* Cuts n bytes off the end of the arena a.  Fills *m, which describes these bytes as a region of their own, and *part,
 * an arena in that region.  A buffer in the part can grow in place while other blocks are taken from a.  Pages of the
 * part are committed when they are given out.  Returns 0, or -1 if the arena has fewer than n bytes left.  *m must
 * outlive the part. */
int arena_split(struct arena *a, size_t n, struct arena_mem *m, struct arena *part);

/* Returns how many bytes to cut off with arena_split: the free bytes of the arena a divided by `parts`, at most `most`.
 * A share of the free bytes can be cut off even if memory is limited. */
size_t arena_share(const struct arena *a, size_t parts, size_t most);

/* Joins the region m to the end of the arena a again, from which arena_split cut m off, and sets *m to zero.  The call
 * does nothing if *m is zero already, or if m is not the last region that was cut off.  The contents of the region are
 * lost. */
void arena_join(struct arena *a, struct arena_mem *m);

/* Prepares the region m for being given back to the system.  No block of the region may be used afterwards.  In builds
 * with AddressSanitizer the call unpoisons the region, because other memory may later have the same addresses. */
void arena_close(struct arena_mem *m);

#endif
