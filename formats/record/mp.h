/* mp.h - MessagePack: a walker over bytes that stay where they are, and a small encoder
 *
 * What     Reading: mp_item looks at one head, mp_walk passes over whole values.  Both
 *          touch heads only, so that a mapped file of pictures is walked without its
 *          pixels being read, and neither takes memory.  mp_walk can stop at the end of
 *          what has arrived and go on later at the same place: a value that comes through
 *          a pipe in n pieces costs one pass, not n.
 *          Writing: msgpack-c packs into a buffer that grows in an arena.
 * Source   The MessagePack specification (str, bin, ext; "new" spec of 2013).
 * Why      msgpack-c's unpacker is not used for reading: it copies each object into a zone
 *          from malloc and forgets the bytes it came from, while records are copied field
 *          by field, byte for byte.  It is the oracle in tests/unit/record.c.
 * Errors   Nothing is read beyond p + n, whatever the bytes say.  Malformed is: the byte
 *          0xc1, containers nested deeper than asked for, a float that is not finite.
 * Threads  No global state.
 */
#ifndef UNCLIP_MP_H
#define UNCLIP_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/span.h"
#include "lib/base/tensor.h"
#include "lib/base/utf8.h"

enum { MP_DEPTH = 32 };    /* containers inside each other, at most */

/* ---- reading ---- */

/* MP_UINT only above INT64_MAX: what fits is MP_INT. */
enum mp_kind {
    MP_NIL, MP_BOOL, MP_INT, MP_UINT, MP_FLOAT, MP_STR, MP_BIN, MP_EXT, MP_ARRAY, MP_MAP
};

struct mp_item {
    enum mp_kind kind;
    unsigned char head;     /* bytes before the payload; all of a nil, bool or number */
    signed char ext;        /* type of an ext */
    bool b;
    int64_t i;
    uint64_t u;             /* MP_INT >= 0, MP_UINT */
    double f;               /* MP_FLOAT */
    uint64_t n;             /* payload bytes; of MP_ARRAY elements, of MP_MAP pairs */
};

/* The item that starts at p: 1, 0 if its head is longer than n, -1 if it is none. */
int mp_item(const unsigned char *p, size_t n, struct mp_item *it);

struct mp_walk {
    size_t pos;             /* next head; beyond the end while inside a payload */
    uint64_t items;         /* heads passed, for those who meter work */
    unsigned depth, max;    /* containers open, and allowed */
    const char *why;        /* set with -1 */
    uint64_t left[MP_DEPTH + 1];
};

/* Prepare to pass over `count` values from pos on, nested up to max <= MP_DEPTH deep. */
void mp_walk_start(struct mp_walk *w, size_t pos, uint64_t count, unsigned max);

/* 1: passed, w->pos is behind them.  0: n bytes are not enough (call again with the same
 * bytes and more of them).  -1: malformed at w->pos, w->why says how. */
int mp_walk(struct mp_walk *w, const unsigned char *p, size_t n);

/* The first byte of the smallest form of such an item: what the encoder below writes. */
unsigned char mp_smallest(const struct mp_item *it);

/* The form of a first byte, as the specification calls it ("uint16", "fixstr"); the byte of
 * such a name from c0 to df, or -1. */
const char *mp_form_name(unsigned char first);
int mp_form(const char *name);

/* Bytes of the value at p, which is known to be whole and well-formed. */
size_t mp_size(const unsigned char *p, size_t n);

/* ---- writing: the smallest form of everything; floats as float64 ---- */

struct mp {                /* grows in an arena; what went wrong is latched in `full` */
    unsigned char *p;
    size_t n, cap;
    struct arena *a;
    bool full;
};

void mp_open(struct mp *m, struct arena *a);
void mp_map(struct mp *m, size_t n);    /* of n pairs, which must follow */
void mp_array(struct mp *m, size_t n);
void mp_text(struct mp *m, const void *s, size_t n);    /* str if UTF-8, else bin */
void mp_str(struct mp *m, const void *s, size_t n);
void mp_cstr(struct mp *m, const char *s);
void mp_bin(struct mp *m, const void *s, size_t n);
void mp_ext(struct mp *m, signed char type, const void *s, size_t n);
void mp_int(struct mp *m, int64_t v);
void mp_uint(struct mp *m, uint64_t v);
void mp_float(struct mp *m, double v);
void mp_bool(struct mp *m, bool v);
void mp_nil(struct mp *m);
void mp_raw(struct mp *m, struct span s);

/* A map whose pairs the caller does not count.  What is written between mp_map_begin and mp_map_end, which
 * takes what mp_map_begin returned, are keys and values in turn.  Such maps may be nested. */
size_t mp_map_begin(struct mp *m);
void mp_map_end(struct mp *m, size_t begin);

/* A tensor in the dialect of msgpack_numpy, from contiguous data of that type. */
void mp_tensor(struct mp *m, enum dtype dt, const void *data, int nd, const size_t *shape);

/* As mp_tensor up to the head of the data; n bytes of it must follow by mp_raw. */
void mp_tensor_head(struct mp *m, enum dtype dt, size_t n, int nd, const size_t *shape);

/* The type as numpy spells it ("<f4"); NULL for bf16, which has none there. */
const char *mp_dtype_name(enum dtype dt);
int mp_dtype(struct span name, enum dtype *dt);    /* 0, or -1 if it is none of ours */

/* What was written.  Check m->full first. */
struct span mp_span(const struct mp *m);

#endif
