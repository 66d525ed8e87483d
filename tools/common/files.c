/* The files that a run reads and writes, and the check that no file is both read and written. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/io/pathname.h"
#include "tools/common/common.h"
#include "tools/common/output.h"

enum { DEEP = 3 };    /* how many levels of subdirectories of a model's directory are searched */

static bool is_stdio(const char *name) {
    return !name || !strcmp(name, "-");
}

void tool_reads_all(struct tool *t, int n, char *name[]) {
    if (t->files.nreads == TOOL_READS)
        die("too many kinds of input");
    if (n > 0)
        t->files.reads[t->files.nreads++] = (struct tool_names){(const char *const *)name, (size_t)n};
}

void tool_reads(struct tool *t, const char *name) {
    const char **one;

    if (!name)
        return;
    one = arena_take(&t->arena, 1, sizeof *one);
    if (!one)
        die("out of memory");
    *one = name;
    if (t->files.nreads == TOOL_READS)
        die("too many kinds of input");
    t->files.reads[t->files.nreads++] = (struct tool_names){one, 1};
}

void tool_writes(struct tool *t, const char *name) {
    if (is_stdio(name))
        return;
    if (t->files.writes.n == TOOL_LIST)
        die("too many kinds of output");
    t->files.writes.v[t->files.writes.n++] = name;
}

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_file(const char *name, const struct stat *file) {
    struct stat st;

    return stat(name, &st) == 0 && same(&st, file);
}

/* ---- models ---- */

/* Returns whether a file of this name could be part of a model.  Weights tell by their extension.  Configs and vocabularies
 * have a word in their name, too, because a result may also be a .json or .txt next to a model. */
static bool of_model(const char *name) {
    static const char *const weights[] = {".model", ".safetensors", ".bin", ".pt", ".pth", ".th", ".ckpt", ".pkl", ".yaml", ".yml", ".bpe"};
    static const char *const text[] = {".json", ".txt", ".gz"}, *const word[] = {"config", "token", "vocab", "merges", "index", "encoder"};
    bool is_text = false;

    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        if (path_ends(name, weights[i]))
            return true;
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        is_text |= path_ends(name, text[i]);
    for (size_t i = 0; is_text && i < sizeof word / sizeof *word; i++)
        if (strstr(name, word[i]))
            return true;
    return false;
}

/* Returns whether the file is part of the model in this directory, or in its subdirectories down to `deep` levels. */
static bool in_folder(const char *folder, const struct stat *file, int deep) {
    DIR *d = opendir(folder);
    struct dirent *at;
    char path[4200];
    bool found = false;

    while (d && !found && (at = readdir(d))) {
        if (at->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, at->d_name) >= (int)sizeof path)
            continue;
        if (of_model(at->d_name))
            found = is_file(path, file);
        else if (deep && path_is_dir(path))
            found = in_folder(path, file, deep - 1);
    }
    if (d)
        closedir(d);
    return found;
}

/* Returns whether the file is part of the model.  The config and tokenizer of a model that is one file are in that
 * file's directory. */
static bool in_model(const char *model, const struct stat *file) {
    char folder[4200];

    if (path_is_dir(model))
        return in_folder(model, file, DEEP);
    snprintf(folder, sizeof folder, "%.*s", (int)(path_base(model) - model), model);
    return is_file(model, file) || in_folder(*folder ? folder : ".", file, 0);
}

/* ---- the check ---- */

/* Returns the name under which the run reads this file, "-" if the file is standard input, or NULL if the run does not
 * read it. */
static const char *input_that_is(struct tool *t, const struct stat *file) {
    struct stat in;

    if (fstat(0, &in) == 0 && same(&in, file))
        return "-";
    for (size_t i = 0; i < t->files.nreads; i++)
        for (size_t k = 0; k < t->files.reads[i].n; k++)
            if (!is_stdio(t->files.reads[i].v[k]) && is_file(t->files.reads[i].v[k], file))
                return t->files.reads[i].v[k];
    tool_list_models(t);
    for (size_t i = 0; i < t->model.paths.n; i++)
        if (in_model(t->model.paths.v[i], file))
            return t->model.paths.v[i];
    return NULL;
}

bool tool_is_input(struct tool *t, const char *name) {
    struct stat st;

    return stat(name, &st) == 0 && S_ISREG(st.st_mode) && input_that_is(t, &st) != NULL;
}

/* Returns whether two names of outputs name one file.  The file may not exist yet. */
static bool one_file(const char *a, const char *b) {
    struct stat x;

    return !strcmp(a, b) || (stat(a, &x) == 0 && S_ISREG(x.st_mode) && is_file(b, &x));
}

void tool_check_files(struct tool *t) {
    char a[1100], b[1100];
    const char *in;
    struct stat st;

    tool_writes(t, t->output.name);
    for (size_t i = 0; i < t->files.writes.n; i++) {
        const char *name = t->files.writes.v[i];

        if (stat(name, &st) == 0 && S_ISREG(st.st_mode) && (in = input_that_is(t, &st)) != NULL) {
            tool_quote(span_of(name), a, sizeof a);
            if (!strcmp(in, name) || is_stdio(in))
                die("%s: input file is output file", a);
            die("%s: input file is output file (%s)", a, tool_quote(span_of(in), b, sizeof b));
        }
        for (size_t k = 0; k < i; k++)
            if (one_file(name, t->files.writes.v[k]))
                die("%s: named for two outputs", tool_quote(span_of(name), a, sizeof a));
    }
}
