/* eigen.h - the eigenvectors of a symmetric matrix
 *
 * What     Computes w and V with s = V^T diag(w) V by Householder reflections to a tridiagonal matrix, then
 *          implicit QR steps with Wilkinson's shift.  Reflections and rotations are applied to the rows of V as well.
 * Source   Golub and Van Loan, Matrix Computations (4th ed., 2013), algorithms 8.3.1 and 8.3.2.
 * Shapes   s [n, n] f64, symmetric, destroyed; w [n], unsorted; v [n, n], where row i is the eigenvector for w[i] and
 *          has length one; work [2 n].
 * Numbers  Residual |s v_i - w_i v_i| within 1.5e-14 of the largest |w| (observed 3.8e-15), rows
 *          orthonormal within 4.8e-14 (observed 1.2e-14), both at n = 768.
 * Errors   eigen_symmetric returns -1 if it does not converge (never seen) or if a number is not finite.
 * Work     About 6 n^3 operations; all inner loops run along rows.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_EIGEN_H
#define UNCLIP_EIGEN_H

#include <stddef.h>

int eigen_symmetric(size_t n, double *s, double *w, double *v, double *work);

#endif
