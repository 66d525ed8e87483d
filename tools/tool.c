/* The parts that all programs share.  _GNU_SOURCE: sched_getaffinity, MAP_NORESERVE. */
#define _GNU_SOURCE
#include "tools/tool.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <msgpack.h>
#include <utf8proc.h>
#include <zlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/cpu.h"
#include "lib/kern.h"

static const char *prog = "unclip";
static volatile sig_atomic_t stop_signal;

/* ---- messages ---- */

__attribute__((format(printf, 1, 0)))
static void vsay(const char *fmt, va_list ap, int with_errno) {
    int e = errno;

    fflush(stdout);
    fprintf(stderr, "%s: ", prog);
    vfprintf(stderr, fmt, ap);
    if (with_errno)
        fprintf(stderr, ": %s", strerror(e));
    fputc('\n', stderr);
}

void die(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsay(fmt, ap, 0);
    va_end(ap);
    exit(2);
}

void die_errno(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsay(fmt, ap, 1);
    va_end(ap);
    exit(2);
}

void warn(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsay(fmt, ap, 0);
    va_end(ap);
}

const char *tool_quote(struct span s, char *buf, size_t room) {
    static const char hex[] = "0123456789abcdef";
    bool utf8 = utf8_valid(s.p, s.n);
    size_t at = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = s.p[i];
        if (at + 8 > room) {
            memcpy(buf + at, "...", 3);
            at += 3;
            break;
        }
        if (c < 32 || c == 127 || (c >= 128 && !utf8)) {
            buf[at++] = '\\', buf[at++] = 'x', buf[at++] = hex[c >> 4], buf[at++] = hex[c & 15];
        } else {
            buf[at++] = (char)c;
        }
    }
    buf[at] = 0;
    return buf;
}

/* ---- memory ---- */

static int commit(void *at, size_t n) {
    return mprotect(at, n, PROT_READ | PROT_WRITE);
}

/* Address space costs nothing; less of it only where a limit (ulimit -v) asks for less. */
static void reserve(struct tool *t) {
    for (size_t n = (size_t)1 << 38; n >= (size_t)64 << 20; n /= 2) {
        void *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            continue;
        t->mem = (struct arena_mem){p, n, 0, 0, commit};
        t->arena = arena_open(&t->mem);
        return;
    }
    die_errno("no address space");
}

/* ---- signals ---- */

static void on_stop(int sig) {
    stop_signal = sig;    /* SA_RESETHAND: a second one kills at once */
}

