#include "formats/checkpoint/find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "formats/io/lfs_pointer.h"
#include "formats/io/near.h"
#include "formats/io/pathname.h"

int find_failed(struct find *f, const char *file, const struct err *inner) {
    return err_at(f->e, file, inner);
}

int find_map(struct find *f, const char *file, struct mapfile *m) {
    struct err inner = {0};

    if (mapfile_open(m, file, &inner) < 0 || mapfile_keep(m, f->a, &inner) < 0)
        return find_failed(f, file, &inner);
    if (lfs_pointer(m->p, m->n)) {
        err_set(&inner, "%s", lfs_pointer(m->p, m->n));
        return find_failed(f, file, &inner);
    }
    return 0;
}

/* ---- names of weights ---- */

enum { NAMES = 10 };

static const char *const weights_names[][NAMES + 1] = {
    [WEIGHTS_TRANSFORMERS] = {
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
        "model.fp16.safetensors", "model.safetensors.index.fp16.json", "pytorch_model.fp16.bin"
    },
    [WEIGHTS_DIFFUSERS] = {
        "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
        "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json",
        "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.fp16.bin"
    },
    [WEIGHTS_OPENCLIP] = {
        "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
        "open_clip_model.safetensors.index.json", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth",
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.pth", "model.pth"
    },
    [WEIGHTS_OPENAI] = {
        "ViT-L-14.pt", "ViT-L-14-336px.pt", "ViT-B-16.pt", "ViT-B-32.pt", "RN50.pt", "RN101.pt", "RN50x4.pt",
        "RN50x16.pt", "RN50x64.pt"
    },
};

const char *find_weights(struct find *f, const char *dir, enum weights_names names) {
    size_t n = 0;

    while (weights_names[names][n])
        n++;
    return path_first(f->a, dir, weights_names[names], n);
}

bool find_is_weights(const char *name) {
    static const char *const ending[] = {".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th", ".pkl"};

    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (path_ends(name, ending[i]))
            return true;
    return false;
}

/* ---- a Hugging Face cache ---- */

/* Returns the commit in refs/main, which is one line of letters and digits, or NULL if the file holds something
 * else. */
static const char *commit_of(struct find *f, const char *ref) {
    const char *commit = NULL;
    struct mapfile m;
    size_t n = 0;

    if (!path_is_file(ref) || mapfile_open(&m, ref, NULL) < 0)
        return NULL;
    while (n < m.n && n < 200 && ((m.p[n] >= '0' && m.p[n] <= '9') || (m.p[n] >= 'a' && m.p[n] <= 'z') ||
                                  (m.p[n] >= 'A' && m.p[n] <= 'Z')))
        n++;
    if (n && (n == m.n || m.p[n] == '\n'))
        commit = arena_str(f->a, m.p, n);
    mapfile_close(&m);
    return commit;
}

/* Returns whether `dir` is the root of a Hugging Face cache, which holds repositories, or the directory above the
 * root. */
static bool is_cache_root(struct find *f, const char *dir) {
    DIR *d = opendir(dir);
    struct dirent *e;
    bool found = false;

    while (d && !found && (e = readdir(d)))
        found = !strncmp(e->d_name, "models--", 8);
    if (d)
        closedir(d);
    return found || path_is_dir(path_join(f->a, dir, "hub"));
}

/* Returns the directory that f->path stands for.  It is f->path itself, or the main snapshot if f->path is a repository
 * in a cache.  If the repository does not have its main snapshot, returns NULL and sets f->why. */
static const char *resolve(struct find *f) {
    const char *snapshots = path_join(f->a, f->path, "snapshots"), *commit, *dir;

    if (!path_is_dir(snapshots))
        return f->path;
    commit = commit_of(f, path_join(f->a, f->path, "refs/main"));
    dir = commit ? path_join(f->a, snapshots, commit) : NULL;
    if (dir && path_is_dir(dir))
        return dir;
    err_set(&f->why, "a Hugging Face repository without its main snapshot: name a directory in its snapshots");
    return NULL;
}

/* ---- the loop over the paths ---- */

/* Says in f->why that f->path does not exist, and names what was perhaps meant: the caller's own model, or a file of a
 * similar name in the same directory. */
static void no_such(struct find *f) {
    const struct model_host *host = f->paths->host;
    const size_t n = strcspn(f->path, "/");
    char first[64] = "";
    struct err hint = {0};

    if (n < sizeof first)
        snprintf(first, sizeof first, "%.*s", (int)n, f->path);
    errno = ENOENT;
    near_open_failed(f->path, &hint);
    if (strchr(hint.msg, ';'))
        err_set(&f->why, "no such file or directory%s", strchr(hint.msg, ';'));
    else if (host && host->builtin && near_changes(first, host->builtin) != SIZE_MAX)
        err_set(&f->why, "no such file or directory; did you mean %s%.300s?", host->builtin, f->path + n);
    else if (host && host->hub && path_is_repository(f->path))
        err_set(&f->why, "no such directory, and not in the Hugging Face cache %.300s", host->hub);
    else
        err_set(&f->why, "no such file or directory");
}

static int look_at(struct find *f, int (*look)(void *ctx, struct find *f), void *ctx) {
    int r = NOT_HERE;

    if (!path_is_dir(f->path) && !path_is_file(f->path)) {
        no_such(f);
        return NOT_HERE;
    }
    if (path_is_dir(f->path) && !(f->path = resolve(f)))
        return NOT_HERE;
    r = look(ctx, f);
    if (r == NOT_HERE && path_is_dir(f->path) && is_cache_root(f, f->path)) {
        err_clear(&f->why);
        err_set(&f->why, "a Hugging Face cache: name one of the repositories in it, models--...");
    }
    return r;
}

static void note(struct find *f, const char *path) {
    size_t n = strlen(f->tried.msg);
    bool why = f->why.msg[0];

    snprintf(f->tried.msg + n, sizeof f->tried.msg - n, "%s%.300s%s%s%s", n ? ", " : "", path, why ? " (" : "",
             f->why.msg, why ? ")" : "");
}

int find_component(struct find *f, const char *what, int (*look)(void *ctx, struct find *f), void *ctx) {
    err_clear(&f->tried);
    for (size_t i = 0; i < f->paths->n; i++) {
        int r;

        f->path = f->paths->v[i];
        err_clear(&f->why);
        r = look_at(f, look, ctx);
        if (r == FOUND && f->paths->host && f->paths->host->found)
            f->paths->host->found(f->paths->host->of, what, f->path);
        if (r != NOT_HERE)
            return r == FOUND ? 0 : -1;
        note(f, f->paths->v[i]);
    }
    return err_set(f->e, "no %s in %s%s", what, f->paths->n ? f->tried.msg : "an empty list of models",
                   !f->paths->host || strstr(f->tried.msg, "did you mean") ? "" : "; 'unclip help overview' names models and what they hold");
}
