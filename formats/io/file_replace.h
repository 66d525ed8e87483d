/* file_replace.h - write a whole file, or leave what was there
 *
 * What     The bytes go to a temporary name in the same folder, which then takes the place of `name`: nobody
 *          sees half a file, and none is left when the disk is full.  A file that is replaced keeps its
 *          permissions; through a symbolic link its target is replaced.  Devices and FIFOs are written
 *          to.  A folder is refused, and a file that may not be written.
 * Errors   -1 with the system's reason; the temporary file is removed.
 * Durable  Not synced: after a power failure the file may be the old one, or gone.
 */
#ifndef UNCLIP_FILE_REPLACE_H
#define UNCLIP_FILE_REPLACE_H

#include <stddef.h>

#include "lib/base/err.h"

int file_replace(const char *name, const void *p, size_t n, struct err *e);

#endif
