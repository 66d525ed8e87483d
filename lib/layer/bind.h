/* bind.h - take a network's tensors from a checkpoint, each checked by name and shape
 *
 * What     A binder carries the checkpoint, the arena for packed weights and the first
 *          error, so that the code which binds a network reads as a list of its tensors.
 * Source   Weights are [out, in] and [out, in, rows, columns], as in torch.nn.Linear and torch.nn.Conv2d.
 * Errors   The first failure sets `bad`.  Every later call does nothing and returns NULL or a
 *          zero tensor.  The caller looks at `bad` once, at the end.
 * Memory   Blocks that the network keeps are taken from *keep; f32 tensors that need no packing stay where
 *          they are mapped.
 * Again    With a list ws->packed (packed.h), the blocks that are made here are noted in the list for a
 *          later binding, or found in the list of an earlier binding.  When blocks are found, no number of
 *          the checkpoint is read, except the numbers of bind_rows.  In this case functions that return
 *          tensors still return views, but the caller must not read the numbers of these views.
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
    char name[256];    /* the string that bind_name returned last */
};

/* Formats a tensor's name into b->name and returns b->name, which is valid until the next call. */
const char *bind_name(struct bind *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Returns memory for n elements of `size` bytes from *keep.  If the arena is full, sets `bad` and returns
 * NULL. */
void *bind_take(struct bind *b, size_t n, size_t size);

/* Return the tensor `name` as a view [n] or [n, k], in the type in which it is stored.  The functions read every
 * number of the tensor and refuse a number that is not finite. */
struct tensor bind_vector(struct bind *b, const char *name, size_t n);
struct tensor bind_matrix(struct bind *b, const char *name, size_t n, size_t k);

/* Returns a view as bind_matrix does, but does not read the numbers: for a large table of which few rows are used. */
struct tensor bind_rows(struct bind *b, const char *name, size_t n, size_t k);

/* bind_filters returns a view [co, ci, y, x] of a convolution's weights as they are stored.  bind_filter_rows returns
 * the weights as a matrix [co, ci * y * x]. */
struct tensor bind_filters(struct bind *b, const char *name, size_t co, size_t ci, size_t y, size_t x);
struct tensor bind_filter_rows(struct bind *b, const char *name, size_t co, size_t ci, size_t y,
                               size_t x);

/* Return the vector [n] or the matrix [n, k] `name` as contiguous f32. */
const float *bind_floats(struct bind *b, const char *name, size_t n);
const float *bind_table(struct bind *b, const char *name, size_t n, size_t k);

/* Sets `bad` if a number of the view t is not finite.  t was taken from the checkpoint by weights_take. */
void bind_check(struct bind *b, const char *name, const struct tensor *t);

/* Checks a view as bind_check does, and returns its numbers as contiguous f32. */
const float *bind_view(struct bind *b, const char *name, const struct tensor *t);

/* Returns sums [parts, n].  Each row of w [n, k] is cut into `parts` equal stretches, and each stretch is summed. */
const float *bind_sums(struct bind *b, const struct tensor *w, size_t parts);

/* Packs the matrices w[i], [n_i, k], one above the other into l, with their biases; bias may be NULL. */
void bind_parts(struct bind *b, struct linear *l, size_t parts, const struct tensor w[],
                const struct tensor bias[]);

/* Packs a convolution's weights [co, ci, side, side] into k, as conv_pack does. */
void bind_conv(struct bind *b, struct conv *k, const struct tensor *w, const float *scale, const float *bias,
               size_t stride, size_t pad);

/* Packs `name`.weight [n, k] and `name`.bias [n] into l. */
void bind_linear(struct bind *b, struct linear *l, const char *name, size_t n, size_t k);

/* Refuses a checkpoint in which a tensor was not used, for checkpoints that hold a single network.  The message names
 * the tensor and `network`. */
void bind_refuse_unused(struct bind *b, const char *network);

/* bind_gain returns the gain and bias of a LayerNorm, `name`.weight and `name`.bias, [n] each. */
struct gain { const float *g, *b; };
struct gain bind_gain(struct bind *b, const char *name, size_t n);

#endif
