/* vq_grad - time the gradient of a VQGAN's decoder to its latents, at 256 x 256 pixels
 *
 *      vq_grad [-j threads] [-k kernel] [-m 0|2] model.safetensors
 *
 * For each line on standard input: one forward and one backward pass in f32, and a line with the processor seconds of each.  -m 2
 * computes each block again (KEEP_INPUTS).  At the end of the input, the gradient as f32 [16, 16, E].  Code i of the grid
 * is 37 i modulo V, and the gradient at pixel i is (i modulo 251) / 251 - 0.5.  bench/vq_grad.py compares with PyTorch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "lib/net/vq_grad.h"

static double seconds(void) {
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *why) {
    fprintf(stderr, "vq_grad: %s\n", why);
    exit(2);
}

int main(int argc, char *argv[]) {
    const size_t room = (size_t)6 << 30;
    struct arena_mem mem = {.base = malloc(room), .reserved = room};
    struct arena a = arena_open(&mem);
    int threads = 1, mode = KEEP_ALL, opt;
    const char *kernel = NULL;
    struct err e = {0};
    struct weights w;
    struct vq_config c;
    struct vq_decoder *v;
    struct vq_grad *g;
    struct vq_pass *p;
    float *z, *dz, *x, *d;
    size_t n, cells;
    char line[16];

    while ((opt = getopt(argc, argv, "j:k:m:")) != -1)
        switch (opt) {
        case 'j': threads = atoi(optarg); break;
        case 'k': kernel = optarg; break;
        case 'm': mode = atoi(optarg); break;
        default: fail("usage: vq_grad [-j threads] [-k kernel] [-m 0|2] model.safetensors");
        }
    if (optind + 1 != argc || !mem.base)
        fail("no model");
    const struct compute k = {kern_choose(kernel, PREC_F32, cpu_flags(), &e), pool_start(&a, threads, &e)};
    if (!k.kern || !k.pool || weights_open(&w, argv[optind], &a, &e) < 0 || vq_config_from_weights(&c, &w, &e) < 0 ||
        !(v = vq_bind_decoder(&c, &w, &k, &a, &e)) || !(g = vq_grad_bind(v, &k, &a, &e)) ||
        !(p = vq_pass_open(g, 256 / c.ratio, 256 / c.ratio, (enum keep_mode)mode, &a, &e)))
        fail(e.msg);
    cells = 256 / c.ratio * (256 / c.ratio), n = (size_t)3 * 256 * 256;
    z = arena_take(&a, cells * vq_grad_width(g), sizeof *z), dz = arena_take(&a, cells * vq_grad_width(g), sizeof *z);
    x = arena_take(&a, n, sizeof *x), d = arena_take(&a, n, sizeof *d);
    if (!z || !dz || !x || !d)
        fail("out of memory");
    for (size_t i = 0; i < cells; i++)
        memcpy(z + i * vq_grad_width(g), vq_grad_row(g, 37 * i % c.codes), vq_grad_width(g) * sizeof *z);
    for (size_t i = 0; i < n; i++)
        d[i] = (float)(i % 251) / 251 - 0.5f;
    while (fgets(line, sizeof line, stdin)) {
        double at = seconds(), between;

        if (vq_pass_run(p, &k, z, x, a, &e) < 0)
            fail(e.msg);
        between = seconds();
        if (vq_pass_back(p, &k, d, dz, a, &e) < 0)
            fail(e.msg);
        printf("%.3f %.3f\n", between - at, seconds() - between);
        fflush(stdout);
    }
    fwrite(dz, sizeof *dz, cells * vq_grad_width(g), stdout);
    return ferror(stdout) != 0;
}
