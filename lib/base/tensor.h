/* tensor.h - named views of numbers that are stored elsewhere (a mapped file, a record)
 *
 * What     A tensor is a pointer, an element type, a shape and strides, and owns no memory.  A
 *          checkpoint is a table of named tensors.  formats/checkpoint fills the table, and
 *          lib/net binds the tensors to a network by name and shape (lib/layer/bind.h).
 * Source   The element types are those of safetensors; strides are those of torch.Tensor.
 * Legend   One set of letters for dimensions in all of lib/:
 *            N batch   T tokens   D model width   E embedding width   H heads
 *            F MLP width   C channels   Y X space   K steps of a sampler
 * Layout   Strides count elements and may be anything >= 0 (torch files hold
 *          transposed views and several tensors in one storage); data may be
 *          unaligned.  Code that reads elements therefore calls tensor_f32().
 * Errors   Sizes come from files.  Products of sizes are computed with tensor_count(), or were
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

/* dtype_size returns the bytes of one element; dtype_name returns the type's name in safetensors ("F32"). */
size_t dtype_size(enum dtype d);
const char *dtype_name(enum dtype d);
bool dtype_is_float(enum dtype d);

/* Sets the strides of t to those of C order for its nd and shape. */
void tensor_contiguous(struct tensor *t);
bool tensor_is_contiguous(const struct tensor *t);

/* Writes the number of elements into *n.  Returns 0, or -1 if the product of the sizes overflows. */
int tensor_count(const struct tensor *t, size_t *n);

/* Returns a view of t with its two axes swapped; nd must be 2. */
struct tensor tensor_transposed(const struct tensor *t);

/* Returns a view of rows [lo, hi) of the first axis; nd >= 1, lo <= hi <= shape[0]. */
struct tensor tensor_rows(const struct tensor *t, size_t lo, size_t hi);

/* Writes elements [lo, hi), counted in C order of the shape, to out as f32.  F16 and BF16 are
 * converted exactly; F64 and the integers are rounded to nearest even. */
void tensor_f32(const struct tensor *t, size_t lo, size_t hi, float *out);

/* Returns all elements as contiguous f32.  If t->data is contiguous f32 and aligned to 4 bytes, the function returns
 * t->data; other data is converted into a block of the arena a.  Returns NULL if the arena is full. */
const float *tensor_all_f32(const struct tensor *t, struct arena *a);

float f16_f32(unsigned short h);
unsigned short f32_f16(float f);     /* rounds to nearest even; overflow gives infinity */
float bf16_f32(unsigned short h);
unsigned short f32_bf16(float f);    /* rounds to nearest even; NaN stays NaN */

struct weight {
    const char *name;     /* NUL-terminated */
    struct tensor t;
    bool used;            /* weights_take sets this to true */
};

/* A checkpoint's tensors, sorted by name with weights_sort; no name occurs twice. */
struct weights {
    struct weight *w;
    size_t n;
    struct packed *packed;    /* NULL, or the list of blocks packed from these tensors (packed.h) */
};

/* Sorts the tensors by name.  Returns 0, or -1 with a message that names the tensor if a name occurs twice. */
int weights_sort(struct weights *ws, struct err *e);

/* Returns the tensor called `name`, or NULL. */
struct weight *weights_find(const struct weights *ws, const char *name);

/* Finds the tensor `name`, compares its shape with the nd sizes that follow as arguments of type size_t,
 * marks the tensor as used and copies the view to *out.  Returns 0, or -1 with a message that names the
 * tensor, its shape and the expected shape.  Integer tensors are refused with a message of their own,
 * because such tensors belong to a quantised network and have no meaning without the scales of that
 * network. */
int weights_take(const struct weights *ws, const char *name, struct tensor *out, struct err *e,
                 int nd, ...);

#endif