static void on_bus(int sig) {
    static const char text[] = ": a file was cut short while it was being read\n";
    ssize_t r = write(2, prog, strlen(prog));

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

bool tool_stopped(void) {
    return stop_signal != 0;
}

/* ---- version ---- */

static noreturn void print_version(void) {
    const char *arch = cpu_blis_arch();

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    printf("%s (unclip) %s\n", prog, UNCLIP_VERSION);
    printf("BLIS %s (%s), msgpack-c %s, jansson %s, utf8proc %s, zlib %s, xxHash %u.%u.%u\n",
           kern_blis_version(), kern_blis_arch(), msgpack_version(), jansson_version_str(), utf8proc_version(),
           zlibVersion(), XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
    printf("pictures: stb_image");
#ifdef HAVE_LIBJPEG
    printf(", libjpeg-turbo");
#endif
#ifdef HAVE_LIBWEBP
    printf(", libwebp");
#endif
#ifdef HAVE_LIBHEIF
    printf(", libheif");
#endif
    printf("\nkernels:");
    for (size_t i = 0; kern_list(i, cpu_flags()); i++)
        printf(" %s (%s)", kern_list(i, cpu_flags())->name,
               kern_list(i, cpu_flags())->precision == PREC_BF16 ? "bf16" : "f32");
    printf("\n");
    exit(fflush(stdout) || ferror(stdout) ? 2 : 0);
}

/* ---- options ---- */

enum { OWN_MAX = 48, OPT_MAX = 72, LONG_ONLY = 1000 };

static size_t shared_opts(struct tool *t, unsigned g, struct opt *o) {
    const struct opt all[] = {
        {'m', "model", OPT_LIST, &t->model, "PATH", "a folder or file with (part of) the model; may be repeated", 0, 0, NULL},
        {0, "activation", OPT_CHOICE, &t->activation, "NAME", "the activation of a bare state dict: quick_gelu or gelu", 0, 0, "auto|quick_gelu|gelu"},
        {0, "strict", OPT_FLAG, &t->strict, NULL, "stop at the first input that fails", 0, 0, NULL},
        {0, "keep-errors", OPT_FLAG, &t->keep_errors, NULL, "write a record with an error field for each input that fails", 0, 0, NULL},
        {0, "shard", OPT_STR, &t->shard, "I/N", "do only the inputs whose root hashes to part I of N", 0, 0, NULL},
        {0, "skip-from", OPT_STR, &t->skip_from, "FILE", "skip what this stream holds already; with -o FILE, append", 0, 0, NULL},
        {'o', "output", OPT_STR, &t->out, "FILE", "write to FILE; - is standard output, a terminal too", 0, 0, NULL},
        {'b', "batch", OPT_INT, &t->batch, "N", "inputs computed together", 1, 4096, NULL},
        {'j', "threads", OPT_INT, &t->threads, "N", "threads; default: the cores available", 1, POOL_MAX, NULL},
        {0, "kernel", OPT_STR, &t->kernel, "NAME", "force the kernels: c, blis, avx2, avx512, bf16", 0, 0, NULL},
        {0, "precision", OPT_CHOICE, &t->precision, "NAME", "f32 or bf16", 0, 0, "f32|bf16"},
        {'s', "seed", OPT_STR, &t->seed_text, "N", "seed of the noise, or random (0)", 0, 0, NULL},
        {0, "rng", OPT_CHOICE, &t->rng, "NAME", "whose noise: unclip's, or that of a PyTorch CPU generator", 0, 0, "unclip|torch"},
        {0, "noise-id", OPT_STR, &t->noise_id, "STR", "draw noise for this id, the same for all records", 0, 0, NULL},
        {'n', "count", OPT_INT, &t->n, "N", "results of each record (1)", 1, SAMPLE_MAX, NULL},
        {'0', "null", OPT_FLAG, &t->nul, NULL, "items end in NUL, not in newline", 0, 0, NULL},
        {0, "progress", OPT_CHOICE, &t->progress, "WHEN", "auto, json or none", 0, 0, "auto|json|none"},
        {'q', "quiet", OPT_FLAG, &t->quiet, NULL, "no progress line and no warnings", 0, 0, NULL},
        {'v', "verbose", OPT_FLAG, &t->verbose, NULL, "say which model and kernels run, and at the end what was done", 0, 0, NULL},
    };
    const unsigned group[] = {TOOL_MODEL, TOOL_MODEL, TOOL_STREAM, TOOL_STREAM, TOOL_STREAM, TOOL_STREAM,
                              TOOL_RECORDS, TOOL_BATCH, TOOL_COMPUTE, TOOL_COMPUTE, TOOL_COMPUTE,
                              TOOL_NOISE, TOOL_NOISE, TOOL_NOISE, TOOL_NOISE, TOOL_NUL, TOOL_PROGRESS, TOOL_PROGRESS, ~0u};
    size_t n = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (group[i] & g || group[i] == ~0u)
            o[n++] = all[i];
    return n;
}

static noreturn void bad_usage(void) {
    fprintf(stderr, "try '%s -h'\n", prog);
    exit(2);
}

/* How messages name an option: "--batch". */
static noreturn void bad_value(const struct opt *o, const char *arg, const char *why) {
    warn("--%s: '%s' is not %s", o->name, arg, why);
    bad_usage();
}

static void set_int(const struct opt *o, const char *arg) {
    char *end, why[96];
    long long v;

    errno = 0;
    v = strtoll(arg, &end, 10);
    if (errno || end == arg || *end || isspace((unsigned char)*arg) ||
        (double)v < o->min || (double)v > o->max) {
        snprintf(why, sizeof why, "a whole number from %.0f to %.0f", o->min, o->max);
        bad_value(o, arg, why);
    }
    *(int64_t *)o->to = v;
}

static void set_float(const struct opt *o, const char *arg) {
    char *end, why[96];
    double v;

    v = strtod(arg, &end);
    if (end == arg || *end || isspace((unsigned char)*arg) || !(v >= o->min && v <= o->max)) {
        snprintf(why, sizeof why, "a number from %g to %g", o->min, o->max);
        bad_value(o, arg, why);
    }
    *(double *)o->to = v;
}

static void set_choice(const struct opt *o, const char *arg) {
    size_t n = strlen(arg);
    int i = 0;

    for (const char *c = o->choices; c; i++) {
        const char *bar = strchr(c, '|');
        size_t len = bar ? (size_t)(bar - c) : strlen(c);
        if (len == n && !memcmp(c, arg, n)) {
            *(int *)o->to = i;
            return;
        }
        c = bar ? bar + 1 : NULL;
    }
    bad_value(o, arg, o->choices);
}

static void set_opt(const struct opt *o, const char *arg) {
    struct strs *l = o->to;

    switch (o->kind) {
    case OPT_FLAG: *(bool *)o->to = true; break;
    case OPT_STR: *(const char **)o->to = arg; break;
    case OPT_INT: set_int(o, arg); break;
    case OPT_MAYBE_INT:
        *(int64_t *)o->to = -1;
        if (arg)
            set_int(o, arg);
        break;
    case OPT_FLOAT: set_float(o, arg); break;
    case OPT_CHOICE: set_choice(o, arg); break;
    case OPT_MAYBE_CHOICE:
        *(int *)o->to = 0;
        if (arg)
            set_choice(o, arg);
        break;
    case OPT_LIST:
        if (l->n == TOOL_LIST)
            die("--%s may be given %d times at most", o->name, TOOL_LIST);
        l->v[l->n++] = arg;
        break;
    }
}

static void print_help(const char *synopsis, const struct opt *o, size_t n) {
    printf("usage: %s %s\n", prog, synopsis);
    for (size_t i = 0; i < n; i++) {
        char left[64];
        int w = o[i].letter ? snprintf(left, sizeof left, "-%c, --%s", o[i].letter, o[i].name)
                            : snprintf(left, sizeof left, "    --%s", o[i].name);
        bool maybe = o[i].kind == OPT_MAYBE_INT || o[i].kind == OPT_MAYBE_CHOICE;
        if (o[i].arg)
            snprintf(left + w, sizeof left - (size_t)w, maybe ? "[=%s%s]" : "%s%s",
                     maybe ? "" : o[i].letter ? " " : "=", o[i].arg);
        printf("  %-28s %s\n", left, o[i].help);
    }
}

static int by_letter(const void *a, const void *b) {
    const struct opt *x = a, *y = b;
    int lx = x->letter ? tolower(x->letter) : 256, ly = y->letter ? tolower(y->letter) : 256;

    if (lx != ly)
        return lx - ly;
    return x->letter != y->letter ? x->letter - y->letter : strcmp(x->name, y->name);
}

static void parse(int argc, char *argv[], const struct opt *o, size_t n, const char *synopsis) {
    struct option lo[OPT_MAX + 1];
    char letters[2 * OPT_MAX + 2];
    size_t at = 0;
    int c;

    memset(lo, 0, sizeof lo);
    letters[at++] = ':';
    for (size_t i = 0; i < n; i++) {
        bool maybe = o[i].kind == OPT_MAYBE_INT || o[i].kind == OPT_MAYBE_CHOICE;
        int takes = o[i].kind == OPT_FLAG ? no_argument : maybe ? optional_argument : required_argument;
        lo[i] = (struct option){o[i].name, takes, NULL, LONG_ONLY + (int)i};
        if (o[i].letter) {
            letters[at++] = (char)o[i].letter;
            if (o[i].kind != OPT_FLAG)
                letters[at++] = ':';
        }
    }
    letters[at] = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
        size_t i = 0;
        if (c == '?' || c == ':') {
            const char *word = argv[optind - 1];
            if (c == ':')
                warn("option '%s' needs an argument", word);
            else if (optopt && optopt < LONG_ONLY)
                warn("unknown option '-%c'", optopt);
            else
                warn("unknown option '%s'", word);
            bad_usage();
        }
        if (c >= LONG_ONLY)
            i = (size_t)(c - LONG_ONLY);
        else
            while (o[i].letter != c)
                i++;
        set_opt(&o[i], optarg);
        if (o[i].letter == 'h') {
            print_help(synopsis, o, n);
            exit(fflush(stdout) || ferror(stdout) ? 2 : 0);
        }
    }
}

static void parse_seed(struct tool *t) {
    struct opt o = {'s', "seed", OPT_INT, &t->seed, NULL, NULL, 0, 0x1p53, NULL};
    uint64_t r;

    if (!t->seed_text)
        return;
    if (strcmp(t->seed_text, "random") != 0) {
        set_int(&o, t->seed_text);
        return;
    }
    if (getrandom(&r, sizeof r, 0) != sizeof r)
        die_errno("--seed random");
    t->seed = (int64_t)(r >> 32);    /* 32 bits: what a PyTorch generator takes, too */
}

static void parse_shard(struct tool *t) {
    char *end;
    unsigned long long i, n;

    if (!t->shard)
        return;
    i = strtoull(t->shard, &end, 10);
    n = *end == '/' && isdigit((unsigned char)end[1]) ? strtoull(end + 1, &end, 10) : 0;
    if (!isdigit((unsigned char)*t->shard) || *end || i < 1 || i > n || n > 1000000) {
        warn("--shard: '%s' is not I/N with 1 <= I <= N", t->shard);
        bad_usage();
    }
    t->shard_i = i - 1;
    t->shard_n = n;
}

int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown) {
    struct opt o[OPT_MAX];
    bool help = false, version = false;
    size_t n;

    prog = name;
    t->name = name;
    t->out_fd = 1;
    t->n = t->n ? t->n : 1;
    if (nown > OWN_MAX)
        die("too many options");
    n = shared_opts(t, groups, o);
    for (size_t i = 0; i < nown; i++)
        o[n++] = own[i];
    o[n++] = (struct opt){'h', "help", OPT_FLAG, &help, NULL, "print this", 0, 0, NULL};
    o[n++] = (struct opt){'V', "version", OPT_FLAG, &version, NULL, "print versions, libraries and kernels", 0, 0, NULL};
    qsort(o, n, sizeof *o, by_letter);
    parse(argc, argv, o, n, synopsis);
    if (version)
        print_version();
    parse_shard(t);
    parse_seed(t);
    reserve(t);
    catch(SIGBUS, on_bus, 0);
    return optind;
}

