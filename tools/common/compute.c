/* Threads and kernels.  _GNU_SOURCE: sched_getaffinity. */
#define _GNU_SOURCE
#include "tools/common/common.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cpu.h"
#include "lib/kern.h"

/* The smallest cpu quota of the process's cgroup (version 2) and of those around it, in cores
 * rounded up; 0: none. */
static int cgroup_cores(void) {
    char line[4096], path[4200], *dir = NULL, *slash;
    FILE *f = fopen("/proc/self/cgroup", "r");
    int best = 0;

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "0::", 3)) {
            dir = line + 3;
            dir[strcspn(dir, "\n")] = 0;
            break;
        }
    if (f)
        fclose(f);
    while (dir) {
        double quota, period;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", dir);
        f = fopen(path, "r");
        if (f && fscanf(f, "%lf %lf", &quota, &period) == 2 && period > 0) {
            int n = (int)ceil(quota / period);
            best = n >= 1 && (!best || n < best) ? n : best;
        }
        if (f)
            fclose(f);
        slash = strrchr(dir, '/');
        if (!slash)
            break;
        *slash = 0;
    }
    return best;
}

int tool_cores(void) {
    cpu_set_t set;
    int n = 1, quota = cgroup_cores();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    if (quota && quota < n)
        n = quota;
    return n < 1 ? 1 : n > POOL_MAX ? POOL_MAX : n;
}

void tool_compute(struct tool *t) {
    const char *arch = cpu_blis_arch();
    struct err e = {0};

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    if (t->precision < 0)    /* what is slower than f32 is never chosen without being asked for */
        t->precision = kern_choose(t->kernel, PREC_BF16, cpu_flags(), NULL) != NULL;
    t->compute.kern = kern_choose(t->kernel, t->precision == 1 ? PREC_BF16 : PREC_F32, cpu_flags(), &e);
    if (!t->compute.kern)
        die("--kernel: %s", e.msg);
    if (!t->threads)
        t->threads = tool_cores();
    t->compute.pool = pool_start(&t->arena, (int)t->threads, &e);
    if (!t->compute.pool)
        die("%s", e.msg);
    if (t->verbose && t->compute.kern == &kern_blis)
        warn("kernel blis (BLIS %s, %s), f32, %d threads", kern_blis_version(), kern_blis_arch(),
             pool_threads(t->compute.pool));
    else if (t->verbose)
        warn("kernel %s, %s, %d threads", t->compute.kern->name, t->precision == 1 ? "bf16" : "f32",
             pool_threads(t->compute.pool));
}
