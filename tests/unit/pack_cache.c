/* The cache of packed weights: the same network with it and without, stale and foreign files left alone, and any
 * number of processes at once.  The model is tests/golden/clip/micro, kept in a folder that is made here. */
#define _DEFAULT_SOURCE    /* mkdtemp, chown */
#include "formats/checkpoint/pack_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formats/checkpoint/model.h"
#include "lib/base/cpu.h"
#include "tests/tap.h"

#define MODEL "tests/golden/clip/micro.safetensors"

enum { WIDTH = 512, TOKENS = 5 };

static char top[] = "/tmp/unclip-pack-XXXXXX", dir[64], copy[64];
static const struct kern *kern;
static float want[WIDTH];
static void *volatile region;    /* for the leak detector, also in children: main's memory is in use */

/* ---- helpers ---- */

static const char *in(const char *folder, const char *name) {
    static char path[4][400];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* The one file that ends so, or "". */
static const char *only(const char *suffix, size_t *count) {
    static char name[300];
    DIR *d = opendir(dir);
    struct dirent *e;

    name[0] = 0;
    *count = 0;
    while (d && (e = readdir(d)))
        if (strlen(e->d_name) > strlen(suffix) && !strcmp(e->d_name + strlen(e->d_name) - strlen(suffix), suffix)) {
            snprintf(name, sizeof name, "%s", e->d_name);
            ++*count;
        }
    if (d)
        closedir(d);
    return name;
}

static const char *packed_file(void) {
    size_t n;

    return in(dir, only(".packed", &n));
}

static size_t temporaries(void) {
    size_t n;

    only(".tmp", &n);
    return n;
}

static void empty(void) {
    size_t n;

    for (const char *s; *(s = only(".packed", &n)) && unlink(in(dir, s)) == 0;)
        ;
    for (const char *s; *(s = only(".tmp", &n)) && unlink(in(dir, s)) == 0;)
        ;
}

static bool copy_file(const char *from, const char *to) {
    static char bytes[1 << 20];
    FILE *f = fopen(from, "rb"), *g = fopen(to, "wb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    bool good = g && n && fwrite(bytes, 1, n, g) == n;

    if (f)
        fclose(f);
    return g && fclose(g) == 0 && good;
}

/* Bind the text tower of a model through the cache in `where`, run it, keep what was packed.  What was said of it;
 * *right: are the numbers those of a run without any cache? */
static const char *once(const char *where, const char *model, const struct kern *k, bool *right, struct arena a) {
    static const int ids[TOKENS] = {3, 1, 4, 1, 5}, *const tokens = ids;
    static char say[1100];
    struct pack_cache cache = {.dir = where};
    const struct compute c = {k, NULL};
    const struct model_paths paths = {&model, 1, ACT_QUICK_GELU, &cache, NULL};
    const size_t len = TOKENS;
    struct clip_text *t = NULL;
    struct clip_model m;
    struct err e = {0};
    float out[WIDTH] = {0};

    *right = false;
    if (model_open_clip(&m, MODEL_TEXT, &paths, &a, &e) < 0 || !(t = model_bind_text(&m, &cache, &c, &a, &e)))
        return snprintf(say, sizeof say, "%s", e.msg), say;
    clip_text_run(t, &c, 1, &tokens, &len, out, NULL, arena_take(&a, clip_text_scratch(t, 1, len), 1));
    pack_cache_save(&cache, NULL);
    if (!where)
        memcpy(want, out, sizeof want);
    *right = !memcmp(want, out, sizeof want);
    snprintf(say, sizeof say, "%s", cache.entry ? cache.entry->say : "");
    return say;
}

static void says(const char *what, const char *expected, const char *where, const char *model, struct arena a) {
    bool right;
    const char *s = once(where, model, kern, &right, a);

    ok(right && strstr(s, expected), "%s: %s", what, s);
}

/* As it was once more: packed anew and kept, then found. */
static void mended(const char *what, const char *why, struct arena a) {
    bool right;
    const char *s = once(dir, MODEL, kern, &right, a);

    ok(right && strstr(s, why) && strstr(s, "), kept"), "%s: %s", what, s);
    says("... and after that", "found in", dir, MODEL, a);
}

/* ---- tests ---- */

static void kept_and_found(struct arena a) {
    struct stat st;
    bool right;

    ok(once(NULL, MODEL, kern, &right, a)[0] == 0, "without a cache nothing is said");
    says("first", "No such file or directory), kept", dir, MODEL, a);
    ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "the folder is the user's alone");
    ok(stat(packed_file(), &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size % 64 == 0, "so is the file: %s", packed_file());
    says("second", "found in", dir, MODEL, a);
    ok(strstr(once(dir, MODEL, &kern_c, &right, a), "") && !*once(dir, MODEL, &kern_c, &right, a),
       "a kernel that packs nothing keeps nothing");
    ok(!temporaries(), "no temporary file is left");
}

static void other_kernels(struct arena a) {
    const struct kern *k;
    size_t n = 0, files;
    bool right;

    for (size_t i = 0; (k = kern_list(i, cpu_flags())); i++)
        if (packed_useful(k)) {
            once(dir, MODEL, k, &right, a);
            n++;
        }
    only(".packed", &files);
    ok(files == n, "each kernel has a file of its own: %zu", n);
    empty();
    once(dir, MODEL, kern, &right, a);
}

static void broken_files(struct arena a) {
    struct stat st;
    char name[400];
    int fd, bad = 0;
    FILE *f;

    snprintf(name, sizeof name, "%s", packed_file());
    stat(name, &st);
    for (off_t n = 0; n < st.st_size; n += n < 1024 ? 31 : 4099) {
        bool right;
        bad += truncate(name, n) < 0 || !strstr(once(dir, MODEL, kern, &right, a), "kept") || !right;
    }
    ok(!bad, "cut short it is packed anew, wherever the cut");
    truncate(name, st.st_size - 1);
    mended("cut by one byte", "its head says", a);
    fd = open(name, O_WRONLY);
    ok(fd >= 0 && pwrite(fd, "2", 1, 14) == 1, "another version");
    close(fd);
    mended("a file of another version", "of another version", a);
    f = fopen(name, "wb");
    fputs("no such thing", f);
    fclose(f);
    mended("a file of something else", "not a file of packed weights", a);
    unlink(name);
    mkdir(name, 0700);
    says("a folder in its place", "not kept: Is a directory", dir, MODEL, a);
    rmdir(name);
    mkfifo(name, 0600);
    mended("a FIFO in its place", "not a regular file", a);
    rename(name, in(top, "elsewhere"));
    ok(symlink(in(top, "elsewhere"), name) == 0, "a link to it in its place");
    mended("a link", "Too many levels of symbolic links", a);
}

static void trust(struct arena a) {
    char name[400];

    snprintf(name, sizeof name, "%s", packed_file());
    chmod(name, 0620);
    mended("a file that the group may write", "others may write to it", a);
    chmod(name, 0602);
    mended("a file that everybody may write", "others may write to it", a);
    chmod(name, 0644);
    says("a file that everybody may read", "found in", dir, MODEL, a);
    chmod(dir, 0777);
    says("a folder where everybody may write", "others may write to it), not kept: others may write to it", dir, MODEL, a);
    chmod(dir, 01777);
    says("the same, sticky", "not kept: others may write to it", dir, MODEL, a);
    chmod(dir, 0700);
    if (geteuid() != 0) {
        skip("other owners: only root can give files away");
        return;
    }
    ok(chown(name, 1, 1) == 0, "given away");
    mended("a file of somebody else", "belongs to somebody else", a);
    ok(chown(dir, 1, 1) == 0, "given away");
    says("a folder of somebody else", "belongs to somebody else), not kept: belongs to somebody else", dir, MODEL, a);
    chown(dir, 0, 0);
    says("root's own again", "found in", dir, MODEL, a);
}

static void changed_models(struct arena a) {
    const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    char first[400];
    size_t n;
    int fd;

    ok(copy_file(MODEL, copy), "a model of our own");
    says("just made", "not kept: the model has just changed", dir, copy, a);
    sleep(3);
    says("seconds later", ", kept", dir, copy, a);
    only(".packed", &n);
    ok(n == 2, "models have files of their own");
    says("then", "found in", dir, copy, a);
    utimensat(AT_FDCWD, copy, now, 0);
    says("touched", "made of another model, or for another kernel), not kept", dir, copy, a);
    sleep(3);
    says("touched, seconds later", "made of another model, or for another kernel), kept", dir, copy, a);
    fd = open(copy, O_RDWR);
    ok(fd >= 0 && pwrite(fd, "\1", 1, 200000) == 1, "one weight changed, in place");
    futimens(fd, (struct timespec[2]){{0, UTIME_OMIT}, {1, 0}});
    close(fd);
    once(dir, copy, kern, &(bool){false}, a);
    ok(strstr(once(dir, copy, kern, &(bool){false}, a), "made of another model") != NULL, "is seen, whatever its mtime says");
    only(".packed", &n);
    ok(n == 2, "it takes the place of what it was before");
    snprintf(first, sizeof first, "%s", packed_file());
    unlink(copy);
    empty();
    mended("all removed", "No such file or directory", a);
}

static void foreign_file(struct arena a) {
    char name[400];
    bool right;

    snprintf(name, sizeof name, "%s", packed_file());
    rename(name, in(top, "ours"));
    once(dir, "tests/golden/clip/micro_zip.pt", kern, &right, a);
    ok(right && rename(packed_file(), name) == 0, "the file of the same numbers in another container, under this name");
    mended("it", "made of another model", a);
}

static void no_room(struct arena a) {
    struct rlimit old, small;
    char file[400];

    snprintf(file, sizeof file, "%s", packed_file());
    unlink(file);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 65536;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    says("no room", "not kept: File too large", dir, MODEL, a);
    setrlimit(RLIMIT_FSIZE, &old);
    ok(!temporaries(), "nothing is left of it");
    says("a folder that cannot be", "not kept: Not a directory", MODEL "/x", MODEL, a);
    says("a folder below one that is not there", "not kept: No such file or directory", "/nonexistent/a/b", MODEL, a);
    if (geteuid() != 0) {
        chmod(dir, 0500);
        says("a folder that is read-only", "not kept: Permission denied", dir, MODEL, a);
        chmod(dir, 0700);
    } else {
        skip("a folder that is read-only: root writes everywhere");
    }
    snprintf(file, sizeof file, "%s/new/deep", top);
    says("a folder is made, and the one around it", ", kept", file, MODEL, a);
}

static bool stop(void) {
    return true;
}

static void interrupted(struct arena a) {
    const char *model = MODEL;
    struct pack_cache cache = {.dir = dir};
    const struct compute c = {kern, NULL};
    const struct model_paths paths = {&model, 1, ACT_QUICK_GELU, &cache, NULL};
    struct clip_model m;
    struct err e = {0};

    empty();
    if (model_open_clip(&m, MODEL_TEXT, &paths, &a, &e) < 0 || !model_bind_text(&m, &cache, &c, &a, &e))
        ok(0, "%s", e.msg);
    pack_cache_save(&cache, stop);
    ok(strstr(cache.entry->say, "not kept: interrupted") && !*only(".packed", &(size_t){0}) && !temporaries(),
       "a signal while it is written: %s", cache.entry->say);
    cache = (struct pack_cache){.dir = dir, .least = PACK_LEAST};
    model_bind_text(&m, &cache, &c, &a, &e);
    pack_cache_save(&cache, NULL);
    ok(strstr(cache.entry->say, "not kept: too small") && !*only(".packed", &(size_t){0}), "a small model: %s", cache.entry->say);
}

/* A file of a size (sparse) that was used `days` ago. */
static void old_file(const char *name, off_t size, int days) {
    int fd = open(in(dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct timespec t[2] = {{time(NULL) - days * 86400L, 0}, {time(NULL) - days * 86400L, 0}};

    if (fd < 0 || ftruncate(fd, size) < 0 || futimens(fd, t) < 0)
        ok(0, "%s: %s", name, strerror(errno));
    close(fd);
}

static bool there(const char *name) {
    return access(in(dir, name), F_OK) == 0;
}

static void old_files(struct arena a) {
    const off_t gib = (off_t)1 << 30;

    empty();
    old_file("text.bf16.00000000000000aa.packed", 7 * gib, 5);
    old_file("image.bf16.00000000000000bb.packed", 7 * gib, 3);
    old_file("prior.bf16.00000000000000cc.packed", 7 * gib, 1);
    old_file("image.avx2.00000000000000dd.packed", 100, 31);
    old_file("00000000000000ee.tmp", 100, 2);
    old_file("00000000000000ff.tmp", 100, 0);
    old_file("letter.packed", 17 * gib, 99);
    old_file("a.b.c.00000000000000aa.packed", 100, 99);
    old_file("thesis.tmp", 100, 99);
    says("beside old files", ", kept", dir, MODEL, a);
    ok(!there("image.avx2.00000000000000dd.packed"), "what was not used for a month is gone");
    ok(!there("text.bf16.00000000000000aa.packed") && there("image.bf16.00000000000000bb.packed") &&
       there("prior.bf16.00000000000000cc.packed"), "of more than 16 GiB the longest unused is gone");
    ok(!there("00000000000000ee.tmp") && there("00000000000000ff.tmp"), "what a killed process left is gone, what is being written is not");
    ok(there("letter.packed") && there("thesis.tmp") && there("a.b.c.00000000000000aa.packed"), "nobody else's file is touched");
    empty();
}

static void used_today(struct arena a) {
    struct stat st;
    struct timespec t[2] = {{time(NULL) - 9 * 86400L, 0}, {time(NULL) - 9 * 86400L, 0}};
    char name[400];

    once(dir, MODEL, kern, &(bool){false}, a);
    snprintf(name, sizeof name, "%s", packed_file());
    utimensat(AT_FDCWD, name, t, 0);
    says("nine days later", "found in", dir, MODEL, a);
    ok(stat(name, &st) == 0 && time(NULL) - st.st_mtime < 60, "it counts as used");
}

/* One of many: start again and again, while files come and go and are cut short. */
static int worker(int number, struct arena a) {
    unsigned s = (unsigned)number;
    int bad = 0;

    for (int i = 0; i < 25; i++) {
        char name[400];
        bool right;
        const char *said = once(dir, MODEL, kern, &right, a);

        bad += !right || !(strstr(said, "found") || strstr(said, ", kept"));
        snprintf(name, sizeof name, "%s", packed_file());
        s = s * 1664525 + 1013904223;
        if (s >> 30 == 0)
            unlink(name);
        else if (s >> 30 == 1) {    /* a new file of rubbish; to cut one that others have mapped would kill them */
            char temp[420];
            FILE *f;
            snprintf(temp, sizeof temp, "%s.%d", name, number);
            if ((f = fopen(temp, "wb"))) {
                fprintf(f, "unclip packed 1\n%*s", (int)(s % 5000), "x");
                fclose(f);
                rename(temp, name);
            }
        }
    }
    return bad > 100 ? 100 : bad;
}

static void many(struct arena a) {
    int bad = 0, status, n = 6;

    fflush(stdout);
    empty();
    for (int i = 0; i < n; i++)
        if (fork() == 0)
            _exit(worker(i, a));
    while (n-- && wait(&status) > 0)
        bad += !WIFEXITED(status) || WEXITSTATUS(status);
    ok(!bad && !temporaries(), "six processes at once, 150 starts: all as it should be, nothing left");
}

int main(void) {
    TAP_ARENA(a, 64);
    char command[64];

    for (size_t i = 0; (kern = kern_list(i, cpu_flags())) && !packed_useful(kern);)
        i++;
    if (!kern) {
        skip("no kernel that packs on this machine");
        return done();
    }
    region = a_mem.base;
    umask(022);
    if (!mkdtemp(top))
        return 1;
    snprintf(dir, sizeof dir, "%s/cache", top);
    snprintf(copy, sizeof copy, "%s/model.safetensors", top);
    kept_and_found(a);
    other_kernels(a);
    broken_files(a);
    trust(a);
    changed_models(a);
    foreign_file(a);
    no_room(a);
    interrupted(a);
    old_files(a);
    used_today(a);
    many(a);
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command) != 0 || done();
}
