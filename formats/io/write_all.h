/* write_all.h - write(2) until everything is written
 *
 * What     write_all writes all n bytes, in as few write(2) calls as the system allows.  If the descriptor is
 *          non-blocking, write_all waits until the descriptor can take more bytes.
 * Errors   write_all returns -1 with errno; a part of the bytes may have been written.
 */
#ifndef UNCLIP_WRITE_ALL_H
#define UNCLIP_WRITE_ALL_H

#include <stddef.h>

int write_all(int fd, const void *p, size_t n);

#endif
