/* The start of a program (shared options, memory, signals) and its end. */
#include "tools/common/common.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "formats/checkpoint/pack_cache.h"
#include "formats/io/region.h"
#include "lib/base/pool.h"
#include "tools/stage/sample.h"

/* TOOL_ANY: the bit of the group of options that every program has.  OWN_MAX: the most options that a program may have
 * of its own. */
enum { TOOL_ANY = 1 << 30, OWN_MAX = OPT_MAX - 24 };

static volatile sig_atomic_t stop_signal;

/* ---- memory ---- */

/* Reserves the address space of the program's arena; address space alone costs nothing. */
static void reserve(struct tool *t) {
    struct err e = {0};

    if (region_reserve(&t->mem, (size_t)1 << 38, &e) < 0)
        die("%s", e.msg);
    t->arena = arena_open(&t->mem);
}

/* ---- signals ---- */

static void on_stop(int sig) {
    stop_signal = sig;    /* with SA_RESETHAND, a second signal kills the program at once */
}

static void on_bus(int sig) {
    static const char text[] = ": a file was cut short while it was being read\n";
    ssize_t r = write(2, tool_prog, strlen(tool_prog));

    r = write(2, text, sizeof text - 1);
    (void)r, (void)sig;
    _exit(2);
}

static void catch(int sig, void (*fn)(int), int flags) {
    struct sigaction sa;

    memset(&sa, 0, sizeof sa);
    sa.sa_handler = fn;
    sa.sa_flags = flags;
    sigemptyset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

void tool_catch_stop(void) {
    catch(SIGINT, on_stop, (int)SA_RESETHAND);
    catch(SIGTERM, on_stop, (int)SA_RESETHAND);
}

void tool_raise_stop(void) {
    if (!stop_signal)
        return;
    catch((int)stop_signal, SIG_DFL, 0);
    raise((int)stop_signal);
}

bool tool_stopped(void) {
    return stop_signal != 0;
}

/* ---- the shared options ---- */

static size_t shared_opts(struct tool *t, unsigned g, struct opt *o) {
    const struct {
        unsigned groups;    /* a program has the option if it has one of these groups */
        struct opt opt;
    } all[] = {
        {TOOL_MODEL, {'m', "model", OPT_LIST, &t->model.paths, "PATH", "a folder or file with (part of) the model; may be repeated", 0, 0, NULL}},
        {TOOL_MODEL, {0, "activation", OPT_CHOICE, &t->model.activation, "NAME", "CLIP's activation, in place of what its checkpoint says: quick_gelu or gelu", 0, 0, "auto|quick_gelu|gelu"}},
        {TOOL_STREAM, {0, "strict", OPT_FLAG, &t->input.strict, NULL, "stop at the first input that fails", 0, 0, NULL}},
        {TOOL_STREAM, {0, "keep-errors", OPT_FLAG, &t->input.keep_errors, NULL, "write a record with an error field for each input that fails", 0, 0, NULL}},
        {TOOL_STREAM, {0, "shard", OPT_STR, &t->input.shard, "I/N", "do only the inputs whose root hashes to part I of N", 0, 0, NULL}},
        {TOOL_STREAM, {0, "skip-from", OPT_STR, &t->output.skip_from, "FILE", "skip what this stream holds already; with -o FILE, append", 0, 0, NULL}},
        {TOOL_RECORDS, {'o', "output", OPT_STR, &t->output.name, "FILE", "write to FILE; - is standard output, a terminal too", 0, 0, NULL}},
        {TOOL_BATCH, {'b', "batch", OPT_INT, &t->input.batch, "N", "inputs computed together", 1, 4096, NULL}},
        {TOOL_COMPUTE, {'j', "threads", OPT_INT, &t->machine.threads, "N", "threads; default: the cores available", 1, POOL_MAX, NULL}},
        {TOOL_COMPUTE, {0, "kernel", OPT_STR, &t->machine.kernel, "NAME", "force the kernels: c, blis, avx2, avx512, bf16", 0, 0, NULL}},
        {TOOL_COMPUTE, {0, "precision", OPT_CHOICE, &t->machine.precision, "NAME", "f32 or bf16", 0, 0, "f32|bf16"}},
        {TOOL_COMPUTE, {0, "cache", OPT_STR, &t->model.cache_dir, "DIR", "keep packed weights in DIR, or none", 0, 0, NULL}},
        {TOOL_NOISE, {'s', "seed", OPT_STR, &t->noise.seed_text, "N", "seed of the noise, or random (0)", 0, 0, NULL}},
        {TOOL_NOISE, {0, "rng", OPT_CHOICE, &t->noise.rng, "NAME", "whose noise: unclip's, or that of a PyTorch CPU generator", 0, 0, "unclip|torch"}},
        {TOOL_NOISE, {0, "noise-id", OPT_STR, &t->noise.id, "STR", "draw noise for this id, the same for all records", 0, 0, NULL}},
        {TOOL_NOISE, {'n', "count", OPT_INT, &t->noise.n, "N", "results of each record (1)", 1, SAMPLE_MAX, NULL}},
        {TOOL_NUL, {'0', "null", OPT_FLAG, &t->input.nul, NULL, "items end in NUL, not in newline", 0, 0, NULL}},
        {TOOL_PROGRESS, {0, "progress", OPT_CHOICE, &t->progress.when, "WHEN", "auto, json or none", 0, 0, "auto|json|none"}},
        {TOOL_PROGRESS, {'q', "quiet", OPT_FLAG, &t->quiet, NULL, "no progress line and no warnings", 0, 0, NULL}},
        {TOOL_ANY, {'v', "verbose", OPT_FLAG, &t->verbose, NULL, "say which model and kernels run, and at the end what was done", 0, 0, NULL}},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].groups & g)
            o[n++] = all[i].opt;
    return n;
}

