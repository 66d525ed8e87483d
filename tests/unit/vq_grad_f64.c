/* double */
/* tests/unit/vq_grad.c with double in the place of float (tests/double.h): the gradients within 7e-15. */
#include "tests/unit/vq_grad.c"
