/* write_all.h - write(2) until everything is written
 *
 * What     All n bytes in as few write(2) calls as the system allows.  A descriptor that does not block is
 *          waited for.
 * Errors   -1 with errno; a part may have been written.
 */
#ifndef UNCLIP_WRITE_ALL_H
#define UNCLIP_WRITE_ALL_H

#include <stddef.h>

int write_all(int fd, const void *p, size_t n);

#endif
