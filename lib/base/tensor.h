/* tensor.h - named views of numbers that are stored elsewhere (a mapped file, a record)
 *
 * What     A tensor is a pointer, an element type, a shape and strides; it owns
 *          nothing.  A checkpoint is a table of named tensors.  formats/checkpoint fills
 *          it, and lib/net binds it to a network by name and shape (lib/layer/bind.h).
 * Source   The element types are those of safetensors; strides are those of torch.Tensor.
 * Legend   One set of letters for dimensions in all of lib/:
 *            N batch   T tokens   D model width   E embedding width   H heads
 *            F MLP width   C channels   Y X space   K steps of a sampler
 * Layout   Strides count elements and may be anything >= 0 (torch files hold
 *          transposed views and several tensors in one storage); data may be
 *          unaligned.  Readers therefore go through tensor_f32().
 * Errors   Sizes come from files.  Products of sizes go through tensor_count(), or were
 *          checked by the reader in formats/, which promises that every element
 *          of a view is inside the file.
 */
#ifndef UNCLIP_TENSOR_H
#define UNCLIP_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { TENSOR_DIMS = 8 };

enum dtype { DT_F32, DT_F16, DT_BF16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL };

struct tensor {
    enum dtype dtype;
    int nd;                       /* 0: a scalar */
    size_t shape[TENSOR_DIMS];
    size_t stride[TENSOR_DIMS];   /* in elements */
    const void *data;
};

/* Bytes of one element; its name as in safetensors ("F32"). */
size_t dtype_size(enum dtype d);
const char *dtype_name(enum dtype d);
bool dtype_is_float(enum dtype d);

/* Set C-order strides for nd and shape. */
void tensor_contiguous(struct tensor *t);
bool tensor_is_contiguous(const struct tensor *t);

/* *n: the number of elements.  0, or -1 if the product overflows. */
int tensor_count(const struct tensor *t, size_t *n);

/* The view with its two axes swapped; nd must be 2. */
struct tensor tensor_transposed(const struct tensor *t);

/* Rows [lo, hi) of the first axis; nd >= 1, lo <= hi <= shape[0]. */
struct tensor tensor_rows(const struct tensor *t, size_t lo, size_t hi);

/* Widen elements [lo, hi), counted in C order of the shape, to f32.  F16 and BF16 are
 * exact; F64 and the integers are rounded to nearest even. */
void tensor_f32(const struct tensor *t, size_t lo, size_t hi, float *out);

/* All elements as contiguous f32.  Data that is contiguous f32 and aligned to 4 bytes is returned
 * itself; other data is copied into a.  NULL when a is full. */
const float *tensor_all_f32(const struct tensor *t, struct arena *a);

float f16_f32(unsigned short h);
unsigned short f32_f16(float f);     /* nearest even; overflow to infinity */
float bf16_f32(unsigned short h);
unsigned short f32_bf16(float f);    /* nearest even; NaN stays NaN */

struct weight {
    const char *name;     /* NUL-terminated */
    struct tensor t;
    bool used;            /* set by weights_take */
};

/* A checkpoint's tensors, sorted by name with weights_sort; no name occurs twice. */
struct weights {
    struct weight *w;
    size_t n;
    struct packed *packed;    /* NULL, or the list of blocks that are packed from them (packed.h) */
};

/* Sort by name.  -1, naming the tensor, if a name occurs twice. */
int weights_sort(struct weights *ws, struct err *e);

/* The tensor of that name, or NULL. */
struct weight *weights_find(const struct weights *ws, const char *name);

/* Find the tensor, check its shape (nd sizes follow as size_t), mark it used and copy the view
 * to *out.  -1 with a message that names the tensor, its shape and the shape expected.  Integers
 * are refused by name: they are a quantised network's, and mean nothing without its scales. */
int weights_take(const struct weights *ws, const char *name, struct tensor *out, struct err *e,
                 int nd, ...);

#endif
