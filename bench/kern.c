/* kern - measures the kernels, and the peak of the machine in the same minute
 *
 *      kern [-ac] [-j threads] [-r rounds] [-k kernel] [-s shape]
 *
 * Prints one line of TSV for each kernel and shape: GFLOP/s (median of the quiet rounds), per cent of
 * the peak of the kernel's own arithmetic, ratio to BLIS.  The speed of products of few rows is bound
 * by reading their weights, so these lines have GB/s of packed weights, and per cent of the rate at
 * which all threads read from memory.  Loops of fused multiply-adds on all threads measure the peaks.
 * Weights are cold: copies that together exceed the caches are used in turn, as in a real model.
 * Activations are warm.  All kernels take turns within a round.  A kernel's round is quiet, and counts,
 * only if the loops of multiply-adds before and after it reached 90 % of the peak, because virtual CPUs
 * sometimes share a core.
 * -c counts processor time of one thread instead of elapsed time, for a busy machine.
 * -a measures the kernel named with -k alone, without BLIS.
 */
#define _DEFAULT_SOURCE    /* madvise */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cpu.h"
#include "lib/layer/attention.h"
#include "lib/layer/conv.h"
#include "lib/layer/feature_map.h"

enum { KERNELS = 8, ROUNDS_MAX = 200, COPIES_MAX = 512 };
#define COLD ((size_t)160 << 20)    /* bytes of weights that are read before a copy is used again */

static struct pool *pool;
static struct arena arena;
static int threads, rounds = 15;
static clockid_t clock_used = CLOCK_MONOTONIC;
static const struct kern *kernels[KERNELS];
static size_t nkernels;
enum arithmetic { F32, BF16, F32_AVX2, ARITHMETICS };
static double peak[ARITHMETICS];    /* GFLOP/s on all threads */
static double memory;               /* GB/s at which all threads together read memory */

