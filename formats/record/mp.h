/* mp.h - MessagePack: a walker over bytes that stay where they are, and a small encoder
 *
 * What     Reading: mp_item decodes one head, which is the first bytes of an item: its kind and length, or the value of
 *          a number.  mp_walk skips whole values.  Both touch heads only, so walking over a mapped file of pictures
 *          does not read the pixels.  Neither function takes memory.  mp_walk can stop where the bytes that have
 *          arrived end, and go on later at that place, so a value that comes through a pipe in n pieces is walked once,
 *          not n times.
 *          Writing: msgpack-c packs into a buffer that grows in an arena.
 * Source   The MessagePack specification (str, bin, ext; "new" spec of 2013).
 * Why      msgpack-c's unpacker is not used for reading.  It copies each object into memory
 *          from malloc and forgets the bytes, while records are copied byte for byte, field
 *          by field.  tests/unit/record.c compares the walker with that unpacker.
 * Errors   Nothing is read beyond p + n, whatever the bytes say.  The byte 0xc1, containers nested deeper than the
 *          caller allows, and floats that are not finite count as malformed.
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

enum { MP_DEPTH = 32 };    /* the most containers that may be nested */

/* ---- reading ---- */

/* An integer above INT64_MAX has the kind MP_UINT.  Every other integer has the kind MP_INT, whether its encoding is
 * signed or not. */
enum mp_kind {
    MP_NIL, MP_BOOL, MP_INT, MP_UINT, MP_FLOAT, MP_STR, MP_BIN, MP_EXT, MP_ARRAY, MP_MAP
};

struct mp_item {
    enum mp_kind kind;
    unsigned char head;     /* bytes before the payload; for a nil, bool or number, all its bytes */
    signed char ext;        /* the type number of an MP_EXT */
    bool b;
    int64_t i;
    uint64_t u;             /* the value of an MP_UINT, or of an MP_INT >= 0 */
    double f;               /* the value of an MP_FLOAT */
    uint64_t n;             /* number of payload bytes, of elements of an MP_ARRAY, or of pairs of an MP_MAP */
};

/* Decodes the head of the item that starts at p.  Returns 1 on success, 0 if the head is longer than n bytes, or -1 if
 * no item starts with the byte *p. */
int mp_item(const unsigned char *p, size_t n, struct mp_item *it);

struct mp_walk {
    size_t pos;             /* offset of the next head; may be beyond the n bytes given if a payload is cut */
    uint64_t items;         /* number of heads read so far, for a caller that limits work */
    unsigned depth, max;    /* number of levels that are open, and the most containers that may be open */
    const char *why;        /* the error; set if mp_walk returns -1 */
    uint64_t left[MP_DEPTH + 1];    /* for each level, the number of values that are not skipped yet */
};

/* Prepares w to skip `count` values from offset pos on, which may be nested up to max <= MP_DEPTH deep. */
void mp_walk_start(struct mp_walk *w, size_t pos, uint64_t count, unsigned max);

/* Skips the values.  Returns 1 when all values are skipped; w->pos is then the offset after the last value.  Returns 0
 * if the values do not end within the n bytes: the caller calls again with these bytes and more.  Returns -1 if the
 * bytes at w->pos are malformed; w->why says how. */
int mp_walk(struct mp_walk *w, const unsigned char *p, size_t n);

/* Returns the first byte that the item has in its smallest encoding, which the encoder below writes. */
unsigned char mp_smallest(const struct mp_item *it);

/* mp_form_name returns the specification's name ("uint16", "fixstr") of the encoding that begins with the byte `first`.
 * mp_form returns the first byte, c0 to df, of the encoding with that name, or -1. */
const char *mp_form_name(unsigned char first);
int mp_form(const char *name);

/* Returns the length in bytes of the value at p, or 0 if the value is cut or malformed. */
size_t mp_size(const unsigned char *p, size_t n);

/* ---- writing: every value gets its smallest encoding, and a float is written as float64 ---- */

struct mp {                /* an output buffer that grows in an arena; `full` stays set once something did not fit */
    unsigned char *p;
    size_t n, cap;
    struct arena *a;
    bool full;
};

void mp_open(struct mp *m, struct arena *a);
void mp_map(struct mp *m, size_t n);    /* writes the head of a map; the caller then writes n pairs */
void mp_array(struct mp *m, size_t n);
void mp_text(struct mp *m, const void *s, size_t n);    /* writes a str if s is UTF-8, else a bin */
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

/* These two functions write a map whose pairs the caller does not count.  The caller writes keys and values in turn
 * between mp_map_begin and mp_map_end, and passes what mp_map_begin returned to mp_map_end.  Such maps may be
 * nested. */
size_t mp_map_begin(struct mp *m);
void mp_map_end(struct mp *m, size_t begin);

/* Writes a tensor in the dialect of msgpack_numpy, from contiguous data of type dt. */
void mp_tensor(struct mp *m, enum dtype dt, const void *data, int nd, const size_t *shape);

/* Writes what mp_tensor writes before the data.  The caller then writes the n bytes of data with mp_raw. */
void mp_tensor_head(struct mp *m, enum dtype dt, size_t n, int nd, const size_t *shape);

/* mp_dtype_name returns the type as numpy spells it ("<f4"), or NULL for bf16, which numpy does not have.  mp_dtype
 * finds the type of such a name. */
const char *mp_dtype_name(enum dtype dt);
int mp_dtype(struct span name, enum dtype *dt);    /* returns 0, or -1 if enum dtype does not have the type */

/* Returns the bytes written so far.  The caller checks m->full first. */
struct span mp_span(const struct mp *m);

#endif
