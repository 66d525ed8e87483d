/* json_record.h - a record as JSON and back, losing nothing
 *
 * What     {"unclip":1,"id":"photo.jpg","data":{"cos":0.25,"label":"a cat", ...}}, one line for each record.  Nil,
 *          bools, numbers, strings, arrays, and maps whose keys are distinct strings are written as in JSON.  An
 *          integer has neither point nor exponent.  A float has one of them, and the fewest digits that give the same
 *          float when they are read.  Everything else is an object with one key that begins with $:
 *
 *          {"$bytes": base64}                             bin
 *          {"$nd": {"type": "<f4", "shape": [2, 3], "data": base64}}
 *                                                         a tensor as unclip writes it; json_read
 *                                                         takes arrays of numbers as data, too
 *          {"$ext": [type, base64]}                       ext
 *          {"$map": [[key, value], ...]}                  any other map
 *          {"$as": ["float32", 0.5]}                      a value that is not in its smallest encoding: the
 *                                                         name of its encoding, and the value (a uint64
 *                                                         above 2^63 - 1 as a string of digits)
 *
 *          A record comes back from JSON byte for byte, except that its id and its data get the smallest heads.
 * Source   RFC 8259; reading through jansson (RFC 4648 for base64).
 * Errors   json_read returns -1, and err says what is wrong.  record_parse checks the record that it made.
 * Memory   The arena `scratch` must not share a region with `out` or the arena `a`, which grow.  json_read frees
 *          jansson's tree before it returns.
 * Threads  No state.
 */
#ifndef UNCLIP_JSON_RECORD_H
#define UNCLIP_JSON_RECORD_H

#include "formats/record/record.h"

enum { JSON_ARRAYS = 1 };    /* flag: write each tensor as plain arrays of numbers, without type and shape */

/* Appends the record to out as a line of JSON, newline included.  flags: JSON_ARRAYS or 0. */
int json_write(struct mp *out, const struct record *r, unsigned flags, struct arena scratch,
               struct err *e);

/* Appends the encoded MessagePack value `val` to out as JSON. */
int json_write_value(struct mp *out, struct span val, unsigned flags, struct arena scratch,
                     struct err *e);

/* Writes into s the shortest text that gives v again when it is read as f64, or as f32 if `single` is set.  The text
 * has a point or an exponent.  Returns the length of the text.  The caller gives s room for 32 characters. */
size_t json_float(char *s, double v, bool single);

/* Parses the n bytes of text, one JSON object, into the record r. */
int json_read(struct record *r, const char *text, size_t n, struct arena *a, struct arena scratch,
              struct err *e);

#endif
