/* record.h - one record of a stream, unclip(5)
 *
 * What     A stream is MessagePack maps one after another, nothing around them:
 *              {"unclip": 1, "id": str or bin, "data": {field: value, ...}}
 *          in exactly this order, so that each record starts with the same 12 bytes
 *          (RECORD_START), which no UTF-8 text contains.  Here a record is a table of
 *          raw byte spans: what a program does not change it copies byte for byte, a
 *          replaced field keeps its place, new ones go last.
 * Source   unclip(5); the MessagePack specification; tensors in the dialect of
 *          Python's msgpack_numpy.
 * Tensors  {bin"nd": true, bin"type": "<f4", bin"kind": bin"", bin"shape": [..],
 *          bin"data": bin}, little-endian, C order; data is unaligned in the buffer.
 *          Str keys, any order of keys and {nd: false} scalars are read too.
 * Errors   A record is checked whole before it is handed out: well-formed MessagePack,
 *          depth <= MP_DEPTH, field names that are UTF-8 and occur once, no number that is
 *          not finite, no unknown version.  Getters return 1 found, 0 absent, -1 present
 *          but of another type or malformed (err says so, naming the field).  Elements of
 *          tensors are looked at when they are used: record_floats refuses what is not
 *          finite.
 * Memory   Spans point into the reader's buffer or the arena given; they live until the
 *          next record is read.  A function that changes a record takes memory from the record's own arena.
 *          So whoever works on a record hands that arena on by pointer; a copy of it by value is for scratch,
 *          and only while nothing changes the record.
 * Numbers  record_parse touches the heads only: 0.15 us for a record with a 768-wide vector,
 *          whatever its width.
 * Threads  No global state.
 */
#ifndef UNCLIP_RECORD_H
#define UNCLIP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/record/mp.h"
#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/tensor.h"

#define RECORD_START "\x83\xa6unclip\x01\xa2id"
enum {
    RECORD_START_LEN = 12,
    RECORD_FIELDS = 1024,     /* at most, in one record */
    RECORD_ID_MAX = 255       /* bytes of an id that record_id makes */
};

struct field {
    struct span key;          /* the characters, without the MessagePack head */
    struct span val;          /* the whole MessagePack value, head included */
    unsigned char key_head;   /* bytes of the key's head, which lies before key.p */
};

struct record {
    struct span id;       /* the characters */
    bool id_bin;          /* written as bin: not valid UTF-8 */
    struct field *field;  /* [nfield], in stream order */
    size_t nfield, cap;
    struct arena *a;      /* what the record was read or made with; setters take encoded values and longer tables from it */
};

/* ---- reading one record from memory ---- */

/* Parse the record at p.  1: parsed, *used bytes long.  0: p holds a valid beginning but n
 * bytes are not enough.  -1: this is not a record (err says why). */
int record_parse(struct record *r, const unsigned char *p, size_t n, size_t *used,
                 struct arena *a, struct err *e);

/* The first place at or after `from` where RECORD_START lies whole, or n if none. */
size_t record_find_start(const unsigned char *p, size_t n, size_t from);

/* A record with a table of fields of its own in a.  The values stay where they are. */
int record_copy(struct record *to, const struct record *from, struct arena *a, struct err *e);

/* A record whose bytes, too, are copied to a.  It stays when the reader of `from` goes on. */
int record_clone(struct record *to, const struct record *from, struct arena *a, struct err *e);

/* ---- getting fields; key is a C string ---- */

bool record_has(const struct record *r, const char *key);
int record_raw(const struct record *r, const char *key, struct span *val);
int record_str(const struct record *r, const char *key, struct span *s, struct err *e);    /* str or bin */
int record_int(const struct record *r, const char *key, int64_t *v, struct err *e);
int record_float(const struct record *r, const char *key, double *v, struct err *e);       /* int or float */
int record_ints(const struct record *r, const char *key, int64_t **v, size_t *n, struct arena *a,
                struct err *e);                                                             /* array of int, or 1-D tensor */
