/* Debian's blis.h of the OpenMP flavour includes omp.h but uses nothing of it; this one is found
 * (-idirafter) where the compiler, as clang without libomp-dev, has none of its own. */
