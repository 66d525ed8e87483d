/* The blis.h of Debian's OpenMP flavour of BLIS includes omp.h but uses nothing of omp.h.  A compiler that has no omp.h
 * of its own, such as clang without libomp-dev, finds this file instead (-idirafter). */
