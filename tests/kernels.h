/* kernels.h - which tables of kernels a test tries
 *
 * A test tries every table that the CPU can run.  Under ThreadSanitizer it tries the fastest of each precision: threads divide
 * the work in the same way for every table, and the portable tables take most of the time.
 */
#ifndef UNCLIP_TESTS_KERNELS_H
#define UNCLIP_TESTS_KERNELS_H

#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"

/* Returns table i of those that a test tries, or NULL when i is past the last one. */
static inline const struct kern *kern_tried(size_t i) {
#ifdef __SANITIZE_THREAD__
    static const enum precision each[] = {PREC_F32, PREC_BF16};
    struct err e;

    for (size_t p = 0; p < sizeof each / sizeof *each; p++) {
        const struct kern *k = kern_choose(NULL, each[p], cpu_flags(), &e);

        if (k && i-- == 0)
            return k;
    }
    return NULL;
#else
    return kern_list(i, cpu_flags());
#endif
}

#endif
