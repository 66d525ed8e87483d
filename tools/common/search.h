/* search.h - the pictures below folders that are most like a text
 *
 * What     tool_search runs three programs: clip-embed embeds the pictures that the index lacks or that have changed,
 *          and removes those that are gone; rank compares the text with the index; image-out makes the page.  The index
 *          is a stream of records in the user's cache.  Each list of folders and models has an index of its own.
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
