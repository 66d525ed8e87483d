/* unclip - list the programs, show their manual pages, run one of them, or search a folder of pictures
 *
 * Reads: with search, the names and contents of the pictures below folders.
 * Writes: with search, an index below the user's cache, and the best pictures as lines of text.
 * Memory: that of clip-embed and rank, which search runs.
 */
#define _XOPEN_SOURCE 700    /* nftw, realpath */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/io/near.h"
#include "formats/io/pathname.h"
#include "tools/common/programs.h"
#include "tools/common/tool.h"

#define SYNOPSIS "[-hV]\n"                                   \
                 "       unclip help [NAME]\n"                       \
                 "       unclip NAME [argument ...]\n"               \
                 "       unclip search [-qv] [-k N] [-m PATH]... TEXT FOLDER..."

enum { ARGS = 64, SEARCH_K = 10, K_MAX = 100000 };

struct command {
    const char *v[ARGS];
    size_t n;
};

struct job {
    struct tool t;
    struct strs models;
    int64_t k;
    bool quiet;
    const char *index;
};

/* ---- the other programs ---- */

/* Returns the path of a file next to this program or, with `up`, above its directory; NULL if there is none. */
static const char *beside(const char *up, const char *name) {
    static char path[4600];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    self[n] = 0;
    if (!(slash = strrchr(self, '/')))
        return NULL;
    *slash = 0;
    snprintf(path, sizeof path, "%s/%s%s", self, up, name);
    return access(path, F_OK) == 0 ? path : NULL;
}

/* Becomes the program: the one next to this program, else the one in $PATH. */
static noreturn void become(const char *name, char *const argv[]) {
    const char *path = beside("", name);

    if (path)
        execv(path, argv);
    execvp(name, argv);
    die_errno("%s", name);
}

static void list(void) {
    printf("unclip: CLIP, unCLIP and DALL-E 1 as small programs in a pipe\n\n");
    for (const struct program *p = tool_programs; p->name; p++)
        if (strcmp(p->name, "unclip") != 0)
            printf("  %-12s %s\n", p->name, p->does);
    printf("\nRecipes:\n\n"
           "  unclip search 'a dog on a beach' ~/photos\n"
           "  clip-embed *.jpg | rank --labels labels.txt --tsv\n"
           "  clip-embed *.jpg >photos.clip; rank --text 'a dog' -k 3 --tsv photos.clip\n"
           "  echo 'a red heart' | clip-tok | clip-embed | prior | decode64 | upsample | image-out -o heart.png\n\n"
           "'unclip help NAME' shows a program's manual page, 'unclip help overview' what all share, the models and more recipes,\n"
           "'unclip help records' the format of the records.  'unclip NAME ...' runs a program.  Without a model (-m or\n"
           "$UNCLIP_MODEL), they use a toy that knows only emoji.\n");
}

/* Ends the program with a message about a name that no program has. */
static noreturn void unknown(const char *name) {
    size_t best = SIZE_MAX;
    const char *meant = NULL;

    for (const struct program *p = tool_programs; p->name; p++) {
        const size_t changes = near_changes(name, p->name);

        if (changes < best)
            best = changes, meant = p->name;
    }
    die("no program '%s'%s%s%s ('unclip' lists the programs)", name, meant ? "; did you mean " : "", meant ? meant : "",
        meant ? "?" : "");
}

static noreturn void help(const char *name) {
    const bool overview = !strcmp(name, "overview"), records = !strcmp(name, "records");
    char page[300], section[] = {overview ? '7' : records ? '5' : '1', 0}, folder[] = "../share/man/man1/";
    const char *path;

    if (overview || records)
        name = "unclip";
    else if (!tool_about(name))
        unknown(name);
    snprintf(page, sizeof page, "%s.%s", name, section);
    folder[strlen(folder) - 2] = *section;
    if (!(path = beside("../../man/", page)))
        path = beside(folder, page);
    if (path)
        execlp("man", "man", path, (char *)NULL);
    else
        execlp("man", "man", section, name, (char *)NULL);
    execlp("mandoc", "mandoc", path ? path : page, (char *)NULL);
    die("neither man nor mandoc is installed; the page is %s", path ? path : page);
}

