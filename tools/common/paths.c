/* Where the model is: -m, $UNCLIP_MODEL, the model in the box; and where it is kept packed. */
#include "tools/common/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/pathname.h"
#include "tools/common/common.h"

static bool exists(const char *path) {
    struct stat st;

    return stat(path, &st) == 0;
}

/* Returns the path of the model that comes with unclip: in the build's tree, in an installation that was moved, or
 * where `make install` put it. */
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

/* Sets the directory of the cache: --cache, else $UNCLIP_CACHE, else unclip in $XDG_CACHE_HOME, else unclip in
 * ~/.cache.  "none" means no cache.  As the XDG specification says, XDG_CACHE_HOME is ignored if it is not an absolute
 * path. */
static void choose_cache(struct tool *t) {
    const char *dir = t->model.cache_dir ? t->model.cache_dir : getenv("UNCLIP_CACHE"), *below = "unclip";

    if (!dir || !*dir) {
        dir = getenv("XDG_CACHE_HOME");
        if (!dir || *dir != '/')
            dir = getenv("HOME"), below = ".cache/unclip";
        dir = dir && *dir == '/' ? path_join(&t->arena, dir, below) : "none";
    }
    t->model.cache = arena_zero(&t->arena, 1, sizeof *t->model.cache);
    if (!t->model.cache)
        die("out of memory");
    t->model.cache->least = PACK_LEAST;
    t->model.cache->dir = strcmp(dir, "none") != 0 ? dir : NULL;
}

void tool_list_models(struct tool *t) {
    const char *env = getenv("UNCLIP_MODEL");

    if (!(t->groups & TOOL_MODEL))
        return;
    if (!t->model.paths.n && env && *env) {
        for (const char *p = env; *p && t->model.paths.n < TOOL_LIST;) {
            size_t n = strcspn(p, ":");
            if (n)
                t->model.paths.v[t->model.paths.n++] = arena_str(&t->arena, p, n);
            p += n + (p[n] == ':');
        }
    }
    if (!t->model.paths.n)
        t->model.paths.v[t->model.paths.n++] = built_in_model(t);
}

struct model_paths tool_models(struct tool *t) {
    tool_list_models(t);
    choose_cache(t);
    return (struct model_paths){t->model.paths.v, t->model.paths.n,
                                t->model.activation == 1 ? ACT_QUICK_GELU : t->model.activation == 2 ? ACT_GELU : -1,
                                t->model.cache};
}
