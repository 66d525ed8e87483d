/* safetensors.h - read a safetensors file
 *
 * What     The file has 8 bytes of little-endian N; N bytes of JSON, name -> {"dtype", "shape",
 *          "data_offsets": [begin, end]}; then the data, in C order, little-endian.
 * Source   huggingface/safetensors @24b0b28 (format text, and what its validation refuses).
 * Checks   N is at most 100,000,000, and the header is inside the file.  The header is strict JSON that begins with
 *          "{", and its integers are plain and non-negative.  __metadata__ maps strings to strings, or is null.  end -
 *          begin is the product of the shape times the size of the type.  Sorted by offset, the tensors tile the data
 *          exactly, without hole, overlap or rest.
 * Errors   The functions return -1, and err names the tensor or the byte that breaks a rule.  Types that no network
 *          here reads (F8, U16, C64, ...) and names with control characters are refused too.  NaN and Inf are allowed.
 * Memory   The tensors are views of p; their names and the table come from the arena.
 */
#ifndef UNCLIP_SAFETENSORS_H
#define UNCLIP_SAFETENSORS_H

#include <jansson.h>

#include "lib/base/tensor.h"

/* Returns whether p looks like a safetensors file.  The length of the header must fit, and the header must begin with
 * "{". */
bool safetensors_sniff(const unsigned char *p, size_t n);

/* Read the table of tensors of the file p into ws, sorted by name. */
int safetensors_read(struct weights *ws, const unsigned char *p, size_t n, struct arena *a,
                     struct err *e);

/* Sets *metadata to a JSON object of the strings in __metadata__.  A file without __metadata__ gives an empty object.
 * The caller frees *metadata with json_decref. */
int safetensors_metadata(const unsigned char *p, size_t n, json_t **metadata, struct err *e);

#endif