/* ---- models ---- */

static bool exists(const char *path) {
    struct stat st;

    return stat(path, &st) == 0;
}

/* The model in the box: beside the build, beside an installation that was moved, or where
 * `make install` put it. */
static const char *built_in_model(struct tool *t) {
    static const char *const near_[] = {"/../../examples/emoji", "/../share/unclip/emoji"};
    char self[4096], path[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n > 0) {
        self[n] = 0;
        slash = strrchr(self, '/');
        if (slash)
            *slash = 0;
        for (size_t i = 0; slash && i < sizeof near_ / sizeof *near_; i++) {
            snprintf(path, sizeof path, "%s%s", self, near_[i]);
            if (exists(path))
                return arena_str(&t->arena, path, strlen(path));
        }
    }
    return UNCLIP_DATADIR "/unclip/emoji";
}

struct model_paths tool_models(struct tool *t) {
    const char *env = getenv("UNCLIP_MODEL");

    if (!t->model.n && env && *env) {
        for (const char *p = env; *p && t->model.n < TOOL_LIST;) {
            size_t n = strcspn(p, ":");
            if (n)
                t->model.v[t->model.n++] = arena_str(&t->arena, p, n);
            p += n + (p[n] == ':');
        }
    }
    if (!t->model.n)
        t->model.v[t->model.n++] = built_in_model(t);
    return (struct model_paths){t->model.v, t->model.n,
                                t->activation == 1 ? ACT_QUICK_GELU : t->activation == 2 ? ACT_GELU : -1};
}

