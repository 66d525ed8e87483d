/* flags x86_64: -mavx512f -mavx2 -mfma -mf16c */
/* similarity_avx512.c - AVX-512F */
#define VD 8
#include "lib/vector/sim_vec.inc"

const struct sim_kern sim_kern_avx512 = {"avx512", SIM_TABLE};
