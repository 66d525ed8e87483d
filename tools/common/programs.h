/* programs.h - the other programs: what each does, in a few words, and where it is
 *
 * What     The words are those after .Nd in the manual pages, man/NAME.1: the Makefile makes the table of them.
 */
#ifndef UNCLIP_PROGRAMS_H
#define UNCLIP_PROGRAMS_H

#include <stddef.h>
#include <stdnoreturn.h>

struct program {
    const char *name, *does;
};

extern const struct program tool_programs[];    /* in alphabetical order; the last one has a NULL name */

/* Returns what the program of this name does, or NULL if no program has the name. */
const char *tool_about(const char *name);

/* Returns the path of the file `name` in the directory of this program, or in `up`, which is relative to that directory and ends
 * in a slash.  Returns NULL if there is no such file.  The next call overwrites the path. */
const char *program_beside(const char *up, const char *name);

/* Becomes the program of this name: the one next to this program, else the one in $PATH. */
noreturn void program_become(const char *name, char *const argv[]);

#endif
