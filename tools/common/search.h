/* search.h - the pictures below folders that are most like a text
 *
 * What     tool_search runs three programs.  clip-embed embeds the pictures that are not in the index or that have changed,
 *          and removes from the index those that no longer exist.  rank compares the text with the index.  image-out
 *          makes the HTML page.  The index is a stream of records in the user's cache directory.  Each list of folders and
 *          models has an index of its own.
 */
#ifndef UNCLIP_SEARCH_H
#define UNCLIP_SEARCH_H

#include "tools/common/tool.h"

enum { SEARCH_MAX = 100000 };    /* the most pictures that are printed */

struct search {
    struct tool *t;
    struct strs models;       /* -m */
    int64_t k;                /* how many pictures are printed */
    bool quiet, open;         /* open: show the page in a browser */
    const char *html;         /* the page's file, or NULL */
    const char *index;        /* set by tool_search */
};

/* Searches for operand[0] in the folders operand[1], ...  Returns the exit status. */
int tool_search(struct search *j, int n, char *operand[]);

#endif
