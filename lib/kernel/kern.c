#include "lib/kernel/kern.h"

#include <string.h>

#include "lib/base/cpu.h"

static const struct {
    const struct kern *k;
    unsigned needs;
} ladder[] = {    /* ordered from the fastest table to the slowest */
#ifdef KERNELS_x86_64
    {&kern_bf16, CPU_BF16},
    {&kern_avx512, CPU_AVX512},
    {&kern_avx512_bf16, CPU_AVX512},
    {&kern_avx2, CPU_AVX2},
    {&kern_avx2_bf16, CPU_AVX2},
#endif
#ifdef HAVE_BLIS
    {&kern_blis, 0},
#endif
    {&kern_c_bf16, 0},
    {&kern_c, 0},
};

const char *precision_name(enum precision p) {
    return p == PREC_BF16 ? "bf16" : "f32";
}

const struct kern *kern_list(size_t i, unsigned cpu) {
    for (size_t j = 0; j < sizeof ladder / sizeof *ladder; j++)
        if ((ladder[j].needs & ~cpu) == 0 && i-- == 0)
            return ladder[j].k;
    return NULL;
}

const struct kern *kern_choose(const char *name, enum precision p, unsigned cpu, struct err *e) {
    bool known = false;

    for (size_t j = 0; j < sizeof ladder / sizeof *ladder; j++) {
        const struct kern *k = ladder[j].k;

        if (name && strcmp(name, k->name) != 0)
            continue;
        known = true;
        if (k->precision != p)
            continue;
        if (ladder[j].needs & ~cpu) {
            if (!name)
                continue;
            err_set(e, "kernel %s: this CPU cannot run it", name);
            return NULL;
        }
        if (!name && k == &kern_c_bf16)
            break;    /* This table is slower than any f32 kernel, so it is chosen only by its name. */
        return k;
    }
    if (!name)
        err_set(e, "no %s kernel for this CPU", precision_name(p));
    else if (known)
        err_set(e, "kernel %s has no precision %s", name, precision_name(p));
    else
        err_set(e, "no kernel is called %s", name);
    return NULL;
}
