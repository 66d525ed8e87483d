/* panel.h - rows times one packed panel of weights
 *
 * What     What linear, convolution and attention have in common: a stretch of a packed panel
 *          (kern.h) is multiplied by any number of rows, cut into tiles that the kernel takes.
 * Shapes   rows[i] points to k elements (k->elem_a bytes each); packed [k][panel]; c [m, n] with
 *          room for the panel, row stride ldc, a multiple of 16, aligned to 64 bytes.
 * Numbers  One element of c is a sum over k in equal pieces of at most k->depth, in order,
 *          whatever m is.
 */
#ifndef UNCLIP_PANEL_H
#define UNCLIP_PANEL_H

#include "lib/kernel/kern.h"

/* c = (add ? c : 0) + rows * packed.  k is even if elem_a is 2.  `next`: what is multiplied after
 * this, for the prefetch, or NULL. */
void panel_times(const struct kern *kern, size_t m, size_t n, const void *const rows[], size_t k,
                 const char *packed, float *c, size_t ldc, bool add, const char *next);

/* Packed bytes of one panel's stretch of k. */
size_t panel_bytes(const struct kern *kern, size_t k);

#endif