static double now(void) {
    struct timespec t;

    clock_gettime(clock_used, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
    if (!n)
        return 0;
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* ---- the peak ---- */

#if defined __x86_64__
#define TWELVE(op, w, s, t)                                                                       \
    op " %%" w #s ",%%" w #t ",%%" w "0\n\t" op " %%" w #s ",%%" w #t ",%%" w "1\n\t"             \
    op " %%" w #s ",%%" w #t ",%%" w "2\n\t" op " %%" w #s ",%%" w #t ",%%" w "3\n\t"             \
    op " %%" w #s ",%%" w #t ",%%" w "4\n\t" op " %%" w #s ",%%" w #t ",%%" w "5\n\t"             \
    op " %%" w #s ",%%" w #t ",%%" w "6\n\t" op " %%" w #s ",%%" w #t ",%%" w "7\n\t"             \
    op " %%" w #s ",%%" w #t ",%%" w "8\n\t" op " %%" w #s ",%%" w #t ",%%" w "9\n\t"             \
    op " %%" w #s ",%%" w #t ",%%" w "10\n\t" op " %%" w #s ",%%" w #t ",%%" w "11\n\t"
#define LOOP(name, isa, op, w)                                                                    \
    __attribute__((target(isa))) static void name(long n) {                                      \
        __asm__ volatile("vzeroall\n1:\n\t" TWELVE(op, w, 14, 15) TWELVE(op, w, 14, 15)           \
                         "dec %0\n\tjnz 1b\n\t" : "+r"(n) : : "xmm0", "xmm1", "xmm2", "xmm3",     \
                         "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",        \
                         "xmm14", "xmm15", "cc");                                                 \
    }
LOOP(fma_avx2, "avx2,fma", "vfmadd231ps", "ymm")
LOOP(fma_avx512, "avx512f", "vfmadd231ps", "zmm")
LOOP(fma_bf16, "avx512f,avx512bf16", "vdpbf16ps", "zmm")

struct loop {
    void (*run)(long);
    double flop;    /* operations of one turn of the loop, which has 24 instructions */
};

static struct loop loop_of(enum arithmetic a) {
    unsigned cpu = cpu_flags();

    if (a == BF16)
        return cpu & CPU_BF16 ? (struct loop){fma_bf16, 24 * 64} : (struct loop){0};
    if (a == F32 && cpu & CPU_AVX512)
        return (struct loop){fma_avx512, 24 * 32};
    return cpu & CPU_AVX2 ? (struct loop){fma_avx2, 24 * 16} : (struct loop){0};
}
#else
struct loop {
    void (*run)(long);
    double flop;
};

static struct loop loop_of(enum arithmetic a) {
    (void)a;
    return (struct loop){0};
}
#endif

struct burn {
    void (*run)(long);
    long n;
};

static void burn(void *ctx, size_t i, int thread) {
    const struct burn *b = ctx;

    (void)i, (void)thread;
    b->run(b->n);
}

/* Returns the GFLOP/s of all threads together, over about a millisecond, or 0 if this CPU cannot
 * run any of the loops. */
static double burn_rate(enum arithmetic a) {
    struct loop l = loop_of(a);
    struct burn b = {l.run, 150000};
    double t;

    if (!l.run)
        return 0;
    t = now();
    pool_run(pool, (size_t)threads, burn, &b);
    return l.flop * (double)b.n * threads / (now() - t) * 1e-9;
}

static void find_peaks(void) {
    double v[ARITHMETICS][41];

    for (int i = 0; i < 41; i++)
        for (int b = 0; b < ARITHMETICS; b++)
            v[b][i] = burn_rate((enum arithmetic)b);
    for (int b = 0; b < ARITHMETICS; b++) {
        qsort(v[b], 41, sizeof **v, by_value);
        peak[b] = v[b][38];    /* the third best, in case a measurement was wrong */
    }
}

struct reading {
    const uint64_t *x;
    size_t n;           /* how many numbers each thread reads */
    uint64_t sum[POOL_MAX];
};

static void read_share(void *ctx, size_t i, int thread) {
    struct reading *r = ctx;
    const uint64_t *x = r->x + i * r->n;
    uint64_t s[8] = {0};

    (void)thread;
    for (size_t k = 0; k < r->n; k += 8) {
        __builtin_prefetch(x + k + 512, 0, 0);
        for (size_t q = 0; q < 8; q++)
            s[q] += x[k + q];
    }
    r->sum[i] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

/* Sets `memory` to the best of nine measurements.  Each reads half a GiB, of which each thread reads a contiguous
 * share. */
static void find_memory(void) {
    const size_t bytes = (size_t)512 << 20;
    struct arena a = arena;
    struct reading r = {.n = bytes / 8 / (size_t)threads / 8 * 8};
    uint64_t *x = arena_take(&a, bytes + 4096, 1);

    if (!x)
        return;
    memset(x, 1, bytes);
    r.x = x;
    for (int i = 0; i < 9; i++) {
        double t = now(), rate;

        pool_run(pool, (size_t)threads, read_share, &r);
        rate = 8e-9 * (double)(r.n * (size_t)threads) / (now() - t);
        memory = rate > memory ? rate : memory;
    }
}

/* ---- shapes ---- */

struct what {
    char name[64];
    double flop;
    void (*prepare)(struct what *w, int k);
    void (*call)(struct what *w, int k, size_t turn);
    size_t m, n, k, side, heads;
    size_t copies;
    bool winograd;
    bool stream;              /* true: bound by reading weights, so bytes are counted, not operations */
    struct linear *linear[KERNELS];
    struct conv conv[KERNELS];
    struct attention attention;
    struct attention_seq seq;
    float *x, *y, *w;
    void *scratch[KERNELS];
};

static void *take(size_t n, size_t size) {
    void *p = arena_take(&arena, n, size);

    if (!p) {
        fprintf(stderr, "kern: no memory\n");
        exit(2);
    }
    return p;
}

static float *numbers(size_t n) {
    static unsigned s = 1;
    float *p = take(n, sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = (float)(int)(s = s * 1664525 + 1013904223) * 0x1p-31f;
    return p;
}

static void die(const struct err *e) {
    fprintf(stderr, "kern: %s\n", e->msg);
    exit(2);
}

static void linear_prepare(struct what *w, int k) {
    struct compute c = {kernels[k], pool};
    struct err e = {0};

    if (!w->x) {
        w->x = numbers(w->m * w->k);
        w->y = numbers(w->m * w->n);
        w->w = numbers(w->n * w->k);
        w->copies = (w->stream ? 3 : 1) * COLD / (w->n * w->k * 4) + 1;
    }
    w->linear[k] = take(w->copies, sizeof *w->linear[k]);
    for (size_t i = 0; i < w->copies; i++) {
        /* two parts are packed into one, so every kernel copies the weights */
        struct tensor t = {.dtype = DT_F32, .nd = 2, .shape = {w->n, w->k}, .stride = {w->k, 1}, .data = w->w};
        struct tensor parts[2] = {tensor_rows(&t, 0, w->n / 2), tensor_rows(&t, w->n / 2, w->n)};

        if (linear_pack(&w->linear[k][i], 2, parts, NULL, &c, &arena, &e) < 0)
            die(&e);
    }
    w->scratch[k] = take(linear_scratch(w->linear[k], &c, w->m), 1);
}

static void linear_call(struct what *w, int k, size_t turn) {
    struct compute c = {kernels[k], pool};

    linear_run(&w->linear[k][turn % w->copies], &c, w->m, w->x, w->k, w->y, w->n, ACT_NONE, NULL,
               w->scratch[k]);
}

static void conv_prepare(struct what *w, int k) {
    struct compute c = {kernels[k], pool};
    struct err e = {0};
    struct tensor t = {.dtype = DT_F32, .nd = 4, .shape = {w->n, w->k, 3, 3}};

    if (!w->x) {
        w->x = numbers(w->side * w->side * w->k);
        w->y = numbers(w->side * w->side * w->n);
        w->w = numbers(w->n * w->k * 9);
    }
    t.data = w->w;
    tensor_contiguous(&t);
    if (conv_pack(&w->conv[k], &t, NULL, NULL, 1, 1, &c, &arena, &e) < 0)
        die(&e);
    w->conv[k].winograd = w->winograd;
    w->scratch[k] = take(conv_scratch(&w->conv[k], &c, 1, w->side, w->side), 1);
}

static void conv_call(struct what *w, int k, size_t turn) {
    struct compute c = {kernels[k], pool};

    (void)turn;
    conv_run(&w->conv[k], &c, 1, w->side, w->side, w->x, w->y, ACT_NONE, NULL, w->scratch[k]);
}

static void attention_prepare(struct what *w, int k) {
    struct compute c = {kernels[k], pool};
    size_t d = w->k, ld = 3 * w->heads * d;

    if (!w->x) {
        w->x = numbers(w->m * ld);
        w->y = numbers(w->m * w->heads * d);
        w->attention = (struct attention){w->heads, d, 0.125f, false};
        w->seq = (struct attention_seq){w->x, w->y, w->m, ld, w->heads * d,
            {{NULL, NULL, 0, 0}, {w->x + w->heads * d, w->x + 2 * w->heads * d, w->m, ld}}, NULL};
    }
    w->scratch[k] = take(attention_scratch(&w->attention, &c, w->m), 1);
}

static void attention_call(struct what *w, int k, size_t turn) {
    struct compute c = {kernels[k], pool};

    (void)turn;
    attention_run(&w->attention, &c, 1, &w->seq, w->scratch[k]);
}

static void act_call(struct what *w, int k, size_t turn) {
    (void)turn;
    kernels[k]->act(w->n, ACT_QUICK_GELU, w->x, w->y);
}

static void gelu_call(struct what *w, int k, size_t turn) {
    (void)turn;
    kernels[k]->act(w->n, ACT_GELU, w->x, w->y);
}

static void exps_call(struct what *w, int k, size_t turn) {
    (void)turn;
    memcpy(w->y, w->x, w->n * sizeof *w->x);
    kernels[k]->exps(w->n, 1, w->y);
}

static void norm_call(struct what *w, int k, size_t turn) {
    (void)turn;
    kernels[k]->norm(w->n, w->x, w->x, w->x, 1e-5f, w->y);
}

/* Runs GroupNorm and SiLU as before a convolution: first computes the statistics, then applies them. */
static void feature_map_call(struct what *w, int k, size_t turn) {
    struct compute c = {kernels[k], pool};
    struct feature_map p = {{w->x, NULL}, {w->k, 0}, 1, w->side, w->side};
    struct feature_map_norm g = {.g = w->x, .b = w->x, .groups = 32, .eps = 1e-5f};

    (void)turn;
    feature_map_norm(&p, &g, &c, w->w, w->w + w->k, w->scratch[k]);
    feature_map_apply(&p, w->w, w->w + w->k, ACT_SILU, RESAMPLE_NONE, &c, w->y);
}

static void feature_map_prepare(struct what *w, int k) {
    struct feature_map p = {{w->x, NULL}, {w->k, 0}, 1, w->side, w->side};

    if (!w->x) {
        w->x = numbers(w->n);
        w->y = numbers(w->n);
        w->w = numbers(2 * w->k);
    }
    w->scratch[k] = take(feature_map_norm_scratch(&p), 1);
}

static void pack_call(struct what *w, int k, size_t turn) {
    struct compute c = {kernels[k], pool};
    struct arena keep = arena;
    struct linear l;
    struct err e = {0};
    struct tensor t = {.dtype = DT_F16, .nd = 2, .shape = {w->n, w->k}, .stride = {w->k, 1}, .data = w->x};

    (void)turn;
    if (linear_pack(&l, 1, &t, NULL, &c, &keep, &e) < 0)
        die(&e);
}

static void row_prepare(struct what *w, int k) {
    (void)k;
    if (!w->x) {
        w->x = numbers(w->k ? w->n * w->k : w->n);
        w->y = numbers(w->n);
    }
}

/* ---- measuring ---- */

/* Calls kernel k for at least 2 ms.  Returns the seconds of one call. */
static double sample(struct what *w, int k, size_t *turn) {
    double t0 = now(), t;
    size_t n = 0, some = w->flop < 1e5 ? 128 : 1;    /* many short calls for each reading of the clock */

    do
        for (size_t i = 0; i < some; i++)
            w->call(w, k, (*turn)++), n++;
    while ((t = now() - t0) < 2e-3);
    return t / (double)n;
}

static void measure(struct what *w) {
    static double v[KERNELS][ROUNDS_MAX];
    size_t quiet[KERNELS] = {0}, turn[KERNELS] = {0};
    struct arena before = arena;
    double blis = 0, rate[KERNELS];

    for (size_t k = 0; k < nkernels; k++)
        w->prepare(w, (int)k);
    for (int r = -1; r < rounds; r++)    /* the first round is a warm-up */
        for (size_t k = 0; k < nkernels; k++) {
            double a = burn_rate(F32), t = sample(w, (int)k, &turn[k]), b = burn_rate(F32);

            if (r >= 0 && a >= 0.9 * peak[F32] && b >= 0.9 * peak[F32])
                v[k][quiet[k]++] = t;
        }
    for (size_t k = 0; k < nkernels; k++) {
        double work = w->stream ? (double)(w->n * w->k * dtype_size(kernels[k]->weight)) : w->flop;

        rate[k] = quiet[k] ? work / median(v[k], quiet[k]) * 1e-9 : 0;
        if (kernels[k] == &kern_blis)
            blis = rate[k];
    }
    for (size_t k = 0; k < nkernels; k++) {
        bool narrow = !strcmp(kernels[k]->name, "avx2");
        double top = w->stream ? memory : peak[kernels[k]->row == DT_BF16 ? BF16 : narrow ? F32_AVX2 : F32];

        printf("%s\t%s %s\t%d\t%.4g", w->name, kernels[k]->name, precision_name(kernels[k]->precision), threads, rate[k]);
        printf(top > 0 && !strstr(w->name, "(G/s)") ? "\t%.0f" : "\t-", top > 0 ? 100 * rate[k] / top : 0);
        printf(blis > 0 ? "\t%.2f" : "\t-", blis > 0 ? rate[k] / blis : 0);
        printf("\t%zu/%d\n", quiet[k], rounds);
    }
    fflush(stdout);
    arena = before;
}

static void linears(const char *only) {
    static const size_t few[] = {1, 2, 3, 6, 8, 12, 16};
    static const size_t s[][3] = {
        {257, 1024, 1024}, {257, 4096, 1024}, {257, 1024, 4096}, {2056, 4096, 1024}, {50, 768, 768},
        {50, 3072, 768}, {77, 768, 768}, {77, 3072, 768}, {81, 2048, 2048}, {81, 8192, 2048}, {162, 8192, 2048},
        {2048, 2048, 2048},
        {32, 1024, 1024}, {32, 2730, 1024}, {32, 1024, 2730}, {32, 16384, 1024},    /* DALL-E mini, 16 candidates and their twins */
    };

    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        struct what w = {.m = s[i][0], .n = s[i][1], .k = s[i][2], .prepare = linear_prepare, .call = linear_call};

        snprintf(w.name, sizeof w.name, "linear %zux%zux%zu", w.m, w.n, w.k);
        w.flop = 2.0 * (double)w.m * (double)w.n * (double)w.k;
        if (!only || strstr(w.name, only))
            measure(&w);
    }
    for (size_t i = 0; i < 2 * sizeof few / sizeof *few; i++) {
        struct what w = {.m = few[i / 2], .n = i % 2 ? 2048 : 8192, .k = i % 2 ? 8192 : 2048, .stream = true,
                         .prepare = linear_prepare, .call = linear_call};

        w.flop = 2.0 * (double)w.m * (double)w.n * (double)w.k;
        snprintf(w.name, sizeof w.name, "rows %zux%zux%zu (GB/s)", w.m, w.n, w.k);
        if (!only || strstr(w.name, only))
            measure(&w);
    }
}

/* Measures convolutions.  The operations of a winograd shape are those of a plain convolution, so its rate may exceed
 * the peak. */
static void convs(const char *only) {
    static const size_t s[][3] = {{64, 320, 320}, {32, 640, 640}, {16, 960, 960}, {8, 1280, 1280},
                                  {64, 3, 320}, {112, 32, 64}, {256, 320, 320}, {128, 640, 640}, {256, 32, 32}, {256, 64, 32},
                                  {128, 64, 64}, {64, 96, 96}, {64, 48, 48}, {32, 96, 96}, {16, 160, 160}};

    for (size_t i = 0; i < 2 * sizeof s / sizeof *s; i++) {
        const size_t *t = s[i / 2];
        struct what w = {.side = t[0], .k = t[1], .n = t[2], .winograd = i % 2, .prepare = conv_prepare, .call = conv_call};

        snprintf(w.name, sizeof w.name, "%s %zux%zux%zu-%zu", w.winograd ? "winograd" : "conv3x3", w.side, w.side, w.k, w.n);
        w.flop = 18.0 * (double)(w.side * w.side) * (double)w.n * (double)w.k;
        if ((!only || strstr(w.name, only)) && (!w.winograd || t[1] % 2 == 0))
            measure(&w);
    }
}

static void others(const char *only) {
    struct what w[] = {
        {.name = "attention 257x16x64", .m = 257, .heads = 16, .k = 64, .flop = 4.0 * 257 * 257 * 1024, .prepare = attention_prepare, .call = attention_call},
        {.name = "attention 50x12x64", .m = 50, .heads = 12, .k = 64, .flop = 4.0 * 50 * 50 * 768, .prepare = attention_prepare, .call = attention_call},
        {.name = "attention 1024x10x64", .m = 1024, .heads = 10, .k = 64, .flop = 4.0 * 1024 * 1024 * 640, .prepare = attention_prepare, .call = attention_call},
        {.name = "quick_gelu 4096 (G/s)", .n = 4096, .flop = 4096, .prepare = row_prepare, .call = act_call},
        {.name = "gelu 4096 (G/s)", .n = 4096, .flop = 4096, .prepare = row_prepare, .call = gelu_call},
        {.name = "softmax 257 (G/s)", .n = 257, .flop = 257, .prepare = row_prepare, .call = exps_call},
        {.name = "layer norm 1024 (G/s)", .n = 1024, .flop = 1024, .prepare = row_prepare, .call = norm_call},
        {.name = "group norm, silu 64x64x320 (G/s)", .side = 64, .k = 320, .n = 64 * 64 * 320, .flop = 64 * 64 * 320, .prepare = feature_map_prepare, .call = feature_map_call},
        {.name = "group norm, silu 16x16x960 (G/s)", .side = 16, .k = 960, .n = 16 * 16 * 960, .flop = 16 * 16 * 960, .prepare = feature_map_prepare, .call = feature_map_call},
        {.name = "pack f16 4096x1024 (G/s)", .n = 4096, .k = 1024, .flop = 4096 * 1024.0, .prepare = row_prepare, .call = pack_call},
    };

    for (size_t i = 0; i < sizeof w / sizeof *w; i++)
        if (!only || strstr(w[i].name, only))
            measure(&w[i]);
}

int main(int argc, char *argv[]) {
    const char *kernel = NULL, *shape = NULL, *arch = cpu_blis_arch();
    struct arena_mem mem = {.reserved = (size_t)8 << 30};
    struct err e = {0};
    const struct kern *k;
    bool alone = false;
    int c;

    threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    while ((c = getopt(argc, argv, "acj:k:r:s:")) != -1)
        switch (c) {
        case 'a': alone = true; break;
        case 'c': clock_used = CLOCK_THREAD_CPUTIME_ID; break;
        case 'j': threads = atoi(optarg); break;
        case 'k': kernel = optarg; break;
        case 'r': rounds = atoi(optarg); break;
        case 's': shape = optarg; break;
        default: return 2;
        }
    if (optind != argc || rounds < 1 || rounds > ROUNDS_MAX || threads < 1 || threads > POOL_MAX)
        return 2;
    if (clock_used != CLOCK_MONOTONIC)
        threads = 1;
    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    for (size_t i = 0; (k = kern_list(i, cpu_flags())); i++)
        if (k->gemm != kern_c.gemm && k->gemm != kern_c_bf16.gemm)    /* the C kernels are not meant to be fast */
            if (!kernel || (k == &kern_blis && !alone) || !strcmp(kernel, k->name))
                kernels[nkernels++] = k;
    mem.base = mmap(NULL, mem.reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem.base == MAP_FAILED)
        return 2;
    madvise(mem.base, mem.reserved, MADV_HUGEPAGE);
    arena = arena_open(&mem);
    if (!(pool = pool_start(&arena, threads, &e)))
        die(&e);
    find_peaks();
    find_memory();
    printf("# %d threads; peak %.0f GFLOP/s f32 (AVX2 %.0f), %.0f bf16; memory %.1f GB/s; BLIS %s runs %s\n", threads,
           peak[F32], peak[F32_AVX2], peak[BF16], memory,
           kern_blis_version(), kern_blis_arch());
    printf("what\tkernel\tthreads\tGF/s\t%% of peak\tratio to BLIS\tquiet rounds\n");
    linears(shape);
    convs(shape);
    others(shape);
    pool_stop(pool);
    return 0;
}
