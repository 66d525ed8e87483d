#include "tools/common/places.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/pathname.h"

#define VOCABULARY "bpe_simple_vocab_16e6.txt.gz"

/* Returns the path `below` in the directory that the environment variable holds, or NULL if the variable does not hold
 * an absolute path (the XDG specification lets only absolute paths count). */
static const char *below(struct arena *a, const char *variable, const char *below) {
    const char *dir = getenv(variable);

    return dir && *dir == '/' ? *below ? path_join(a, dir, below) : dir : NULL;
}

const char *place_hub(struct arena *a) {
    static const struct { const char *variable, *below; } place[] = {
        {"HF_HUB_CACHE", ""}, {"HF_HOME", "hub"}, {"XDG_CACHE_HOME", "huggingface/hub"}, {"HOME", ".cache/huggingface/hub"},
    };
    const char *dir = NULL;

    for (size_t i = 0; !dir && i < sizeof place / sizeof *place; i++)
        dir = below(a, place[i].variable, place[i].below);
    return dir;
}

const char *place_repository(const char *hub, const char *name, struct arena *a) {
    char folder[300];
    const char *path;
    int n;

    if (!hub || !path_is_repository(name))
        return NULL;
    n = (int)strcspn(name, "/");
    if (snprintf(folder, sizeof folder, "models--%.*s--%s", n, name, name + n + 1) >= (int)sizeof folder)
        return NULL;
    path = path_join(a, hub, folder);
    return path_is_dir(path) ? path : NULL;
}

/* Returns the first file that matches the pattern, or NULL. */
static const char *first_match(const char *pattern, struct arena *a) {
    const char *path = NULL;
    glob_t g = {0};

    if (glob(pattern, 0, NULL, &g) == 0 && g.gl_pathc && path_is_file(g.gl_pathv[0]))
        path = arena_str(a, g.gl_pathv[0], strlen(g.gl_pathv[0]));
    globfree(&g);
    return path;
}

const char *place_vocabulary(struct arena *a) {
    static const char *const packages[] = {"clip", "open_clip"};
    static const struct { const char *variable, *packages; } python[] = {
        {"VIRTUAL_ENV", "lib/python3*/site-packages"}, {"CONDA_PREFIX", "lib/python3*/site-packages"},
        {"HOME", ".local/lib/python3*/site-packages"}, {"", "/usr/local/lib/python3*/dist-packages"},
        {"", "/usr/local/lib/python3*/site-packages"}, {"", "/usr/lib/python3/dist-packages"},
        {"", "/usr/lib/python3*/site-packages"},
    };
    const char *const own[] = {below(a, "XDG_DATA_HOME", "unclip/" VOCABULARY), below(a, "HOME", ".local/share/unclip/" VOCABULARY),
                               UNCLIP_DATADIR "/unclip/" VOCABULARY};
    const char *found = NULL;
    char pattern[5000];

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (path_is_file(own[i]))
            return own[i];
    for (size_t i = 0; !found && i < sizeof python / sizeof *python; i++) {
        const char *dir = *python[i].variable ? below(a, python[i].variable, python[i].packages) : python[i].packages;

        for (size_t k = 0; dir && !found && k < sizeof packages / sizeof *packages; k++)
            if (snprintf(pattern, sizeof pattern, "%s/%s/" VOCABULARY, dir, packages[k]) < (int)sizeof pattern)
                found = first_match(pattern, a);
    }
    return found;
}