static void parse_seed(struct tool *t) {
    struct opt o = {'s', "seed", OPT_INT, &t->noise.seed, NULL, NULL, 0, 0x1p53, NULL};
    uint64_t r;

    if (!t->noise.seed_text)
        return;
    if (strcmp(t->noise.seed_text, "random") != 0) {
        tool_set_int(&o, t->noise.seed_text);
        return;
    }
    if (getrandom(&r, sizeof r, 0) != sizeof r)
        die_errno("--seed random");
    t->noise.seed = (int64_t)(r >> 32);    /* 32 bits, which a PyTorch generator takes, too */
}

static void parse_shard(struct tool *t) {
    char *end;
    unsigned long long i, n;

    if (!t->input.shard)
        return;
    i = strtoull(t->input.shard, &end, 10);
    n = *end == '/' && isdigit((unsigned char)end[1]) ? strtoull(end + 1, &end, 10) : 0;
    if (!isdigit((unsigned char)*t->input.shard) || *end || i < 1 || i > n || n > 1000000) {
        warn("--shard: '%s' is not I/N with 1 <= I <= N", t->input.shard);
        tool_bad_usage();
    }
    t->input.shard_i = i - 1;
    t->input.shard_n = n;
}

/* Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed.  Otherwise the next file that is opened would
 * get the closed descriptor's number, and messages could go into results.  /dev/null is opened so that reading
 * descriptor 0, or writing descriptor 1 or 2, fails. */
static void hold_descriptors(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            _exit(2);
}

int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown) {
    struct opt o[OPT_MAX];
    bool help = false, version = false;
    size_t n;

    hold_descriptors();
    tool_prog = name;
    t->name = name;
    t->groups = groups;
    t->output.fd = 1, t->output.open = true, t->output.held = -1;
    t->noise.n = t->noise.n ? t->noise.n : 1;
    if (nown > OWN_MAX)
        die("too many options");
    n = shared_opts(t, groups | TOOL_ANY, o);
    for (size_t i = 0; i < nown; i++)
        o[n++] = own[i];
    o[n++] = (struct opt){'h', "help", OPT_FLAG, &help, NULL, "print this", 0, 0, NULL};
    o[n++] = (struct opt){'V', "version", OPT_FLAG, &version, NULL, "print versions, libraries and kernels", 0, 0, NULL};
    tool_parse(t, argc, argv, o, n, synopsis);
    if (version)
        tool_print_version();
    parse_shard(t);
    parse_seed(t);
    reserve(t);
    catch(SIGBUS, on_bus, 0);
    return optind;
}

/* Writes the weights that this run packed to the cache, for the next start.  Called when the outputs are closed. */
static void keep_packed(struct tool *t) {
    catch(SIGXFSZ, SIG_IGN, 0);    /* a file larger than ulimit -f gives an error, like a full disk, not a signal */
    if (!t->model.cache)
        return;
    if (!tool_stopped())
        pack_cache_save(t->model.cache, tool_stopped);
    for (const struct pack_entry *n = t->model.cache->entry; n && t->verbose; n = n->next)
        warn("cache: %s: %s", n->part, n->say);
}

/* Returns the MiB of memory that hold no file's pages.  An arena gives none back, so these are the most there were, except for
 * pictures and other blocks that were freed.  Without /proc: the MiB of the arena alone. */
static double own_mib(const struct tool *t) {
    FILE *f = fopen("/proc/self/status", "re");
    char line[200];
    unsigned long kib = 0;

    while (f && fgets(line, sizeof line, f) && sscanf(line, "RssAnon: %lu", &kib) != 1)
        ;
    if (f)
        fclose(f);
    return kib ? (double)kib / 1024 : (double)t->mem.peak / 1048576;
}

int tool_finish(struct tool *t) {
    int status = t->status;

    if (t->progress.line)
        fprintf(stderr, "\r\033[K");
    pool_stop(t->compute.pool);
    t->compute.pool = NULL;
    if (tool_flush_own() < 0 || fflush(stdout) == EOF || ferror(stdout) || tool_close_output(t) != 0)
        die_errno("write error");
    warn_counted();
    keep_packed(t);
    if (t->verbose)
        fprintf(stderr, "%s: %llu done, %llu failed, %llu skipped; %.1f MiB of memory of our own\n", tool_prog,
                (unsigned long long)t->done, (unsigned long long)t->failed, (unsigned long long)t->skipped, own_mib(t));
    tool_raise_stop();
    return status ? status : t->failed ? 1 : 0;
}
