/* err.h - how lib and formats report what outside data did wrong
 *
 * What     One message, in lower case, without the program's name and without a
 *          full stop.  The caller prefixes the file or the record's number.
 * Errors   Functions that can fail return -1 (readers: 1 one more, 0 end, -1
 *          error) and fill the struct.  The first error wins: a later err_set on
 *          a filled struct changes nothing, so that the cause is not hidden by
 *          its consequences.  Clear it with `err.msg[0] = 0` or `= {0}`.
 * Text     Messages quote names out of files: control characters in them become "?", so that no
 *          file can write to a terminal, and a message is one line.
 * Threads  No global state.
 */
#ifndef UNCLIP_ERR_H
#define UNCLIP_ERR_H

struct err {
    char msg[1024];   /* "" while nothing went wrong */
};

/* Fill e unless it is filled already (e may be NULL).  Returns -1, so that a
 * function can end with `return err_set(e, ...);`. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
