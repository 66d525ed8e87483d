#define _GNU_SOURCE    /* sched_getaffinity */
#include "formats/io/cores.h"

#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 4096, PATH = 3 * LINE, CPUS = 1 << 16 };

/* Reads the next line into `line` without its newline.  A line of LINE bytes or more is cut.  Returns false at the end
 * of the file. */
static bool read_line(FILE *f, char line[LINE]) {
    size_t n;

    if (!fgets(line, LINE, f))
        return false;
    n = strcspn(line, "\n");
    for (int c = line[n]; c != '\n' && c != EOF;)
        c = fgetc(f);
    line[n] = 0;
    return true;
}

static FILE *open_under(const char *root, const char *path, const char *name) {
    char full[PATH];
    int n = snprintf(full, sizeof full, "%s%s%s", root, path, name);

    return n > 0 && (size_t)n < sizeof full ? fopen(full, "r") : NULL;
}

/* Returns the quota of a cgroup divided by its period, rounded up to whole cores, or 0 if the cgroup has no quota. */
static int quota_of(const char *root, const char *group, bool v2) {
    double quota = 0, period = 0;
    FILE *f = open_under(root, group, v2 ? "/cpu.max" : "/cpu.cfs_quota_us");
    int got = f ? fscanf(f, "%lf %lf", &quota, &period) : 0;    /* for "max 100000", no quota, fscanf returns 0 */

    if (f)
        fclose(f);
    if (!v2 && got == 1 && (f = open_under(root, group, "/cpu.cfs_period_us"))) {
        got += fscanf(f, "%lf", &period) == 1;
        fclose(f);
    }
    if (got != 2 || !(quota > 0) || !(period > 0))
        return 0;
    quota = ceil(quota / period);
    return quota < INT_MAX ? (int)quota : INT_MAX;
}

static bool has_word(const char *list, const char *word) {
    size_t n = strlen(word);

    for (const char *p = list; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
        if (!strncmp(p, word, n) && (p[n] == ',' || !p[n]))
            return true;
    return false;
}

/* Writes into `group` the path of this process's cgroup, in cgroup version 2 if `v2` is set, else in the cpu controller
 * of version 1.  Returns false if /proc/self/cgroup does not name that cgroup. */
static bool find_group(const char *root, bool v2, char group[LINE]) {
    FILE *f = open_under(root, "/proc/self/cgroup", "");
    bool found = false;
    char line[LINE];

    while (!found && f && read_line(f, line)) {    /* hierarchy:controllers:path */
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        *controllers++ = *path++ = 0;
        found = v2 ? !strcmp(line, "0") && !*controllers : has_word(controllers, "cpu");
        memmove(group, path, strlen(path) + 1);
    }
    if (f)
        fclose(f);
    return found;
}

/* Decodes \ooo in place.  mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *s) {
    char *to = s;

    for (; *s; s++) {
        unsigned c;

        if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1 && c && c < 256) {
            *to++ = (char)c;
            s += strspn(s + 1, "01234567") < 3 ? strspn(s + 1, "01234567") : 3;
        } else {
            *to++ = *s;
        }
    }
    *to = 0;
}

/* Finds the mount of the cgroup hierarchy.  Writes the mount point into the string `at`, and the cgroup that is the
 * root of the mount into `from`.  Returns false if the hierarchy is not mounted. */
static bool find_mount(const char *root, bool v2, char from[LINE], char at[LINE]) {
    FILE *f = open_under(root, "/proc/self/mountinfo", "");
    bool found = false;
    char line[LINE];

    while (!found && f && read_line(f, line)) {    /* id parent dev root point options [tags] - type source options */
        char *rest = strstr(line, " - "), type[16], options[LINE];

        if (!rest || sscanf(rest + 3, "%15s %*s %4095s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", from, at) != 2)
            continue;
        found = v2 ? !strcmp(type, "cgroup2") : !strcmp(type, "cgroup") && has_word(options, "cpu");
    }
    if (f)
        fclose(f);
    if (found)
        unescape(from), unescape(at);
    return found;
}

static int smallest_quota(const char *root, bool v2) {
    char group[LINE], from[LINE], at[LINE], path[2 * LINE];
    size_t point, n;
    int best = 0;

    if (!find_group(root, v2, group) || !find_mount(root, v2, from, at))
        return 0;
    n = strlen(from);
    if (n == 1)
        n = 0;    /* `from` is "/" */
    if (strncmp(group, from, n) || (group[n] && group[n] != '/'))
        group[n = 0] = 0;    /* the cgroup is outside the mount, of which only the root can be read */
    point = strlen(at);
    snprintf(path, sizeof path, "%s%s", at, group + n);
    for (;;) {
        int q = quota_of(root, path, v2);
        char *slash = strrchr(path, '/');

        best = q && (!best || q < best) ? q : best;
        if (!slash || (size_t)(slash - path) < point)
            return best;
        *slash = 0;
    }
}

int cores_quota(const char *root) {
    int a = smallest_quota(root, true), b = smallest_quota(root, false);

    return a && b ? (a < b ? a : b) : a + b;
}

int cores_available(void) {
    _Alignas(cpu_set_t) unsigned char set[CPUS / 8] = {0};
    int n = 0, quota = cores_quota("");

    if (sched_getaffinity(0, sizeof set, (cpu_set_t *)(void *)set) == 0)
        for (size_t i = 0; i < sizeof set; i++)
            n += __builtin_popcount(set[i]);
    if (n < 1)
        n = 1;
    return quota && quota < n ? quota : n;
}
