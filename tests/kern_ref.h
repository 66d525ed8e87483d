/* kern_ref.h - which numbers a table of kernels rounds, for tests that compute the table's products in double */
#ifndef UNCLIP_TESTS_KERN_REF_H
#define UNCLIP_TESTS_KERN_REF_H

#include "lib/base/tensor.h"
#include "lib/kernel/kern.h"

/* Returns whether the table rounds both factors to bf16.  Other tables of precision bf16 round only the weights. */
static inline bool ref_rounds_rows(const struct kern *k) {
    return k->precision == PREC_BF16 && (!k->panel || k->row == DT_BF16);
}

static inline float ref_weight(const struct kern *k, float w) {
    return k->precision == PREC_BF16 ? bf16_f32(f32_bf16(w)) : w;
}

static inline float ref_row(const struct kern *k, float x) {
    return ref_rounds_rows(k) ? bf16_f32(f32_bf16(x)) : x;
}

/* ref_weights_table returns the C table that transforms weights for Winograd as the packed table k does, and
 * ref_rows_table the C table that transforms rows as k does. */
static inline const struct kern *ref_weights_table(const struct kern *k) {
    return k->precision == PREC_BF16 ? &kern_c_bf16 : &kern_c;
}

static inline const struct kern *ref_rows_table(const struct kern *k) {
    return ref_rounds_rows(k) ? &kern_c_bf16 : &kern_c;
}

#endif
