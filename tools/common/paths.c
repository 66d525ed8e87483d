/* Finds the model (-m, $UNCLIP_MODEL, or the model in the box) and the cache that keeps its packed weights. */
#include "tools/common/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/pathname.h"
#include "tools/common/common.h"
#include "tools/common/places.h"

static bool exists(const char *path) {
    struct stat st;

    return stat(path, &st) == 0;
}

/* Returns the path of the model in the box, which comes with unclip: in the build's tree, in an installation that was
 * moved, or where `make install` put it. */
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

/* Sets the directory of the cache: that of --cache, else $UNCLIP_CACHE, else the directory `unclip` in $XDG_CACHE_HOME,
 * else `unclip` in ~/.cache.  "none" means no cache.  As the XDG specification says, XDG_CACHE_HOME is ignored if it is
 * not an absolute path. */
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

/* Returns the path that a name in -m or $UNCLIP_MODEL stands for.  "box" is the model in the box, and "box/NAME" is a
 * folder in it if no file has this name.  OWNER/NAME is a repository in the Hugging Face cache if no file has this name. */
static const char *path_of(struct tool *t, const char *name) {
    const char *path = NULL;

    if (!strcmp(name, "box"))
        return built_in_model(t);
    if (!strncmp(name, "box/", 4) && !exists(name))
        return path_join(&t->arena, built_in_model(t), name + 4);
    if (path_is_repository(name) && !exists(name))
        path = place_repository(t->model.host.hub, name, &t->arena);
    return path ? path : name;
}

/* Reports a component of the model that was found.  With -v, prints its path.  If the component is that of the model in
 * the box because no model was named, warns once. */
static void found(void *of, const char *what, const char *path) {
    struct tool *t = of;

    if (path == t->model.toy && !t->quiet)
        warn("no -m and no $UNCLIP_MODEL: using the toy model in the box, which knows only emoji "
             "('unclip help overview' names real ones; -m box asks for this one)");
    if (path == t->model.toy)
        t->model.toy = "";
    if (t->verbose)
        warn("%s: %s", what, path);
}

static const char *vocabulary(void *of, struct arena *a) {
    (void)of;
    return place_vocabulary(a);
}

void tool_list_models(struct tool *t) {
    const char *env = getenv("UNCLIP_MODEL");
    struct strs *m = &t->model.paths;

    if (!(t->groups & TOOL_MODEL) || t->model.listed)
        return;
    t->model.listed = true;
    t->model.host = (struct model_host){found, vocabulary, place_hub(&t->arena), "box", t};
    if (!m->n && env && *env) {
        for (const char *p = env; *p;) {
            size_t n = strcspn(p, ":");
            if (n && m->n == TOOL_LIST)
                die("$UNCLIP_MODEL may name %d models at most", TOOL_LIST);
            if (n)
                m->v[m->n++] = arena_str(&t->arena, p, n);
            p += n + (p[n] == ':');
        }
    }
    for (size_t i = 0; i < m->n; i++)
        m->v[i] = path_of(t, m->v[i]);
    if (!m->n)
        m->v[m->n++] = t->model.toy = built_in_model(t);
}

struct model_paths tool_models(struct tool *t) {
    tool_list_models(t);
    choose_cache(t);
    return (struct model_paths){t->model.paths.v, t->model.paths.n,
                                t->model.activation == 1 ? ACT_QUICK_GELU : t->model.activation == 2 ? ACT_GELU : -1,
                                t->model.cache, &t->model.host};
}

struct model_paths tool_model_at(struct tool *t, struct model_paths p, const char **name) {
    *name = path_of(t, *name);
    p.v = name, p.n = 1;
    return p;
}

void tool_check_vocabulary(struct tool *t, const struct model_paths *p, const struct clip_model *m) {
    struct arena scratch = t->arena;
    struct tok_files files;
    const bool verbose = t->verbose;

    if (t->quiet || !m->config.has_text)
        return;
    t->verbose = false;
    if (model_find_tokenizer(&files, p, &scratch, NULL) < 0)
        warn("%s: it has no vocabulary, so clip-tok and rank --text will not work with it: put OpenAI's "
             "bpe_simple_vocab_16e6.txt.gz next to it ('make vocab' fetches it)", m->file);
    t->verbose = verbose;
}
