/* unclip - list the programs, show their manual pages, run one of them, or search a folder of pictures
 *
 * Reads: with search, the names and contents of the pictures below folders.
 * Writes: with search, an index below the user's cache, the best pictures as lines of text, and a page.
 * Memory: that of clip-embed and rank, which search runs.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/near.h"
#include "tools/common/programs.h"
#include "tools/common/search.h"
#include "tools/common/tool.h"

#define SYNOPSIS "[-hV]\n"                                   \
                 "       unclip help [NAME]\n"                       \
                 "       unclip NAME [argument ...]\n"               \
                 "       unclip search [-qv] [-k N] [-m PATH]... [--html FILE] [--open] TEXT FOLDER..."

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
    static const char *const words[] = {"help", "search"};
    size_t best = SIZE_MAX;
    const char *meant = NULL;

    for (const struct program *p = tool_programs; p->name; p++) {
        const size_t changes = near_changes(name, p->name);

        if (changes < best)
            best = changes, meant = p->name;
    }
    for (size_t i = 0; i < 2; i++)
        if (near_changes(name, words[i]) < best)
            best = near_changes(name, words[i]), meant = words[i];
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
    if (!(path = program_beside("../../man/", page)))
        path = program_beside(folder, page);
    if (path)
        execlp("man", "man", path, (char *)NULL);
    else
        execlp("man", "man", section, name, (char *)NULL);
    execlp("mandoc", "mandoc", path ? path : page, (char *)NULL);
    die("neither man nor mandoc is installed; the page is %s", path ? path : page);
}

int main(int argc, char *argv[]) {
    static struct tool t;
    static struct search j = {.t = &t, .k = 10};
    const struct opt own[] = {
        {'k', "top", OPT_INT, &j.k, "N", "search: how many pictures (10)", 1, SEARCH_MAX, NULL},
        {'m', "model", OPT_LIST, &j.models, "PATH", "search: a folder or file with (part of) the model; may be repeated", 0, 0, NULL},
        {0, "html", OPT_STR, &j.html, "FILE", "search: write a page with the pictures, too", 0, 0, NULL},
        {0, "open", OPT_FLAG, &j.open, NULL, "search: show the page in a browser (xdg-open)", 0, 0, NULL},
        {'q', "quiet", OPT_FLAG, &j.quiet, NULL, "search: no progress line and no warnings", 0, 0, NULL},
    };
    static const char *const mode[] = {"search"};
    static const struct opt_use uses[] = {{1, "top model html open quiet"}};
    const char *word = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    const bool searching = word && !strcmp(word, "search");
    int at;

    tool_prog = "unclip";
    if (word && !strcmp(word, "help") && argc > 2)
        help(argv[2]);
    if (word && !searching && strcmp(word, "help") != 0) {
        if (!tool_about(word))
            unknown(word);
        program_become(word, argv + 1);
    }
    at = tool_start(&t, "unclip", argc - searching, argv + searching, SYNOPSIS, 0, own, sizeof own / sizeof *own);
    TOOL_CHECK_USES(&t, uses, mode, searching);
    if (searching) {
        t.status = tool_search(&j, argc - 1 - at, argv + 1 + at);
        t.verbose = false;    /* clip-embed has said what was done */
    } else {
        list();
    }
    return tool_finish(&t);
}
