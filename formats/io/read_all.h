/* read_all.h - read(2) until a buffer is full or the file ends
 *
 * What     read_all returns the number of bytes read, which is less than n only at the end of the file.  It waits for the
 *          bytes of a descriptor that another program made non-blocking.
 * Errors   read_all returns -1 with errno.
 */
#ifndef UNCLIP_READ_ALL_H
#define UNCLIP_READ_ALL_H

#include <stddef.h>
#include <sys/types.h>

ssize_t read_all(int fd, void *p, size_t n);

/* Waits until read(2) would not fail with EAGAIN.  Returns 0, or -1 with errno, which is EINTR after a signal. */
int wait_readable(int fd);

#endif
