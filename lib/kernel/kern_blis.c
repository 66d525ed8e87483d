/* flags: -idirafter lib/kernel/compat */
/* This table computes products with BLIS, and everything else with portable vectors of four floats.
 *
 * Each call of gemm computes, on one thread, one block of a product that the pool has split.  BLIS's path for
 * small matrices is switched off, because its order of additions depends on the shape, and an image's
 * embedding must not depend on the batch in which the image came. */
#define VL 4
#include "lib/kernel/kern_vec.inc"

#include <blis.h>

/* Returns p without its const.  BLIS does not write its operands a and b, although it does not declare them const. */
static float *loose(const float *p) {
    float *q;

    memcpy(&q, &p, sizeof q);
    return q;
}

static void blis_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda,
                      const float *w, size_t rs, size_t cs, float *c, size_t ldc) {
    float one = 1, zero = 0;
    rntm_t how;

    bli_rntm_init(&how);
    bli_rntm_set_num_threads(1, &how);
    bli_rntm_disable_l3_sup(&how);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t)m, (dim_t)n, (dim_t)k, &one,
                 loose(a), (inc_t)lda, 1, loose(w), (inc_t)cs, (inc_t)rs, &zero,
                 c, (inc_t)ldc, 1, NULL, &how);
}

const char *kern_blis_arch(void) {
    bli_init();
    return bli_arch_string(bli_arch_query_id());
}

const char *kern_blis_version(void) {
    return bli_info_get_version_str();
}

const struct kern kern_blis = {
    .name = "blis", KERN_F32, .f32 = &kern_blis,
    .win_weights = vec_win_weights_f32, .win_in = vec_win_in_f32, .gemm = blis_gemm,
    VEC_TABLE
};
