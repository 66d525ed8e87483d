/* Chooses the threads and kernels of a run. */
#include "tools/common/machine.h"

#include <stdlib.h>

#include "formats/io/cores.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"

/* Returns the number of cores that this process may use, by affinity and cgroup quota. */
static int cores(void) {
    int n = cores_available();

    return n > POOL_MAX ? POOL_MAX : n;
}

void tool_compute(struct tool *t) {
    const char *arch = cpu_blis_arch();
    struct err e = {0};

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    if (t->machine.precision < 0)    /* bf16 if the kernel of --kernel, or else a fast one, has it */
        t->machine.precision = kern_choose(t->machine.kernel, PREC_BF16, cpu_flags(), NULL) != NULL;
    t->compute.kern = kern_choose(t->machine.kernel, t->machine.precision == 1 ? PREC_BF16 : PREC_F32, cpu_flags(), &e);
    if (!t->compute.kern)
        die("--kernel: %s", e.msg);
    if (!t->machine.threads)
        t->machine.threads = cores();
    t->compute.pool = pool_start(&t->arena, (int)t->machine.threads, &e);
    if (!t->compute.pool)
        die("%s", e.msg);
    if (t->verbose && t->compute.kern == &kern_blis)
        warn("kernel blis (BLIS %s, %s), f32, %d threads", kern_blis_version(), kern_blis_arch(),
             pool_threads(t->compute.pool));
    else if (t->verbose)
        warn("kernel %s, %s, %d threads", t->compute.kern->name, precision_name(t->compute.kern->precision),
             pool_threads(t->compute.pool));
}
