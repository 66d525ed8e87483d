#include "formats/io/pathname.h"

#include <string.h>
#include <sys/stat.h>

const char *path_join(struct arena *a, const char *dir, const char *name) {
    size_t n = strlen(dir), k = strlen(name), slash = n && dir[n - 1] != '/';
    char *s = arena_take(a, n + slash + k + 1, 1);

    if (!s)
        return "";
    memcpy(s, dir, n);
    if (slash)
        s[n] = '/';
    memcpy(s + n + slash, name, k + 1);
    return s;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const char *path_folder(struct arena *a, const char *path) {
    return arena_str(a, path, (size_t)(path_base(path) - path));
}

bool path_ends(const char *path, const char *ending) {
    size_t n = strlen(path), k = strlen(ending);

    return n > k && !strcmp(path + n - k, ending);
}

bool path_is_dir(const char *path) {
    struct stat st;

    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_is_repository(const char *path) {
    const char *slash = strchr(path, '/');

    return slash && slash > path && slash[1] && !strchr(slash + 1, '/') && *path != '.' && *path != '~' && slash[1] != '.';
}

bool path_is_file(const char *path) {
    struct stat st;

    return path && stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

const char *path_first(struct arena *a, const char *dir, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct arena keep = *a;
        const char *path = path_join(a, dir, names[i]);

        if (path_is_file(path))
            return path;
        *a = keep;
    }
    return NULL;
}
