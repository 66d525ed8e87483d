/* Debian's blis.h of the OpenMP flavour includes omp.h but uses nothing of it.  This file is found (-idirafter)
 * where the compiler does not bring an omp.h, as clang without libomp-dev. */
