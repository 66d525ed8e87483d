/* programs.h - the programs of unclip: what each does, in a few words, and where each is
 *
 * What     The words are those after .Nd in the manual pages, man/NAME.1.  The Makefile makes the table from them.
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

/* Returns the path of the file `name` in the directory `up`, or NULL if that directory has no such file.  `up` is
 * relative to the directory of the running program; it is "" for this directory, or ends in a slash.  The next call
 * overwrites the path. */
const char *program_beside(const char *up, const char *name);

/* Replaces the running process by the program `name`: the one in the directory of the running program, else the one in
 * $PATH. */
noreturn void program_become(const char *name, char *const argv[]);

#endif
