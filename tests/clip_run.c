/* clip_run - runs a tower of a checkpoint on raw numbers and measures the time
 *
 *      clip_run [-a quick_gelu|gelu] [-k kernel] [-p f32|bf16] [-j threads] [-b batch] [-m mode]
 *               [-r repeats] [-i] image|text|grad model [input [output]]
 *
 * The file `input` holds raw f32 [n, 3, S, S] for image and grad, or raw i32 [n, context] padded with
 * zeros for text.  Without `input`, the program makes up a batch of noise pictures, or of texts of full
 * length.  It writes the embeddings, raw f32 [n, E], into the file `output`.
 * grad embeds pictures and computes the gradient of half the embedding's squared length with respect
 * to the pictures; `output` is then raw f32 [n, 3, S, S].  -m 0, 1 or 2 chooses KEEP_ALL, KEEP_STATES
 * or KEEP_INPUTS.
 * Prints one line: tower, kernel, threads, batch, milliseconds to bind the tower, milliseconds for each
 * input (median of the repeats), processor milliseconds for each input (mean), and resident memory in
 * MiB: the most that there was (VmHWM, with what was read of the mapped file), and that at the end
 * without the file (RssAnon).
 * With -i, runs once for each line of standard input and prints the milliseconds of the batch at once,
 * so a script can alternate between programs.
 *
 * Used for comparisons with other implementations and by tests/full; `make check` does not run it. */
#define _DEFAULT_SOURCE    /* MAP_ANONYMOUS */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "formats/checkpoint/model.h"
#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"
#include "lib/net/clip_grad.h"

#define ROOM ((size_t)64 << 30)    /* bytes of address space */

struct job {
    const char *kernel, *tower, *model, *input, *output;
    enum precision precision;
    int threads, activation;    /* activation: -1 means that of the checkpoint */
    bool asked;                 /* -i: run once for each line of standard input */
    size_t batch, repeats;
    struct compute c;
    struct clip_config config;
    struct clip_text *text;
    struct clip_vision *vision;
    struct clip_grad *grad;    /* NULL unless the tower is `grad` */
    enum keep_mode mode;
    float *gradient;           /* [n, 3, S, S] */
    size_t n, embed;           /* number of inputs; E */
    float *images, *out;
    int *ids;                  /* [n, context] */
    const int **tokens;
    size_t *len;
    void *scratch;
};

static _Noreturn void fail(const char *what, const struct err *e) {
    fprintf(stderr, "clip_run: %s%s%s\n", what, e ? ": " : "", e ? e->msg : "");
    exit(2);
}

static void *take(struct arena *a, size_t n, size_t size) {
    void *p = arena_take(a, n, size);

    if (!p)
        fail("no memory", NULL);
    return p;
}

static double now(clockid_t clock) {
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Returns the number in the line `key` of /proc/self/status, in MiB. */
static double status(const char *key) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kib = strtod(line + strlen(key) + 1, NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

/* Reads a whole file, which holds *n elements of `unit` bytes.  Returns the elements. */
static void *slurp(const char *path, size_t unit, size_t *n, struct arena *a) {
    FILE *f = fopen(path, "rb");
    void *p;
    long size = 0;

    if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) <= 0 || fseek(f, 0, SEEK_SET))
        fail(path, NULL);
    *n = (size_t)size / unit;
    p = take(a, *n, unit);
    if (*n * unit != (size_t)size || fread(p, unit, *n, f) != *n)
        fail(path, NULL);
    fclose(f);
    return p;
}

static void prepare_images(struct job *j, struct arena *a) {
    size_t s = j->config.vision.image, size = 3 * s * s, n;
    unsigned seed = 1;

    j->n = j->batch;
    if (j->input) {
        j->images = slurp(j->input, size * sizeof *j->images, &n, a);
        j->n = n;
    } else {
        j->images = take(a, j->n * size, sizeof *j->images);
        for (size_t i = 0; i < j->n * size; i++, seed = seed * 1664525 + 1013904223)
            j->images[i] = (float)(seed >> 8) * 0x1p-22f - 2;
    }
    j->embed = j->config.vision.embed;
    if (j->grad)
        j->gradient = take(a, j->n * size, sizeof *j->gradient);
    j->scratch = take(a, j->grad ? clip_grad_scratch(j->grad, j->n, j->mode) : clip_image_scratch(j->vision, j->n), 1);
}

static void prepare_texts(struct job *j, struct arena *a) {
    size_t context = j->config.text.context, top = j->config.text.vocab - 1, n, longest = 0;
    unsigned seed = 1;

    j->n = j->batch;
    if (j->input) {
        j->ids = slurp(j->input, context * sizeof *j->ids, &n, a);
        j->n = n;
    } else {
        j->ids = take(a, j->n * context, sizeof *j->ids);
        for (size_t i = 0; i < j->n * context; i++, seed = seed * 1664525 + 1013904223)
            j->ids[i] = i % context == 0             ? (int)top - 1
                        : i % context == context - 1 ? (int)top
                                                     : (int)((seed >> 8) % (top - 1));
    }
    j->tokens = take(a, j->n, sizeof *j->tokens);
    j->len = take(a, j->n, sizeof *j->len);
    for (size_t i = 0; i < j->n; i++) {
        const int *id = j->tokens[i] = j->ids + i * context;
        size_t end = 0;
        for (size_t x = 0; x < context; x++) {
            if (id[x] < 0 || (size_t)id[x] > top)
                fail("an id is not in the vocabulary", NULL);
            end = id[x] > id[end] ? x : end;
        }
        j->len[i] = end + 1;
        longest = j->len[i] > longest ? j->len[i] : longest;
    }
    j->embed = j->config.text.embed;
    j->scratch = take(a, clip_text_scratch(j->text, j->n, longest), 1);
}

