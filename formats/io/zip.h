/* zip.h - read the directory of a ZIP archive, for entries that are not compressed and are used in place
 *
 * What     Reads the central directory (ZIP64 too) and finds each entry's bytes.
 *          torch.save writes local headers with sizes of zero, so sizes are taken from the central directory
 *          only; the local header says how long its own name and extra field are.
 * Source   PKWARE APPNOTE 6.3.10; pytorch caffe2/serialize/inline_container.cc.
 * Checks   Every record, name and entry is inside the file.  Entries do not overlap each other or the directory.  No
 *          name occurs twice, is absolute or has a part "..".  Both headers of an entry agree on name and method.  The
 *          archive is in one part.  CRCs are not checked.
 * Memory   Names and data point into p.  The table of entries is in the arena, and the size of the directory limits the
 *          size of the table.
 */
#ifndef UNCLIP_ZIP_H
#define UNCLIP_ZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct zip_entry {
    const char *name;     /* points into the file; no NUL follows */
    size_t len;           /* length of name */
    size_t head;          /* offset of the local header */
    size_t size;          /* number of bytes that `data` takes in the file */
    const unsigned char *data;
    bool stored;          /* the entry is neither deflated nor encrypted, so `data` is its content */
};

struct zip {
    struct zip_entry *entry;    /* [n], sorted by name */
    size_t n;
    const char *first;          /* the name that stands first in the directory */
    size_t first_len;
};

/* Returns true if the n bytes at p begin like a ZIP archive. */
bool zip_sniff(const unsigned char *p, size_t n);

int zip_open(struct zip *z, const unsigned char *p, size_t n, struct arena *a, struct err *e);

/* Returns the entry whose name is the len bytes at `name`, or NULL. */
const struct zip_entry *zip_find(const struct zip *z, const char *name, size_t len);

#endif
