/* say.h - messages on standard error: "tool: file: reason"
 *
 * What     Only tools print and exit.  A message is one line in lower case, without a full stop.  A message shows
 *          characters that might control the terminal, which a file's name can hold, as \xNN (tool_quote).
 */
#ifndef UNCLIP_SAY_H
#define UNCLIP_SAY_H

#include <stdint.h>
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

/* Warns that a record of a stream failed: "tool: FILE: record N (id): reason".  If many records of a stream fail one after
 * the other for the same reason, the first SAY_NAMED are named.  The others are counted, and one line,
 * "tool: FILE: 897 more records (4 to 900): reason", comes before the next message or at the end of the program.  `done` is
 * the number of records that the program has done so far. */
enum { SAY_NAMED = 3 };
void warn_record(const char *file, uint64_t number, struct span id, uint64_t done, const char *reason);

/* Prints the line of warn_record about the records that were counted, if there are any. */
void warn_counted(void);

/* Prints lines of text on standard output, with control characters as \xNN (tool_quote). */
void tool_print(const char *text);

/* Writes the bytes of a name into buf as one printable line, and returns buf.  Control characters (also U+0080 to
 * U+009F) and bytes that are not UTF-8 become \xNN. */
const char *tool_quote(struct span s, char *buf, size_t room);

#endif
