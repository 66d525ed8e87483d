/* json_record.h - a record as JSON and back, losing nothing
 *
 * What     {"unclip":1,"id":"photo.jpg","data":{"cos":0.25,"label":"a cat", ...}}, one line a record.
 *          What JSON can say is said plainly: nil, bools, numbers (an integer has neither point
 *          nor exponent, a float has one of them and the fewest digits that give it again),
 *          strings, arrays, and maps whose keys are distinct strings.  The rest is an object
 *          with one key that begins with $:
 *
 *          {"$bytes": base64}                             bin
 *          {"$nd": {"type": "<f4", "shape": [2, 3], "data": base64}}
 *                                                         a tensor as unclip writes it; reading,
 *                                                         data may be arrays of numbers too
 *          {"$ext": [type, base64]}                       ext
 *          {"$map": [[key, value], ...]}                  any other map
 *          {"$as": ["float32", 0.5]}                      not in the smallest form: the name of
 *                                                         the form, then the value (uint64 above
 *                                                         2^63 - 1: its digits as a string)
 *
 *          A record goes to JSON and back byte for byte, if the heads of its id and its data are
 *          the smallest; those are normalised.
 * Source   RFC 8259; reading through jansson (RFC 4648 for base64).
 * Errors   Reading: -1 with what is wrong; the result is checked like any record.
 * Memory   What grows (out, a) and scratch must not share a region.  Reading: jansson's tree,
 *          which is freed before json_read returns.
 * Threads  No state.
 */
#ifndef UNCLIP_JSON_RECORD_H
#define UNCLIP_JSON_RECORD_H

#include "formats/record/record.h"

enum { JSON_ARRAYS = 1 };    /* tensors as plain arrays of numbers: to be read, not to come back */

/* Append the record as a line, newline included. */
int json_write(struct mp *out, const struct record *r, unsigned flags, struct arena scratch,
               struct err *e);

/* Append one value. */
int json_write_value(struct mp *out, struct span val, unsigned flags, struct arena scratch,
                     struct err *e);

/* The shortest text that gives v again, as f64 or, with `single`, as f32: always with a point or
 * an exponent.  Returns its length; room for 32 characters. */
size_t json_float(char *s, double v, bool single);

/* Read one JSON object of n bytes. */
int json_read(struct record *r, const char *text, size_t n, struct arena *a, struct arena scratch,
              struct err *e);

#endif
