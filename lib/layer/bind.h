/* bind.h - take a network's tensors from a checkpoint, each checked by name and shape
 *
 * What     A binder carries the checkpoint, the arena for packed weights and the first
 *          error, so that the code which binds a network reads as a list of its tensors.
 * Source   Weights are [out, in] and [out, in, rows, columns], as in torch.nn.Linear and torch.nn.Conv2d.
 * Errors   Sticky: after the first failure every call does nothing and returns NULL or a
 *          zero tensor.  The caller looks at `bad` once, at the end.
 * Memory   Blocks that stay are taken from *keep; f32 tensors that need no packing stay mapped.
 * Again    With ws->packed (packed.h), blocks that are made here are noted for a later binding, or found
 *          where an earlier binding noted them.  When they are found, no number of the checkpoint is read,
 *          except those of bind_rows.  Functions that return tensors return views then too, but their
 *          numbers must not be read.
 */
#ifndef UNCLIP_BIND_H
#define UNCLIP_BIND_H

#include "lib/layer/conv.h"
#include "lib/layer/linear.h"

struct bind {
    const struct weights *ws;
    const struct compute *c;
    struct arena *keep;
    struct err *e;
    bool bad;
    char name[256];    /* the last result of bind_name */
};

/* Format a tensor's name into b->name and return it.  It is valid until the next call. */
const char *bind_name(struct bind *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Memory that stays. */
void *bind_take(struct bind *b, size_t n, size_t size);

/* The tensor `name` as a view [n] or [n, k], as it is stored.  Every number in it is read, and a
 * number that is not finite is refused. */
struct tensor bind_vector(struct bind *b, const char *name, size_t n);
struct tensor bind_matrix(struct bind *b, const char *name, size_t n, size_t k);

/* As bind_matrix, but the numbers are not read: for a large table of which few rows are used. */
struct tensor bind_rows(struct bind *b, const char *name, size_t n, size_t k);

/* The weights of a convolution as they are stored, and as a matrix [co, ci * y * x]. */
struct tensor bind_filters(struct bind *b, const char *name, size_t co, size_t ci, size_t y, size_t x);
struct tensor bind_filter_rows(struct bind *b, const char *name, size_t co, size_t ci, size_t y,
                               size_t x);

/* Vectors and matrices as contiguous f32. */
const float *bind_floats(struct bind *b, const char *name, size_t n);
const float *bind_table(struct bind *b, const char *name, size_t n, size_t k);

/* Refuse a number that is not finite in a view that was taken from the checkpoint by weights_take. */
void bind_check(struct bind *b, const char *name, const struct tensor *t);

/* Check a view as bind_check does, and return it as contiguous f32. */
const float *bind_view(struct bind *b, const char *name, const struct tensor *t);

/* The sums [parts, n] of each row of w [n, k], cut into `parts` equal stretches. */
const float *bind_sums(struct bind *b, const struct tensor *w, size_t parts);

/* Pack parts [n_i, k] with their biases (or NULL) into l. */
void bind_parts(struct bind *b, struct linear *l, size_t parts, const struct tensor w[],
                const struct tensor bias[]);

/* Pack a convolution's weights [co, ci, side, side], as conv_pack does. */
void bind_conv(struct bind *b, struct conv *k, const struct tensor *w, const float *scale, const float *bias,
               size_t stride, size_t pad);

/* `name`.weight [n, k] and `name`.bias [n] */
void bind_linear(struct bind *b, struct linear *l, const char *name, size_t n, size_t k);

/* Refuse a checkpoint of one whole `network` that holds a tensor which was not used; the message names it. */
void bind_refuse_unused(struct bind *b, const char *network);

/* Gain and bias of a LayerNorm: `name`.weight and `name`.bias, [n] */
struct gain { const float *g, *b; };
struct gain bind_gain(struct bind *b, const char *name, size_t n);

#endif
