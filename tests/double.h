/* double.h - puts double in the place of float
 *
 * What     The Makefile includes this file before each file of the networks, for unit tests whose first line is
 *          "double" in a comment.  The C kernels and the networks are then compiled a second time, so that their
 *          formulas are compared with f64 numbers of a reference without the rounding of f32.
 *          DT_F32 means the type `float` there.  Tensors of a file are made DT_F64 before they are bound.
 */
#ifndef UNCLIP_DOUBLE
#define UNCLIP_DOUBLE

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef float single;    /* f32 itself */

#define float double
#define erff erf
#define expf exp
#define fabsf fabs
#define sqrtf sqrt
#define tanhf tanh

#endif
