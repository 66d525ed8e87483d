/* similarity_avx2.c - AVX2, FMA and F16C */
#ifdef __AVX2__

#define VD 4
#include "lib/vector/sim_vec.inc"

const struct sim_kern sim_kern_avx2 = {"avx2", SIM_TABLE};

#else
typedef int no_avx2;    /* ISO C wants something in every file */
#endif
