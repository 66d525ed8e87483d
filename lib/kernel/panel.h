/* panel.h - rows times one packed panel of weights
 *
 * What     panel_times computes the product that linear layers, convolution and attention share.  It multiplies any
 *          number of rows by a stretch of a packed panel (kern.h), in tiles of the size that the kernel takes.
 * Source   Goto and van de Geijn 2008, doi:10.1145/1356052.1356053 (panels of packed weights).
 * Shapes   rows[i] points to k elements of type kern->row.  `packed` holds k rows of the weights of one panel.  c
 *          is [m, n] and aligned to 64 bytes.  Its row stride ldc is a multiple of 16, and each row has room for
 *          kern->panel columns.
 * Numbers  An element of c is a sum over equal pieces of k, in order, each of at most kern->depth.  The sum
 *          does not depend on m.
 */
#ifndef UNCLIP_PANEL_H
#define UNCLIP_PANEL_H

#include "lib/kernel/kern.h"

/* Computes c = (add ? c : 0) + rows * packed.  k must be a multiple of kern->group if rows hold bf16.  `next` is NULL,
 * or points to the packed weights that the caller will multiply next; the function prefetches these weights. */
void panel_times(const struct kern *kern, size_t m, size_t n, const void *const rows[], size_t k,
                 const char *packed, float *c, size_t ldc, bool add, const char *next);

/* panel_bytes returns the bytes of one panel's weights for a stretch of k.  packed_bytes returns the bytes of all
 * panels of a matrix [n, k], or 0 if the number is too large.  kern->panel must be > 0. */
size_t panel_bytes(const struct kern *kern, size_t k);
size_t packed_bytes(const struct kern *kern, size_t n, size_t k);

/* Writes elements [j0, j1) of column i of the packed matrix [n, k] to out as f32, as rounded by packing. */
void panel_column(const struct kern *kern, const void *packed, size_t k, size_t i, size_t j0, size_t j1, float *out);

#endif
