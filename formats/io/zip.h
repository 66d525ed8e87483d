/* zip.h - the directory of a ZIP archive, for entries that are stored and can stay mapped
 *
 * What     Reads the central directory (ZIP64 too) and finds each entry's bytes.
 *          torch.save writes local headers with sizes of zero, so that only the central
 *          directory counts; the local one says how long its own name and extra field are.
 * Source   PKWARE APPNOTE 6.3.10; pytorch caffe2/serialize/inline_container.cc.
 * Checks   Every record, name and entry is inside the file; no two entries overlap each other
 *          or the directory; no name twice, no absolute names or "..", both headers agree on name
 *          and method; one disk.  CRCs are not checked.
 * Memory   Views into p; the table in the arena (as many bytes as the directory justifies).
 */
#ifndef UNCLIP_ZIP_H
#define UNCLIP_ZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct zip_entry {
    const char *name;     /* in the file, not terminated */
    size_t len;           /* of name */
    size_t head;          /* offset of the local header */
    size_t size;          /* bytes in the file */
    const unsigned char *data;
    bool stored;          /* neither deflated nor encrypted: data is the content */
};

struct zip {
    struct zip_entry *entry;    /* [n], by name */
    size_t n;
    const char *first;          /* the name that stands first in the directory */
    size_t first_len;
};

bool zip_sniff(const unsigned char *p, size_t n);

int zip_open(struct zip *z, const unsigned char *p, size_t n, struct arena *a, struct err *e);

const struct zip_entry *zip_find(const struct zip *z, const char *name, size_t len);

#endif
