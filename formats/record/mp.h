/* mp.h - MessagePack: a walker over bytes that stay where they are, and a small encoder
 *
 * What     Reading: mp_item looks at one head, mp_walk passes over whole values.  Both
 *          touch heads only, so that walking over a mapped file of pictures does not read
 *          the pixels.  Neither takes memory.  mp_walk can stop where the bytes that have
 *          arrived end, and go on later at the same place, so that a value that comes
 *          through a pipe in n pieces costs one pass, not n.
 *          Writing: msgpack-c packs into a buffer that grows in an arena.
 * Source   The MessagePack specification (str, bin, ext; "new" spec of 2013).
 * Why      msgpack-c's unpacker is not used for reading.  It copies each object into memory
 *          from malloc and forgets the bytes, while records are copied byte for byte, field
 *          by field.  tests/unit/record.c compares the walker with that unpacker.
 * Errors   Nothing is read beyond p + n, whatever the bytes say.  Malformed are the byte
 *          0xc1, containers nested deeper than asked for, and floats that are not finite.
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

/* An integer above INT64_MAX is MP_UINT, every other one MP_INT. */
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

/* The item that starts at p.  1; 0 if its head is longer than n bytes; -1 if no item starts there. */
int mp_item(const unsigned char *p, size_t n, struct mp_item *it);

struct mp_walk {
    size_t pos;             /* next head; beyond the end while inside a payload */
    uint64_t items;         /* heads passed, for a caller that limits work */
    unsigned depth, max;    /* containers open, and allowed */
    const char *why;        /* set with -1 */
    uint64_t left[MP_DEPTH + 1];
};

/* Prepare to pass over `count` values from pos on, nested up to max <= MP_DEPTH deep. */
void mp_walk_start(struct mp_walk *w, size_t pos, uint64_t count, unsigned max);

/* 1: the values are passed, and w->pos is behind them.  0: n bytes are not enough; call again with these bytes and
 * more.  -1: the bytes at w->pos are malformed, and w->why says how. */
int mp_walk(struct mp_walk *w, const unsigned char *p, size_t n);

/* The first byte of the smallest form of such an item, which is the form that the encoder below writes. */
unsigned char mp_smallest(const struct mp_item *it);

/* The form of a first byte by the specification's name ("uint16", "fixstr").  mp_form gives the first byte, c0 to df,
 * of such a name, or -1. */
const char *mp_form_name(unsigned char first);
int mp_form(const char *name);

/* The length in bytes of the value at p, which must be whole and well-formed. */
size_t mp_size(const unsigned char *p, size_t n);

/* ---- writing: the smallest form of everything; floats as float64 ---- */

struct mp {                /* grows in an arena; `full` stays set once something did not fit */
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

/* mp_tensor without the data, of which n bytes must follow by mp_raw. */
void mp_tensor_head(struct mp *m, enum dtype dt, size_t n, int nd, const size_t *shape);

/* The type as numpy spells it ("<f4").  NULL for bf16, which numpy does not have. */
const char *mp_dtype_name(enum dtype dt);
int mp_dtype(struct span name, enum dtype *dt);    /* 0, or -1 for a type that enum dtype does not have */

/* The bytes written so far.  Check m->full first. */
struct span mp_span(const struct mp *m);

#endif