/* ---- compute ---- */

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

/* ---- output ---- */

/* -o FILE is also what --skip-from names: go on behind its last whole record. */
static int open_append(struct tool *t, const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        die_errno("%s", path);
    if (t->resume.end < t->resume.size) {
        if (!t->quiet)
            warn("%s: %llu bytes of an unfinished record are cut off", path,
                 (unsigned long long)(t->resume.size - t->resume.end));
        if (ftruncate(fd, (off_t)t->resume.end) < 0)
            die_errno("%s", path);
    }
    if (lseek(fd, (off_t)t->resume.end, SEEK_SET) < 0)
        die_errno("%s", path);
    return fd;
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Emptying the file that standard input comes from would lose it. */
static void refuse_input_as_output(const char *path) {
    struct stat in, out;

    if (fstat(0, &in) == 0 && S_ISREG(in.st_mode) && stat(path, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        die("%s: input file is output file", path);
}

void tool_not_output(const struct tool *t, const char *name) {
    struct stat st;

    if (t->out && strcmp(t->out, "-") != 0 && same_file(t->out, name) && stat(name, &st) == 0 &&
        S_ISREG(st.st_mode))
        die("%s: input file is output file", name);
}

void tool_not_outputs(const struct tool *t, int n, char *name[]) {
    for (int i = 0; i < n; i++)
        tool_not_output(t, name[i]);
}

static void open_output(struct tool *t, bool append) {
    if (!t->out || !strcmp(t->out, "-")) {
        if (!t->out && !t->text && isatty(1))
            die("records are not for a terminal: use -o FILE, a pipe (| record-json shows them), "
                "or -o - to have them all the same");
        return;
    }
    refuse_input_as_output(t->out);
    t->out_fd = append ? open_append(t, t->out)
                       : open(t->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (t->out_fd < 0)
        die_errno("%s", t->out);
}

void tool_output(struct tool *t, size_t nfields, const char *const fields[]) {
    bool same = t->skip_from && t->out && (!strcmp(t->skip_from, t->out) || same_file(t->skip_from, t->out));
    struct err e = {0};

    if (t->skip_from &&
        resume_load(&t->resume, t->skip_from, t->name, nfields, fields, &t->arena, &e) < 0)
        die("%s: %s", t->skip_from, e.msg);
    open_output(t, same);
    catch(SIGINT, on_stop, (int)SA_RESETHAND);
    catch(SIGTERM, on_stop, (int)SA_RESETHAND);
}

void tool_write(struct tool *t, const struct record *r, struct arena scratch) {
    struct err e = {0};
    struct span s;

    if (t->text)
        return;
    if (record_encode(r, &s, &scratch, &e) < 0)
        die("%s", e.msg);
    if (write_all(t->out_fd, s.p, s.n) < 0)
        die_errno("write error");
}

/* ---- input ---- */

void tool_stream(struct tool *t, struct stream *s, const char *name) {
    size_t room = (size_t)(t->arena.end - t->arena.at) / 4, most = (size_t)1 << 33;
    struct err e = {0};

    if (!strcmp(name, "-") && isatty(0))
        die("a stream of records is wanted on standard input, which is a terminal (try '%s -h')", prog);
    if (stream_open(s, name, &t->arena, room < most ? room : most, &e) < 0)
        die("%s: %s", name, e.msg);
}

bool tool_other_shard(const struct tool *t, struct span root) {
    return t->shard_n && XXH64(root.p, root.n, 0) % t->shard_n != t->shard_i;
}

/* The last failure that --strict waits for: what is written is whole, then the end. */
static void count_failure(struct tool *t) {
    t->failed++;
    if (t->strict)
        exit(tool_finish(t));
}

/* A record that failed before this program: on it goes, or is named where there are no records. */
static void pass_failed(struct tool *t, const struct stream *s, const struct record *r, struct arena scratch) {
    struct span why = {(const unsigned char *)"", 0};
    char id[300], text[600];

    if (t->text && record_str(r, "error", &why, NULL) >= 0)
        warn("%s: record %llu (%s): %s", s->name, (unsigned long long)s->number,
             tool_quote(r->id, id, sizeof id), tool_quote(why, text, sizeof text));
    tool_write(t, r, scratch);
    count_failure(t);
}

int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a) {
    for (;;) {
        struct arena before = *a;
        struct err e = {0};
        int got;

        if (tool_stopped())
            return 0;
        got = stream_next(s, r, a, &e);
        if (got == 0 || (got < 0 && tool_stopped()))
            return 0;
        if (t->flush && (got < 0 || record_has(r, "error")))
            t->flush(t->flush_of);
        if (got < 0) {
            warn("%s: %s", s->name, e.msg);
            if (got == -2)
                t->strict = true;
            count_failure(t);
        } else if (!tool_other_shard(t, record_root(r))) {
            if (!record_has(r, "error"))
                return 1;
            pass_failed(t, s, r, *a);
        }
        *a = before;
    }
}

bool tool_skip(struct tool *t, struct span id, struct span params, size_t nfields, const struct span fp[]) {
    if (!t->skip_from || !resume_has(&t->resume, resume_key(id, params, nfields, fp)))
        return false;
    t->skipped++;
    return true;
}

void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r,
                        const char *reason, struct arena scratch) {
    char id[300];
    struct err e = {0};
    struct span text = {(const unsigned char *)reason, strlen(reason)};

    warn("%s: record %llu (%s): %s", file, (unsigned long long)number,
         tool_quote(r->id, id, sizeof id), reason);
    if (t->keep_errors) {
        r->a = &scratch;
        if (record_set_text(r, "error", text, &e) < 0)
            die("%s", e.msg);
        tool_write(t, r, scratch);
    }
    count_failure(t);
}

void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch) {
    struct span text = {(const unsigned char *)reason, strlen(reason)};
    struct record r;
    struct err e = {0};
    bool bin;
    char name[1100];

    warn("%s: %s", tool_quote((struct span){(const unsigned char *)where, strlen(where)}, name, sizeof name),
         reason);
    if (t->keep_errors) {
        if (record_id(id, &id, &bin, &scratch, &e) < 0 || record_new(&r, id, bin, &scratch, &e) < 0 ||
            record_set_text(&r, "error", text, &e) < 0)
            die("%s", e.msg);
        tool_write(t, &r, scratch);
    }
    count_failure(t);
}

/* ---- samplers ---- */

static void run_stream(struct tool *t, const char *file, int (*fn)(void *, struct record *, struct arena, struct err *),
                       void *ctx) {
    struct stream s;
    struct record r;

    tool_stream(t, &s, file);
    for (;;) {
        struct arena a = t->arena;
        struct err e = {{0}};
        int got;

        if (!tool_next(t, &s, &r, &a))
            break;
        got = fn(ctx, &r, a, &e);
        if (tool_stopped())
            break;
        if (got < 0)
            tool_record_failed(t, s.name, s.number, &r, e.msg, a);
        t->done += got > 0;
        tool_progress(t, 0);
    }
    stream_close(&s);
}

void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *, struct record *, struct arena, struct err *),
                  void *ctx) {
    if (n == 0)
        run_stream(t, "-", fn, ctx);
    for (int i = 0; i < n && !tool_stopped(); i++)
        run_stream(t, files[i], fn, ctx);
}

