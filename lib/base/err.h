/* err.h - how lib and formats report what is wrong with data from outside
 *
 * What     struct err holds one message, in lower case, without the program's name and
 *          without a full stop.  The caller puts the name of the file or the number of the
 *          record in front.
 * Errors   A function that can fail returns -1 and fills the struct.  A reader returns 1 if
 *          it has read an item, 0 at the end of the data and -1 for an error.  The first
 *          error wins: a later err_set on a filled struct changes nothing, so that the cause
 *          is not hidden by its consequences.  `= {0}` and err_clear make the struct empty.
 * Text     Messages quote names from files.  Control characters become "?", so that a message
 *          is one line and a file cannot send commands to a terminal.
 * Threads  No global state.
 */
#ifndef UNCLIP_ERR_H
#define UNCLIP_ERR_H

struct err {
    char msg[1024];   /* "" while there is no error */
};

/* Writes the message into e unless e holds a message already; e may be NULL.  Returns -1, so that a
 * function can end with `return err_set(e, ...);`. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes "where: why" into e as err_set does, and returns -1.  `where` names a file, an option or a record. */
int err_at(struct err *e, const char *where, const struct err *why);

void err_clear(struct err *e);

#endif
