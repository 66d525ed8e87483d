/* record.h - one record of a stream, unclip(5)
 *
 * What     A stream is MessagePack maps one after another, with nothing around them:
 *              {"unclip": 1, "id": str or bin, "data": {field: value, ...}}
 *          The keys stand in exactly this order, so that each record starts with the same
 *          12 bytes (RECORD_START), which no UTF-8 text contains.  In memory a record is a
 *          table of raw byte spans.  A field that a program does not change is copied byte
 *          for byte, a replaced field keeps its place, a new field goes last.
 * Source   unclip(5); the MessagePack specification; tensors in the dialect of
 *          Python's msgpack_numpy.
 * Tensors  {bin"nd": true, bin"type": "<f4", bin"kind": bin"", bin"shape": [..],
 *          bin"data": bin}, little-endian, C order; data is unaligned in the buffer.
 *          Str keys, any order of keys and {nd: false} scalars are read, too.
 * Errors   A record is checked whole before it is handed out: well-formed MessagePack, depth <= MP_DEPTH, field names
 *          that are UTF-8 and occur once, only finite numbers, a known version.  A getter returns 1 for a field that it
 *          found and 0 for an absent one.  It returns -1 if the field is of another type or malformed; err then names
 *          the field.  Elements of tensors are checked when they are used: record_floats refuses elements that are not
 *          finite.
 * Memory   Spans point into the reader's buffer or the arena given; they live until the
 *          next record is read.  A function that changes a record takes memory from the record's own arena.
 *          So a function that changes a record gets that arena by pointer.  A copy of the arena by value is
 *          for scratch, and only while nothing changes the record.
 * Numbers  record_parse touches the heads only.  It takes 0.15 us for a record with one vector, whatever the
 *          vector's width.
 * Threads  No global state.
 */
#ifndef UNCLIP_RECORD_H
#define UNCLIP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/io/file_stamp.h"
#include "formats/record/mp.h"
#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/tensor.h"

#define RECORD_START "\x83\xa6unclip\x01\xa2id"
enum {
    RECORD_START_LEN = 12,
    RECORD_FIELDS = 1024,     /* the most fields that one record may have */
    RECORD_ID_MAX = 255       /* the most bytes of an id that record_id makes */
};

struct field {
    struct span key;          /* the characters, without the MessagePack head */
    struct span val;          /* the whole MessagePack value, head included */
    unsigned char key_head;   /* length of the key's MessagePack head, which ends at key.p */
};

struct record {
    struct span id;       /* the id's characters, without the MessagePack head */
    bool id_bin;          /* the id is written as bin, because it is not valid UTF-8 */
    struct field *field;  /* [nfield], in stream order */
    size_t nfield, cap;
    struct arena *a;      /* the arena given when the record was read or made; setters take memory from it */
};

/* ---- reading one record from memory ---- */

/* Parses the record at p.  If the record is whole, returns 1 and sets *used to the record's length in bytes.  Returns 0
 * if the n bytes are only the beginning of a record, and -1 if they are malformed; err says why. */
int record_parse(struct record *r, const unsigned char *p, size_t n, size_t *used,
                 struct arena *a, struct err *e);

/* Returns the first offset at or after `from` at which the n bytes contain RECORD_START, or n if they do not. */
size_t record_find_start(const unsigned char *p, size_t n, size_t from);

/* Makes `to` a copy of `from` whose table of fields is in the arena a.  The values are not copied. */
int record_copy(struct record *to, const struct record *from, struct arena *a, struct err *e);

/* Makes `to` a copy of `from` whose table of fields and bytes are both in the arena a.  `to` stays valid when the
 * reader of `from` goes on. */
int record_clone(struct record *to, const struct record *from, struct arena *a, struct err *e);

/* ---- getting fields; key is a C string ---- */

bool record_has(const struct record *r, const char *key);
int record_raw(const struct record *r, const char *key, struct span *val);
int record_str(const struct record *r, const char *key, struct span *s, struct err *e);    /* takes str or bin */
int record_int(const struct record *r, const char *key, int64_t *v, struct err *e);
int record_float(const struct record *r, const char *key, double *v, struct err *e);       /* takes int or float */
int record_ints(const struct record *r, const char *key, int64_t **v, size_t *n, struct arena *a,
                struct err *e);                                                             /* array of int, or 1-D tensor */
/* Sets *t to a view of the tensor in the field.  Its data may be unaligned.  Its shape agrees with the length of its
 * data. */
int record_tensor(const struct record *r, const char *key, struct tensor *t, struct err *e);
/* Does what record_tensor does, for the encoded value `val`.  Error messages call the field `name`. */
int record_tensor_of(struct span val, const char *name, struct tensor *t, struct err *e);
/* Converts the field, a one-dimensional tensor of f32, f16 or f64, to *n finite f32 in the arena a. */
int record_floats(const struct record *r, const char *key, const float **v, size_t *n,
                  struct arena *a, struct err *e);

/* Does what record_floats does, for a tensor of any type and shape. */
int record_numbers(const struct record *r, const char *key, const float **v, size_t *n,
                   struct arena *a, struct err *e);

