/* Debian's blis.h of the OpenMP flavour includes omp.h but uses nothing of omp.h.  The compiler finds this
 * file (-idirafter) where it has no omp.h of its own, such as clang without libomp-dev. */