/* ---- search ---- */

static bool is_picture(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff"};
    const char *dot = strrchr(name, '.');
    char low[8] = "";

    if (!dot || strlen(dot) >= sizeof low)
        return false;
    for (size_t i = 0; dot[i]; i++)
        low[i] = dot[i] >= 'A' && dot[i] <= 'Z' ? (char)(dot[i] - 'A' + 'a') : dot[i];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (!strcmp(low, endings[i]))
            return true;
    return false;
}

static struct {
    FILE *to;
    uint64_t pictures;
} walk;    /* nftw gives its function no context */

static int visit(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    if (kind != FTW_F || !is_picture(path))
        return 0;
    walk.pictures++;
    return fwrite(path, 1, strlen(path) + 1, walk.to) == strlen(path) + 1 ? 0 : -1;
}

static void add(struct command *c, const char *arg) {
    if (c->n + 2 > ARGS)
        die("too many arguments");
    c->v[c->n++] = arg;
}

static void add_models(struct command *c, const struct strs *m) {
    for (size_t i = 0; i < m->n; i++) {
        add(c, "-m");
        add(c, m->v[i]);
    }
}

/* Starts the program with one end of a pipe: its input (0) or its output (1).  Returns the other end. */
static FILE *start(const struct command *c, int end, pid_t *pid) {
    char *argv[ARGS + 1] = {NULL};
    int fd[2];

    for (size_t i = 0; i < c->n; i++)
        argv[i] = (char *)(uintptr_t)c->v[i];
    fflush(stdout);
    if (pipe(fd) < 0 || (*pid = fork()) < 0)
        die_errno("%s", c->v[0]);
    if (*pid == 0) {
        dup2(fd[end], end);
        close(fd[0]);
        close(fd[1]);
        signal(SIGPIPE, SIG_DFL);
        become(c->v[0], argv);
    }
    close(fd[end]);
    return fdopen(fd[!end], end ? "r" : "w");
}

/* Returns the exit status of a program that has ended.  A program that a signal ended counts as a status of 2. */
static int ended(pid_t pid) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

/* Sets j->index to the name of the index of these folders and models, and makes its directory. */
static void name_index(struct job *j, size_t n, const char *const folder[]) {
    static char path[4600], part[4600];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *model = getenv("UNCLIP_MODEL");
    XXH64_state_t h;

    XXH64_reset(&h, 0);
    for (size_t i = 0; i < n; i++)
        XXH64_update(&h, folder[i], strlen(folder[i]) + 1);
    for (size_t i = 0; i < j->models.n; i++)
        XXH64_update(&h, j->models.v[i], strlen(j->models.v[i]) + 1);
    if (!j->models.n && model)
        XXH64_update(&h, model, strlen(model));
    if (cache && *cache == '/')
        snprintf(path, sizeof path, "%.4000s/unclip/search/%016" PRIx64 ".clip", cache, XXH64_digest(&h));
    else if (home && *home == '/')
        snprintf(path, sizeof path, "%.4000s/.cache/unclip/search/%016" PRIx64 ".clip", home, XXH64_digest(&h));
    else
        die("neither $XDG_CACHE_HOME nor $HOME names a directory for the index");
    for (char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(s - path), path);
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            die_errno("%s", part);
    }
    j->index = path;
}

