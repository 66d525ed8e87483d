/* flags x86_64: -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512 */
/* AVX-512: a tile is 6 rows by 64 columns; 24 of the 32 registers hold sums.  Tiles of 8 x 48, 12 x 32 and
 * 14 x 32 are 2 to 15 % slower on Zen 5. */
#define VL 16
#define ROWS 6
#define COLS 4
#include "lib/kernel/kern_vec.inc"
#include "lib/kernel/kern_pack.inc"
#include "lib/kernel/kern_tile.inc"

const struct kern kern_avx512 = {
    .name = "avx512", KERN_F32, .f32 = &kern_avx512, TILE_F32, VEC_TABLE
};

const struct kern kern_avx512_bf16 = {
    .name = "avx512", KERN_BF16_WEIGHTS, .f32 = &kern_avx512, TILE_BF16, VEC_TABLE
};
