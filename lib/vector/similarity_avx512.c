/* similarity_avx512.c - AVX-512F */
#ifdef __AVX512F__

#define VD 8
#include "lib/vector/sim_vec.inc"

const struct sim_kern sim_kern_avx512 = {"avx512", SIM_TABLE};

#else
typedef int no_avx512;    /* ISO C wants something in every file */
#endif