/* Embeds the pictures that the index does not hold.  Returns the exit status of clip-embed. */
static int update(struct job *j, size_t n, const char *const folder[]) {
    struct command c = {.n = 0};
    char skip[4700];
    pid_t pid;
    int status;

    snprintf(skip, sizeof skip, "--skip-from=%s", j->index);
    add(&c, "clip-embed");
    if (j->quiet)
        add(&c, "-q");
    if (j->t.verbose)
        add(&c, "-v");
    add_models(&c, &j->models);
    add(&c, "--files0-from=-");
    add(&c, "-o");
    add(&c, j->index);
    add(&c, skip);
    signal(SIGPIPE, SIG_IGN);    /* clip-embed may end before it has read all names, and says why */
    if (!(walk.to = start(&c, 0, &pid)))
        die_errno("clip-embed");
    for (size_t i = 0; i < n; i++)
        if (nftw(folder[i], visit, 32, FTW_PHYS) < 0 && errno != EPIPE)
            warn("%s: %s", folder[i], strerror(errno));
    fclose(walk.to);
    status = ended(pid);
    signal(SIGPIPE, SIG_DFL);
    return status;
}

/* Prints the lines of rank, without the pictures that are gone. */
static int report(struct job *j, const char *text) {
    struct command c = {.n = 0};
    char k[32], *line = NULL;
    int64_t shown = 0;
    size_t room = 0;
    ssize_t got;
    FILE *from;
    pid_t pid;

    snprintf(k, sizeof k, "%d", K_MAX);
    add(&c, "rank");
    add(&c, "-q");
    add_models(&c, &j->models);
    add(&c, "--text");
    add(&c, text);
    add(&c, "-k");
    add(&c, k);
    add(&c, "--tsv");
    add(&c, j->index);
    if (!(from = start(&c, 1, &pid)))
        die_errno("rank");
    while ((got = getline(&line, &room, from)) > 0) {
        char *tab = strchr(line, '\t'), *second = tab ? strchr(tab + 1, '\t') : NULL;

        if (!second || shown == j->k)
            continue;
        *tab = *second = 0;
        if (access(line, F_OK) < 0)
            continue;
        printf("%.4f\t%s\n", strtod(tab + 1, NULL), line);
        shown++;
    }
    free(line);
    fclose(from);
    return ended(pid);
}

static int search(struct job *j, int n, char *operand[]) {
    const char *folder[ARGS];
    int embedded, ranked;
    struct stat st;

    if (n < 2 || n - 1 > ARGS)
        die("search: a text and a folder are wanted, as in: unclip search 'a dog' ~/photos");
    for (int i = 1; i < n; i++) {
        struct err e = {0};

        if (!(folder[i - 1] = realpath(operand[i], NULL))) {
            near_open_failed(operand[i], &e);
            die("%s: %s", operand[i], e.msg);
        }
        if (!path_is_dir(folder[i - 1]))
            die("%s: not a folder", operand[i]);
    }
    name_index(j, (size_t)n - 1, folder);
    embedded = update(j, (size_t)n - 1, folder);
    if (embedded > 1)
        return 2;
    if (!walk.pictures || stat(j->index, &st) < 0)
        die("%s: no pictures in it", operand[1]);
    ranked = report(j, operand[0]);
    return ranked ? ranked : embedded;
}

int main(int argc, char *argv[]) {
    static struct job j = {.k = SEARCH_K};
    const struct opt own[] = {
        {'k', "top", OPT_INT, &j.k, "N", "search: how many pictures (10)", 1, K_MAX, NULL},
        {'m', "model", OPT_LIST, &j.models, "PATH", "search: a folder or file with (part of) the model; may be repeated", 0, 0, NULL},
        {'q', "quiet", OPT_FLAG, &j.quiet, NULL, "search: no progress line and no warnings", 0, 0, NULL},
    };
    const char *word = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    const bool searching = word && !strcmp(word, "search");
    int at;

    tool_prog = "unclip";
    if (word && !strcmp(word, "help") && argc > 2)
        help(argv[2]);
    if (word && !searching && strcmp(word, "help") != 0) {
        if (!tool_about(word))
            unknown(word);
        become(word, argv + 1);
    }
    at = tool_start(&j.t, "unclip", argc - searching, argv + searching, SYNOPSIS, 0, own, sizeof own / sizeof *own);
    if (searching) {
        j.t.status = search(&j, argc - 1 - at, argv + 1 + at);
        j.t.verbose = false;    /* clip-embed has said what was done */
    } else {
        list();
    }
    return tool_finish(&j.t);
}
