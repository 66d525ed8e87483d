/* flags x86_64: -mavx2 -mfma -mf16c */
/* similarity_avx2.c - AVX2, FMA and F16C */
#define VD 4
#include "lib/vector/sim_vec.inc"

const struct sim_kern sim_kern_avx2 = {"avx2", SIM_TABLE};
