/* panel.h - rows times one packed panel of weights
 *
 * What     The product that linear layers, convolution and attention share.  A stretch of a packed panel
 *          (kern.h) is multiplied by any number of rows, in tiles of the size that the kernel takes.
 * Source   Goto and van de Geijn 2008, doi:10.1145/1356052.1356053 (panels of packed weights).
 * Shapes   rows[i] points to k elements of kern->row; packed holds a panel's weights for k; c [m, n] has
 *          room for the panel, row stride ldc, a multiple of 16, aligned to 64 bytes.
 * Numbers  One element of c is a sum over equal pieces of k, in order, each of at most kern->depth.  It does
 *          not depend on m.
 */
#ifndef UNCLIP_PANEL_H
#define UNCLIP_PANEL_H

#include "lib/kernel/kern.h"

/* c = (add ? c : 0) + rows * packed.  k is a multiple of kern->group where rows hold bf16.  next: the packed
 * weights that are multiplied after these, for the prefetch, or NULL. */
void panel_times(const struct kern *kern, size_t m, size_t n, const void *const rows[], size_t k,
                 const char *packed, float *c, size_t ldc, bool add, const char *next);

/* Bytes of one panel's weights for a stretch of k, and of a packed [n, k]: all panels.  packed_bytes gives 0
 * where the product is too large.  kern->panel > 0. */
size_t panel_bytes(const struct kern *kern, size_t k);
size_t packed_bytes(const struct kern *kern, size_t n, size_t k);

#endif
