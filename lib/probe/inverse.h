/* inverse.h - the inverse of a symmetric positive definite matrix
 *
 * What     s = L L^T (Cholesky), then L^-1, then s^-1 = (L^-1)^T L^-1.  All inner loops run along rows.
 * Shapes   s [n, n] f64, rows first.  Only its lower triangle is read; both triangles of the inverse are written.
 * Errors   inverse_spd returns -1 if s is not positive definite.  s is then in an unspecified state.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_INVERSE_H
#define UNCLIP_INVERSE_H

#include <stddef.h>

/* Replace s by its inverse.  room has space for n numbers. */
int inverse_spd(size_t n, double *s, double *room);

#endif
