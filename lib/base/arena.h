/* arena.h - memory for everything that is not a weight
 *
 * What     A region that is given out from the front and never freed piece by
 *          piece.  What must stay is taken through a pointer to the arena; what
 *          is scratch is taken from a copy of it, by value, and vanishes when
 *          the copy goes out of scope:
 *
 *              void f(struct arena *keep, struct arena scratch);
 *
 *          base              at                    committed         end
 *          |-- given out ----|-- free, committed --|-- reserved only --|
 *
 *          The region is one reservation of address space, made in main (tools/
 *          common).  Pages are committed, in steps of ARENA_STEP, when they are
 *          first given out.  All copies of an arena share one `struct arena_mem`.
 * Source   Hanson 1990, "Fast allocation and deallocation of memory based on object
 *          lifetimes", Software: Practice and Experience 20(1).
 * Shapes   Every block is aligned to ARENA_ALIGN bytes (a cache line and a zmm
 *          register) and followed by a gap of the same size.  Builds with
 *          AddressSanitizer poison the gap, so that an overrun is caught as with malloc.
 * Errors   arena_take returns NULL when n * size overflows, when the region is
 *          full, or when the system refuses the commit.  Blocks are NOT cleared.
 *          Tests fill regions with 0xff, so that a float that was never written is NaN.
 * Threads  Two threads must not call these functions on arenas of one region at once.
 */
#ifndef UNCLIP_ARENA_H
#define UNCLIP_ARENA_H

#include <stddef.h>

#include "lib/base/span.h"

enum { ARENA_ALIGN = 64 };
#define ARENA_STEP ((size_t)2 << 20)    /* bytes; a huge page */

struct arena_mem {
    char *base;
    size_t reserved;     /* bytes of address space */
    size_t committed;    /* bytes that may be touched; never shrinks */
    size_t peak;         /* bytes given out at most, for -v and man pages */
    /* Make [at, at + n) usable: 0 or -1.  NULL when the whole region is usable already (tests). */
    int (*commit)(void *at, size_t n);
};

struct arena {
    char *at, *end;
    struct arena_mem *mem;
};

/* The whole region as one arena. */
struct arena arena_open(struct arena_mem *m);

/* n elements of `size` bytes, or NULL.  n * size == 0 gives a valid pointer. */
void *arena_take(struct arena *a, size_t n, size_t size);

/* As arena_take, filled with zero bytes. */
void *arena_zero(struct arena *a, size_t n, size_t size);

/* Make the block p of `old` bytes `new` bytes long, in place.  p must be the block that was
 * taken last from a.  0, or -1 when there is no room (p stays valid). */
int arena_grow(struct arena *a, void *p, size_t old, size_t new);

/* A copy of n bytes of s, with a NUL after them. */
char *arena_str(struct arena *a, const void *s, size_t n);

/* arena_str of a span; p is NULL when there is no room. */
struct span arena_span(struct arena *a, struct span s);

/* Cut n bytes off the end of a as a region of its own, for a buffer that grows in place
 * while other blocks are taken from a.  Pages of the part are committed when they are given
 * out.  0, or -1 when there is no room.  m must outlive the part. */
int arena_split(struct arena *a, size_t n, struct arena_mem *m, struct arena *part);

/* Bytes to cut off: the free bytes of a divided by `parts`, at most `most`, so that it works where memory is limited. */
size_t arena_share(const struct arena *a, size_t parts, size_t most);

/* Give a part back to a, from which it was cut off.  Only the part that was cut off last is taken back, and m is zero
 * then.  The contents of the part are lost; m may be zero already. */
void arena_join(struct arena *a, struct arena_mem *m);

#endif
