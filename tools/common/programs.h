/* programs.h - what each program does, in a few words
 *
 * What     The words are those after .Nd in the manual pages, man/NAME.1: the Makefile makes the table of them.
 */
#ifndef UNCLIP_PROGRAMS_H
#define UNCLIP_PROGRAMS_H

#include <stddef.h>

struct program {
    const char *name, *does;
};

extern const struct program tool_programs[];    /* in alphabetical order; the last one has a NULL name */

/* Returns what the program of this name does, or NULL if no program has the name. */
const char *tool_about(const char *name);

#endif