int tool_noise_id(struct tool *t, struct record *r, struct err *e) {
    struct span id = {(const unsigned char *)t->noise_id, t->noise_id ? strlen(t->noise_id) : 0};

    return t->noise_id ? record_set_text(r, "noise_id", id, e) : 0;
}

void tool_params(const struct tool *t, struct mp *m) {
    mp_cstr(m, "version"), mp_cstr(m, UNCLIP_VERSION);
    mp_cstr(m, "kernel"), mp_cstr(m, t->compute.kern->name);
    mp_cstr(m, "precision"), mp_cstr(m, t->precision == 1 ? "bf16" : "f32");
    mp_cstr(m, "seed"), mp_int(m, t->seed);
    mp_cstr(m, "rng"), mp_cstr(m, t->rng ? "torch" : "unclip");
}

bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a) {
    struct err none = {{0}};
    size_t held = 0, n = (size_t)t->n;

    for (size_t i = 0; t->skip_from && i < n; i++) {
        struct arena b = a;
        struct record c;
        if (record_copy(&c, r, &b, &none) < 0 || sample_child(&c, s, i, n, &none) < 0)
            return false;
        held += resume_has(&t->resume, resume_key(c.id, params, 1, &fp));
    }
    t->skipped += held == n;
    return held == n;
}

