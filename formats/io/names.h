/* names.h - the names of the files that a program is to read, from its operands or from a list
 *
 * What     names_next hands out one name after another, from argv or from the file that --files0-from names ("-" is
 *          standard input), as wc(1) and du(1) take them.  In the list a NUL follows each name.  Names are bytes.
 * Errors   names_next returns 1 for a name and 0 at the end.  It returns -1 if the name is empty or longer than the
 *          name of a file can be; the next call goes on.  It returns -2 if the list cannot be read; if errno is then
 *          EINTR, a signal came while names_next waited.
 * Memory   One buffer; a name lives until the next call.
 */
#ifndef UNCLIP_NAMES_H
#define UNCLIP_NAMES_H

#include "formats/io/lines.h"

enum { NAMES_MAX = 4096 };    /* PATH_MAX, which includes the NUL at the end */

struct names {
    char *const *operand;
    size_t noperands;
    bool listed;              /* the names come from `list`, not from `operand` */
    struct lines list;
    char name[NAMES_MAX];
    uint64_t number;          /* how many names were taken so far, names that cannot be used included */
};

int names_open(struct names *s, char *const operand[], size_t n, const char *files0,
               struct arena *a, struct err *e);
int names_next(struct names *s, const char **name, struct err *e);

/* Returns true if names_next would return without waiting for the program that writes the list. */
bool names_ready(const struct names *s);
void names_close(struct names *s);

#endif
