#define _XOPEN_SOURCE 700    /* nftw, realpath */
#include "tools/common/search.h"

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

#include "formats/image/image_read.h"
#include "formats/io/near.h"
#include "formats/io/pathname.h"
#include "formats/record/record.h"
#include "tools/common/page_out.h"
#include "tools/common/programs.h"
#include "tools/stage/name_pattern.h"

enum { ARGS = 64 };

struct command {
    const char *v[ARGS];
    size_t n;
};

static struct {
    FILE *to;
    uint64_t pictures;
    bool failed;
} walk;    /* a global variable, because nftw passes no context to its function */

static int visit(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    if (kind == FTW_DNR || kind == FTW_NS) {
        warn("%s: %s", path, access(path, R_OK) < 0 ? strerror(errno) : "cannot be read");
        walk.failed = true;
    }
    if (kind != FTW_F || !image_name(path))
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

/* Starts the program with one end of a pipe as its standard input (end = 0) or its standard output (end = 1).  Returns
 * the other end of the pipe. */
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
        program_become(c->v[0], argv);
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
static void name_index(struct search *j, size_t n, char *const folder[]) {
    static char path[4600], part[4600];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *model = getenv("UNCLIP_MODEL");
    XXH64_state_t h;

    XXH64_reset(&h, 0);
    XXH64_update(&h, "0.2", 4);    /* a constant, so that later versions use the indexes that version 0.2 made */
    for (size_t i = 0; i < n; i++)
        XXH64_update(&h, folder[i], strlen(folder[i]) + 1);
    for (size_t i = 0; i < j->models.n; i++) {
        char *real = realpath(j->models.v[i], NULL);
        const char *name = real ? real : j->models.v[i];

        XXH64_update(&h, name, strlen(name) + 1);
        free(real);
    }
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

/* Embeds the pictures that are not in the index or that have changed, and adds them to the index.  Returns the exit status
 * of clip-embed. */
static int update(struct search *j, size_t n, char *const folder[]) {
    struct command c = {.n = 0};
    char skip[4700];
    pid_t pid;
    int status;

    snprintf(skip, sizeof skip, "--skip-from=%s", j->index);
    add(&c, "clip-embed");
    if (j->quiet)
        add(&c, "-q");
    if (j->t->verbose)
        add(&c, "-v");
    add_models(&c, &j->models);
    add(&c, "--files0-from=-");
    add(&c, "-o");
    add(&c, j->index);
    add(&c, skip);
    signal(SIGPIPE, SIG_IGN);    /* if clip-embed ends before it has read all names, it has said why */
    if (!(walk.to = start(&c, 0, &pid)))
        die_errno("clip-embed");
    for (size_t i = 0; i < n; i++)
        if (nftw(folder[i], visit, 32, FTW_PHYS) < 0 && errno != EPIPE) {
            warn("%s: %s", folder[i], strerror(errno));
            walk.failed = true;
        }
    fclose(walk.to);
    status = ended(pid);
    if (status == 0 && walk.failed)
        status = 1;
    signal(SIGPIPE, SIG_DFL);
    return status;
}

/* Removes from the index the records of pictures that no longer exist.  This comes after `update`, because clip-embed
 * refuses to prune an index of which no picture exists, as before `update` if all pictures were renamed.  If this fails,
 * clip-embed prints the reason and the search goes on, because `report` leaves out pictures that no longer exist. */
static void prune(struct search *j) {
    struct command c = {.n = 0};
    pid_t pid;
    FILE *in;

    add(&c, "clip-embed");
    add(&c, "--prune");
    if (j->t->verbose)
        add(&c, "-v");
    add(&c, j->index);
    if ((in = start(&c, 0, &pid)))
        fclose(in);
    ended(pid);
}

/* Writes a record of the picture to `page`, a pipe to the program image-out, which makes the HTML page.  If image-out ended
 * early, it printed the reason; the write then fails, and ferror(page) becomes true. */
static void add_to_page(struct search *j, FILE *page, const char *path, double cos) {
    struct arena a = j->t->arena;
    struct err e = {0};
    struct record r;
    struct span bytes;

    if (record_of_file(&r, path, NULL, &(struct file_stamp){0}, &a, &e) < 0 || record_set_float(&r, "cos", cos, &e) < 0 ||
        record_encode(&r, &bytes, &a, &e) < 0)
        die("%s", e.msg);
    signal(SIGPIPE, SIG_IGN);
    fwrite(bytes.p, 1, bytes.n, page);
    signal(SIGPIPE, SIG_DFL);
}

/* Closes the pipe `page` and waits for image-out to write the HTML page.  Returns true if that failed. */
static bool end_page(FILE *page, pid_t pid) {
    bool failed = ferror(page);

    signal(SIGPIPE, SIG_IGN);
    failed |= fclose(page) == EOF;
    signal(SIGPIPE, SIG_DFL);
    return ended(pid) > 1 || failed;
}

static void open_page(const char *file) {
    pid_t pid;

    fflush(stdout);    /* otherwise the child, too, would print the buffered text when it ends */
    if ((pid = fork()) == 0) {
        execlp("xdg-open", "xdg-open", file, (char *)NULL);
        die("--open: xdg-open is not installed (Debian: apt-get install xdg-utils); the page is %s", file);
    }
    if (pid < 0 || ended(pid) != 0)
        warn("the page is %s", file);
}

/* Returns the name in a line of rank: the text after the cosine, where a path, which may be empty, and an id follow each other.
 * Names may contain tabs, so the path ends at the last tab before which a file exists.  The line is changed. */
static const char *name_in(char *line) {
    char *name = strchr(line, '\t'), *end;

    if (!name)
        return NULL;
    if (*++name == '\t')
        return name + 1;
    while ((end = strrchr(name, '\t'))) {
        *end = 0;
        if (access(name, F_OK) == 0)
            break;
    }
    return name;
}

/* Prints the pictures that rank puts first, except those whose files no longer exist, and writes them to the page.
 * Returns the exit status. */
static int report(struct search *j, const char *text) {
    struct command c = {.n = 0}, image_out = {.n = 0};
    FILE *from, *page = NULL;
    char k[32], *line = NULL;
    struct name_set seen = {0};    /* a picture that was embedded twice, for example by two machines, is shown once */
    int64_t shown = 0;
    size_t room = 0;
    pid_t pid, page_pid = 0;
    int status;

    snprintf(k, sizeof k, "%d", SEARCH_MAX);
    add(&c, "rank");
    add(&c, "-q");
    add_models(&c, &j->models);
    add(&c, "--text");
    add(&c, text);
    add(&c, "-k");
    add(&c, k);
    add(&c, "--columns");
    add(&c, "cos,path,id");
    add(&c, "-0");
    add(&c, j->index);
    if (j->html) {
        add(&image_out, "image-out");
        add(&image_out, "--html");
        add(&image_out, j->html);
        page = start(&image_out, 0, &page_pid);
    }
    if (!(from = start(&c, 1, &pid)) || (j->html && !page))
        die_errno("rank");
    while (getdelim(&line, &room, 0, from) > 0) {
        const double cos = strtod(line, NULL);
        const char *name = name_in(line);
        char shown_name[9000];

        if (!name || shown == j->k || access(name, F_OK) < 0 || name_set_add(&seen, name, &j->t->arena) == 0)
            continue;
        printf("%.4f\t%s\n", cos, tool_quote(span_of(name), shown_name, sizeof shown_name));
        shown++;
        if (page && !ferror(page))
            add_to_page(j, page, name, cos);
    }
    free(line);
    fclose(from);
    status = ended(pid);
    if (status > 1)
        warn("if another model is at the same path now, remove the index: %s", j->index);
    if (page && end_page(page, page_pid))
        status = 2;
    return status;
}

int tool_search(struct search *j, int n, char *operand[]) {
    static char page[4700];
    char *folder[ARGS];
    int embedded, ranked;
    struct stat st;

    if (n < 2 || n - 1 > ARGS)
        die("search: a text and a folder are wanted, as in: unclip search 'a dog' ~/photos");
    if (j->html)
        tool_page_file(j->html);
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
    for (int i = 1; i < n; i++)
        free(folder[i - 1]);
    if (embedded > 1)
        return 2;
    if (!walk.pictures || stat(j->index, &st) < 0)
        die("%s: no pictures in it", operand[1]);
    prune(j);
    if (j->open && !j->html) {
        snprintf(page, sizeof page, "%.*shtml", (int)strlen(j->index) - 4, j->index);
        j->html = page;
    }
    ranked = report(j, operand[0]);
    if (j->open && ranked < 2)
        open_page(j->html);
    return ranked ? ranked : embedded;
}