/* Returns the string in the field `root` if the record has it, else the id. */
struct span record_root(const struct record *r);

/* Finds the string under the key `sub` in the map that is field `key`.  For example,
 * record_sub_str(r, "model", "image_embed", ...) finds the fingerprint of the model that made image_embed. */
int record_sub_str(const struct record *r, const char *key, const char *sub, struct span *s,
                   struct err *e);

/* ---- setting fields: replaced in place or added last ----
 *
 * A setter returns -1 when memory is out, when the record would have more than RECORD_FIELDS fields, or when the value
 * cannot be written (a float that is not finite, 4 GiB or more). */

/* Makes a record without fields.  The id is not copied. */
int record_new(struct record *r, struct span id, bool id_bin, struct arena *a, struct err *e);
int record_set_id(struct record *r, struct span id, bool id_bin, struct err *e);
/* val is one whole MessagePack value.  record_set_raw does not copy it: it must live as long as the record. */
int record_set_raw(struct record *r, const char *key, struct span val, struct err *e);
int record_set_text(struct record *r, const char *key, struct span s, struct err *e);   /* str if UTF-8, else bin */
int record_set_int(struct record *r, const char *key, int64_t v, struct err *e);
int record_set_float(struct record *r, const char *key, double v, struct err *e);
int record_set_bool(struct record *r, const char *key, bool v, struct err *e);
int record_set_ints(struct record *r, const char *key, const int64_t *v, size_t n, struct err *e);
int record_set_floats(struct record *r, const char *key, const double *v, size_t n, struct err *e);      /* array */
int record_set_texts(struct record *r, const char *key, const struct span *v, size_t n, struct err *e);  /* array */
/* For DT_F32 and DT_F16, data is f32 and must be finite after rounding to dt.  For other types, data is of type dt. */
int record_set_tensor(struct record *r, const char *key, enum dtype dt, const void *data, int nd,
                      const size_t *shape, struct err *e);
int record_set_sub_text(struct record *r, const char *key, const char *sub, struct span s,
                        struct err *e);                      /* sets the entry `sub` of the map in the field `key` */
void record_drop(struct record *r, const char *key);
int record_drop_sub(struct record *r, const char *key, const char *sub, struct err *e);    /* drops the entry `sub` of that map */
int record_drop_made(struct record *r, const char *key, struct err *e);    /* drops its entry in the field `model`, too */
void record_keep(struct record *r, const struct span *key, size_t n);    /* drops all other fields */
/* Renames the field `from`, which keeps its place, to `to`.  A field that was called `to` before is dropped.  The entry
 * `from` in the field `model` is renamed, too.  Does nothing if the record has no field `from`. */
int record_rename(struct record *r, const char *from, const char *to, struct err *e);

/* Appends the pair [program, map] to the field `params`.  map is an encoded MessagePack map (mp.h). */
int record_add_params(struct record *r, const char *program, struct span map, struct err *e);

/* Finds the last pair [program, map] of `program` in an encoded `params` array.  Returns 1, or 0 if there is
 * no such pair. */
int mp_last_pair(struct span params, const char *program, struct span *map);

/* ---- writing ---- */

/* Encodes the whole record as contiguous bytes in the arena a. */
int record_encode(const struct record *r, struct span *out, struct arena *a, struct err *e);

/* ---- ids ---- */

/* Makes the id for a name or text, which is the text itself.  If the text is longer than RECORD_ID_MAX bytes, the id is
 * its first 200 bytes (cut at a character), an ellipsis (U+2026) and the 16 hex digits of the text's XXH64.  Sets *bin
 * to whether the id is not UTF-8. */
int record_id(struct span text, struct span *id, bool *bin, struct arena *a, struct err *e);

/* Makes the id for --id content, which is the 32 hex digits of the XXH128 of the n bytes. */
int record_content_id(const void *p, size_t n, struct span *id, struct arena *a, struct err *e);

/* ---- records of files ---- */

/* Makes the record of a file.  Its id is `hash`, or the file's name if `hash` is NULL.  If the id differs from the
 * name, the field `path` holds the name.  If the stamp is known, the fields `size` and `mtime` hold it. */
int record_of_file(struct record *r, const char *name, const char *hash, const struct file_stamp *stamp, struct arena *a,
                   struct err *e);

/* Sets the fields that the record of a picture in an archive has besides: `archive`, the name of the archive, and `text`,
 * the caption of the picture.  A field is left out if its value is NULL or "". */
int record_set_member(struct record *r, const char *archive, const char *caption, struct err *e);

/* Returns the fields `size` and `mtime`.  The stamp is not known if the record lacks one of them. */
struct file_stamp record_stamp(const struct record *r);

/* Returns whether the record's id was made with --id content.  Such an id depends on the file's
 * bytes, and not on its name or its stamp. */
bool record_by_content(const struct record *r);

/* Returns a name for messages to people: the record's id, or its path if the id was made with --id content. */
struct span record_name(const struct record *r);

#endif