int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e) {
    if (record_copy(child, r, a, e) < 0 || sample_child(child, s, i, (size_t)t->n, e) < 0 ||
        record_set_sub_text(child, "model", field, fp, e) < 0 || record_add_params(child, t->name, params, e) < 0)
        return -1;
    return 0;
}

/* ---- progress and the end ---- */

static double now(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

void tool_progress(struct tool *t, uint64_t total) {
    bool json = t->progress == 1, tty = t->progress == 0 && !t->quiet && !t->verbose && isatty(2);
    uint64_t n = t->done + t->failed + t->skipped;
    double at, left;

    if (!json && !tty)
        return;
    at = now();
    if (t->begun == 0)
        t->begun = at;
    if (at - t->shown < 0.1 && !(total && n == total))
        return;
    t->shown = at;
    left = total && t->done ? (at - t->begun) / (double)t->done * (double)(total - n) : -1;
    if (json) {
        fprintf(stderr, "{\"program\":\"%s\",\"done\":%llu,\"failed\":%llu,\"skipped\":%llu", prog,
                (unsigned long long)t->done, (unsigned long long)t->failed, (unsigned long long)t->skipped);
        if (total)
            fprintf(stderr, ",\"total\":%llu", (unsigned long long)total);
        if (left >= 0)
            fprintf(stderr, ",\"seconds_left\":%.1f", left);
        fprintf(stderr, "}\n");
        return;
    }
    t->line = true;
    fprintf(stderr, "\r%s: %llu", prog, (unsigned long long)n);
    if (total)
        fprintf(stderr, " of %llu", (unsigned long long)total);
    if (left >= 0)
        fprintf(stderr, ", %.0f s left", left);
    fprintf(stderr, "\033[K");
}

void tool_step(struct tool *t, size_t step, size_t steps) {
    uint64_t n = t->done + t->failed + t->skipped + 1;
    bool json = t->progress == 1, tty = t->progress == 0 && !t->quiet && !t->verbose && isatty(2);
    double at, left;

    if (!json && !tty)
        return;
    at = now();
    if (step == 1)
        t->record_begun = at;
    if (at - t->shown < 0.1 && step != steps)
        return;
    t->shown = at;
    left = step > 1 ? (at - t->record_begun) / (double)(step - 1) * (double)(steps - step) : -1;
    if (json) {
        fprintf(stderr, "{\"program\":\"%s\",\"record\":%llu,\"step\":%zu,\"steps\":%zu", prog,
                (unsigned long long)n, step, steps);
        if (left >= 0)
            fprintf(stderr, ",\"seconds_left\":%.1f", left);
        fprintf(stderr, "}\n");
        return;
    }
    t->line = true;
    fprintf(stderr, "\r%s: record %llu, step %zu of %zu", prog, (unsigned long long)n, step, steps);
    if (left >= 0)
        fprintf(stderr, ", %.0f s left", left);
    fprintf(stderr, "\033[K");
}

bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0) {
    (void)x, (void)x0;
    tool_step(tool, step, steps);
    return !tool_stopped();
}

int tool_finish(struct tool *t) {
    int status = t->status;

    if (t->line)
        fprintf(stderr, "\r\033[K");
    pool_stop(t->compute.pool);
    t->compute.pool = NULL;
    if (fflush(stdout) == EOF || ferror(stdout) || (t->out_fd != 1 ? close(t->out_fd) : fclose(stdout)) != 0)
        die_errno("write error");
    if (t->verbose)
        fprintf(stderr, "%s: %llu done, %llu failed, %llu skipped; %.1f MiB of memory of our own at most\n", prog,
                (unsigned long long)t->done, (unsigned long long)t->failed, (unsigned long long)t->skipped,
                (double)t->mem.peak / 1048576);
    if (stop_signal) {
        catch((int)stop_signal, SIG_DFL, 0);
        raise((int)stop_signal);
    }
    return status ? status : t->failed ? 1 : 0;
}
