/* say.h - messages on standard error: "tool: file: reason"
 *
 * What     Only tools print and exit.  A message is one line in lower case, without a full stop.  A message shows
 *          characters that might control the terminal, which a file's name can hold, as \xNN (tool_quote).
 */
#ifndef UNCLIP_SAY_H
#define UNCLIP_SAY_H

#include <stdnoreturn.h>

#include "lib/base/span.h"

extern const char *tool_prog;    /* the program's name, which tool_start sets */

/* Print the message and end the program with status 2.  die_errno adds the text of errno. */
noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void die_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes the program call fn(of) before it ends, even if it ends by die.  fn writes what is in the program's own buffer,
 * and returns 0, or -1 with errno. */
void tool_at_end(int (*fn)(void *of), void *of);

void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints lines of text on standard output, with control characters as \xNN (tool_quote). */
void tool_print(const char *text);

/* Writes the bytes of a name into buf as one printable line, and returns buf.  Control characters (also U+0080 to
 * U+009F) and bytes that are not UTF-8 become \xNN. */
const char *tool_quote(struct span s, char *buf, size_t room);

#endif
