/* names.h - the files that a program is to read: operands, or a list with a NUL after each name
 *
 * What     One name after another, from argv or from the file that --files0-from names ("-" is
 *          standard input), as wc(1) and du(1) take them.  Names are bytes.
 * Errors   names_next returns 1 for a name and 0 at the end.  -1: this name cannot be used, because it is empty or longer
 *          than a name of a file can be; the next call goes on.  -2: the list cannot be read; where errno is EINTR, a
 *          signal came while names_next waited.
 * Memory   One buffer; a name lives until the next call.
 */
#ifndef UNCLIP_NAMES_H
#define UNCLIP_NAMES_H

#include "formats/io/lines.h"

enum { NAMES_MAX = 4096 };    /* PATH_MAX: the NUL at the end counts */

struct names {
    char *const *operand;
    size_t noperands;
    bool listed;              /* from list, not from operand */
    struct lines list;
    char name[NAMES_MAX];
    uint64_t number;          /* names so far, unusable ones included */
};

int names_open(struct names *s, char *const operand[], size_t n, const char *files0,
               struct arena *a, struct err *e);
int names_next(struct names *s, const char **name, struct err *e);

/* Would names_next return without waiting for the program that writes the list? */
bool names_ready(const struct names *s);
void names_close(struct names *s);

#endif
