#include "formats/io/near.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 255, LEAST = 3, MOST_NAMES = 20000 };    /* names after the first MOST_NAMES are ignored */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Computes the optimal string alignment distance, which is Levenshtein's with exchanges of two neighbours.  Of the
 * table, only row i and the two rows before row i are kept. */
size_t near_changes(const char *a, const char *b) {
    const size_t n = strlen(a), m = strlen(b), longer = n > m ? n : m, allowed = least(longer / 3, 2);
    size_t row[3][LONGEST + 1];

    if (least(n, m) < LEAST || longer > LONGEST || longer - least(n, m) > allowed)
        return SIZE_MAX;
    for (size_t k = 0; k <= m; k++)
        row[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];

        now[0] = i;
        for (size_t k = 1; k <= m; k++) {
            now[k] = least(least(last[k], now[k - 1]) + 1, last[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], older[k - 2] + 1);
        }
    }
    return row[n % 3][m] <= allowed ? row[n % 3][m] : SIZE_MAX;
}

/* Finds the file name in the directory of `path` that is most similar to the last part of `path`.  Returns false if no
 * name is similar. */
static bool nearest(const char *path, size_t folder, char found[LONGEST + 1]) {
    char dir[4096] = ".";
    size_t best = SIZE_MAX;
    struct dirent *entry;
    DIR *d;

    if (folder >= sizeof dir)
        return false;
    if (folder)
        snprintf(dir, sizeof dir, "%.*s", (int)folder, path);
    if (!(d = opendir(dir)))
        return false;
    for (int i = 0; i < MOST_NAMES && (entry = readdir(d)); i++) {
        size_t changes = near_changes(path + folder, entry->d_name);

        /* take the first in the alphabet of equally near names, because the order of a directory is accidental */
        if (changes < best || (changes == best && changes != SIZE_MAX && strcmp(entry->d_name, found) < 0)) {
            best = changes;
            snprintf(found, LONGEST + 1, "%s", entry->d_name);
        }
    }
    closedir(d);
    return best != SIZE_MAX;
}

int near_open_failed(const char *path, struct err *e) {
    const int why = errno;
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    char name[LONGEST + 1] = "";

    if (why == ENOENT && nearest(path, folder, name))
        return err_set(e, "%s; did you mean %.*s%s?", strerror(why), (int)(folder < 500 ? folder : 0), path, name);
    return err_set(e, "%s", strerror(why));
}