static void run(struct job *j) {
    if (j->grad) {
        clip_image_keep(j->grad, &j->c, j->n, j->mode, j->images, j->out, j->scratch);
        clip_image_back(j->grad, &j->c, j->n, j->mode, j->out, j->gradient, j->scratch);
    } else if (j->vision)
        clip_image_run(j->vision, &j->c, j->n, j->images, j->out, NULL, j->scratch);
    else
        clip_text_run(j->text, &j->c, j->n, j->tokens, j->len, j->out, NULL, j->scratch);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void options(struct job *j, int argc, char **argv) {
    int o;

    *j = (struct job){.activation = -1, .threads = 1, .batch = 1, .repeats = 1};
    while ((o = getopt(argc, argv, "a:k:p:j:b:r:m:i")) != -1)
        switch (o) {
        case 'a': j->activation = strcmp(optarg, "gelu") ? ACT_QUICK_GELU : ACT_GELU; break;
        case 'k': j->kernel = optarg; break;
        case 'p': j->precision = strcmp(optarg, "bf16") ? PREC_F32 : PREC_BF16; break;
        case 'j': j->threads = atoi(optarg); break;
        case 'b': j->batch = strtoul(optarg, NULL, 10); break;
        case 'r': j->repeats = strtoul(optarg, NULL, 10); break;
        case 'm': j->mode = atoi(optarg) == 1 ? KEEP_STATES : atoi(optarg) == 2 ? KEEP_INPUTS : KEEP_ALL; break;
        case 'i': j->asked = true; break;
        default: exit(2);
        }
    if (argc - optind < 2 || argc - optind > 4 || !j->batch || !j->repeats || j->threads < 1)
        fail("usage: [-a quick_gelu|gelu] [-k kernel] [-p f32|bf16] [-j threads] [-b batch] "
             "[-m 0|1|2] [-r repeats] [-i] image|text|grad model [input [output]]", NULL);
    j->tower = argv[optind];
    j->model = argv[optind + 1];
    j->input = argc - optind > 2 ? argv[optind + 2] : NULL;
    j->output = argc - optind > 3 ? argv[optind + 3] : NULL;
}

static void bind(struct job *j, struct arena *a) {
    struct model_paths paths = {&j->model, 1, j->activation, NULL, NULL};
    bool grad = !strcmp(j->tower, "grad"), image = grad || !strcmp(j->tower, "image");
    struct clip_model m;
    struct err e = {0};

    if (model_open_clip(&m, image ? MODEL_VISION : MODEL_TEXT, &paths, a, &e) < 0)
        fail(j->model, &e);
    j->config = m.config;
    if (image)
        j->vision = clip_bind_vision(&m.config, &m.weights, &j->c, a, &e);
    else
        j->text = clip_bind_text(&m.config, &m.weights, &j->c, a, &e);
    if (!j->vision && !j->text)
        fail(j->model, &e);
    if (grad && !(j->grad = clip_grad_bind(j->vision, &j->c, a, &e)))
        fail(j->model, &e);
    weights_forget(&m.mapped);
}

static double timed(struct job *j) {
    double t0 = now(CLOCK_MONOTONIC);

    run(j);
    return now(CLOCK_MONOTONIC) - t0;
}

static void when_asked(struct job *j) {
    char line[100];

    run(j);
    for (printf("ready\n"); fflush(stdout) == 0 && fgets(line, sizeof line, stdin);)
        printf("%.4f\n", timed(j));
}

int main(int argc, char **argv) {
    struct arena_mem mem = {.base = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), .reserved = ROOM};
    struct arena a;
    struct job j;
    struct err e = {0};
    double t0, bound, cpu, *ms;
    const char *blis = cpu_blis_arch();
    const float *result;
    size_t count;
    FILE *f;

    if (mem.base == MAP_FAILED)
        fail("mmap", NULL);
    a = arena_open(&mem);
    options(&j, argc, argv);
    if (blis)
        setenv("BLIS_ARCH_TYPE", blis, 0);
    if (!(j.c.kern = kern_choose(j.kernel, j.precision, cpu_flags(), &e)) ||
        !(j.c.pool = pool_start(&a, j.threads, &e)))
        fail("cannot start", &e);
    t0 = now(CLOCK_MONOTONIC);
    bind(&j, &a);
    bound = now(CLOCK_MONOTONIC) - t0;
    if (j.vision)
        prepare_images(&j, &a);
    else
        prepare_texts(&j, &a);
    j.out = take(&a, j.n * j.embed, sizeof *j.out);
    ms = take(&a, j.repeats, sizeof *ms);
    if (j.asked)
        when_asked(&j);
    if (j.repeats > 1)
        run(&j);    /* a warm-up, which touches memory that was only reserved */
    cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < j.repeats; i++)
        ms[i] = timed(&j) / (double)j.n;
    cpu = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(j.repeats * j.n);
    qsort(ms, j.repeats, sizeof *ms, ascending);
    printf("%s\t%s\t%d\t%zu\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\n", j.tower, j.c.kern->name, j.threads,
           j.n, bound, ms[j.repeats / 2], cpu, status("VmHWM:"), status("RssAnon:"));
    result = j.grad ? j.gradient : j.out;
    count = j.n * (j.grad ? 3 * j.config.vision.image * j.config.vision.image : j.embed);
    if (j.output && (!(f = fopen(j.output, "wb")) || fwrite(result, sizeof *result, count, f) != count || fclose(f)))
        fail(j.output, NULL);
    pool_stop(j.c.pool);
    return 0;
}
