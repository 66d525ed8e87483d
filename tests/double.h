/* double.h - puts double in the place of float
 *
 * What     The Makefile includes this file before each file of the networks, for unit tests whose first line is
 *          "double" in a comment.  For these tests, the C kernels and the networks are compiled a second time, so their
 *          formulas can be compared with f64 numbers of a reference without the rounding of f32.
 *          In files that are compiled so, DT_F32 means the type `float`, which is double.  Tensors of a file are made
 *          DT_F64 before they are bound.
 */
#ifndef UNCLIP_DOUBLE
#define UNCLIP_DOUBLE

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef float single;    /* f32 itself, because `float` means double from here on */

#define float double
#define erff erf
#define expf exp
#define fabsf fabs
#define sqrtf sqrt
#define tanhf tanh

#endif