/* A tensor as a view; data may be unaligned.  Shape and data length agree. */
int record_tensor(const struct record *r, const char *key, struct tensor *t, struct err *e);
/* The same of any value; messages call it `name`. */
int record_tensor_of(struct span val, const char *name, struct tensor *t, struct err *e);
/* A one-dimensional f32/f16/f64 tensor widened to finite f32 in a; *n elements. */
int record_floats(const struct record *r, const char *key, const float **v, size_t *n,
                  struct arena *a, struct err *e);

/* A tensor of any type and shape, likewise. */
int record_numbers(const struct record *r, const char *key, const float **v, size_t *n,
                   struct arena *a, struct err *e);

/* The field `root` where present, else the id. */
struct span record_root(const struct record *r);

/* The string in map field `key` under `sub`: model fingerprints, for example
 * record_sub_str(r, "model", "image_embed", ...). */
int record_sub_str(const struct record *r, const char *key, const char *sub, struct span *s,
                   struct err *e);

/* ---- setting fields: replaced in place or added last ----
 *
 * -1 when memory is out, when there would be more than RECORD_FIELDS of them, or when a value
 * cannot be written (a float that is not finite, 4 GiB and more). */

/* The span of an id is not copied either. */
int record_new(struct record *r, struct span id, bool id_bin, struct arena *a, struct err *e);
int record_set_id(struct record *r, struct span id, bool id_bin, struct err *e);
/* val is one whole MessagePack value; it is not copied and must live as long as the record. */
int record_set_raw(struct record *r, const char *key, struct span val, struct err *e);
int record_set_text(struct record *r, const char *key, struct span s, struct err *e);   /* str if UTF-8, else bin */
int record_set_int(struct record *r, const char *key, int64_t v, struct err *e);
int record_set_float(struct record *r, const char *key, double v, struct err *e);
int record_set_bool(struct record *r, const char *key, bool v, struct err *e);
int record_set_ints(struct record *r, const char *key, const int64_t *v, size_t n, struct err *e);
int record_set_floats(struct record *r, const char *key, const double *v, size_t n, struct err *e);      /* array */
int record_set_texts(struct record *r, const char *key, const struct span *v, size_t n, struct err *e);  /* array */
/* dt F32, F16: data holds f32, all finite after rounding to dt.  Other types: data as it is. */
int record_set_tensor(struct record *r, const char *key, enum dtype dt, const void *data, int nd,
                      const size_t *shape, struct err *e);
int record_set_sub_text(struct record *r, const char *key, const char *sub, struct span s,
                        struct err *e);                      /* model[sub] = s */
void record_drop(struct record *r, const char *key);
void record_keep(struct record *r, const struct span *key, size_t n);    /* and drop all others */
/* The field keeps its place; one that was called `to` is dropped.  The fingerprint in `model`
 * moves along.  Nothing happens where there is no `from`. */
int record_rename(struct record *r, const char *from, const char *to, struct err *e);

/* Append [program, {..}] to params.  map is an encoded MessagePack map (mp.h). */
int record_add_params(struct record *r, const char *program, struct span map, struct err *e);

/* The map of the last pair of that program in an encoded params array: 1, or 0. */
int mp_last_pair(struct span params, const char *program, struct span *map);

/* ---- writing ---- */

/* The whole record as contiguous bytes in a. */
int record_encode(const struct record *r, struct span *out, struct arena *a, struct err *e);

/* ---- ids ---- */

/* The id for a name or text: itself, or if longer than RECORD_ID_MAX bytes its first 200
 * (cut at a character), an ellipsis (U+2026) and 16 hex digits of its XXH64. */
int record_id(struct span text, struct span *id, bool *bin, struct arena *a, struct err *e);

/* The record of a file.  Its id is the file's name, or the hash where that is not NULL; `path` where they differ. */
int record_of_file(struct record *r, const char *name, const char *hash, struct arena *a, struct err *e);

/* --id content: 32 hex digits of the XXH128 of n bytes. */
int record_content_id(const void *p, size_t n, struct span *id, struct arena *a, struct err *e);

#endif
