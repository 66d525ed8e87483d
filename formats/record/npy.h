/* npy.h - numpy's .npy files
 *
 * What     A file begins with the byte 93, 'NUMPY', a version, the length of a text, and the text.  The text is
 *          a Python literal like {'descr': '<f4', 'fortran_order': False, 'shape': (1000, 768), }, padded with
 *          spaces and ended by a newline, so that the data starts at a multiple of 64.
 * Source   numpy's NEP 1; versions 1 (16-bit length), 2 and 3 (32-bit length).  Version 3 allows UTF-8, which only the
 *          names of structured types need.
 * Types    f2 f4 f8 i1 i2 i4 i8 u1 b1, each with < or | before it.  Other types are refused with an error that names
 *          the type: big-endian numbers, structured types, and objects, which are pickles.
 * Layout   For an array in Fortran order, the view gets other strides, so it has the shape and indices that numpy
 *          shows.
 * Errors   The literal is parsed, never evaluated.  Keys may stand in any order, in either kind of quotes.  The
 *          data must be exactly as long as type and shape say.
 * Threads  No state.
 */
#ifndef UNCLIP_NPY_H
#define UNCLIP_NPY_H

#include <stddef.h>

#include "lib/base/err.h"
#include "lib/base/tensor.h"

enum { NPY_HEAD = 256 };    /* the most bytes that npy_head writes */

/* Sets *t to a view of the array in p, the n bytes of a .npy file.  Returns 0 or -1. */
int npy_read(const unsigned char *p, size_t n, struct tensor *t, struct err *e);

/* Writes the head (version 1) of a .npy file of contiguous data.  Returns the length of the head, a multiple of 64, or
 * 0 for bf16.  The length does not depend on shape[0], so the caller can write the head again when the number of rows
 * is known. */
size_t npy_head(unsigned char head[NPY_HEAD], enum dtype dt, int nd, const size_t *shape);

/* Copies the elements of a view with any strides to out, in C order and with their type unchanged. */
void npy_copy(const struct tensor *t, void *out);

#endif
