/* double */
/* tests/unit/clip_grad.c with double in the place of float (tests/double.h): the gradients within 1e-11. */
#include "tests/unit/clip_grad.c"
