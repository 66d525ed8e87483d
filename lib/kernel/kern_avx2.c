/* flags x86_64: -mavx2 -mfma -mf16c */
/* AVX2 and FMA: a tile is 6 rows by 16 columns; 12 of the 16 registers hold sums. */
#define VL 8
#define ROWS 6
#define COLS 2
#include "lib/kernel/kern_vec.inc"
#include "lib/kernel/kern_pack.inc"
#include "lib/kernel/kern_tile.inc"

const struct kern kern_avx2 = {
    .name = "avx2", KERN_F32, .f32 = &kern_avx2, TILE_F32, VEC_TABLE
};

const struct kern kern_avx2_bf16 = {
    .name = "avx2", KERN_BF16_WEIGHTS, .f32 = &kern_avx2, TILE_BF16, .tile_widen = tile_widen, VEC_TABLE
};
