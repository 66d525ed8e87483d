/* prune.h - an index without the records whose picture files have changed or are gone
 *
 * What     A record of a file (record_of_file) has the file's stamp in `size` and `mtime`.  It is true as long as the file
 *          that its archive, or else its path, or else its id names has this stamp.  If the stamp differs, the file has changed; if no file
 *          has the name, the file is gone.  A record whose id was made from the file's content is still true if the file
 *          has that content.  Every other record is kept: one without a stamp, one of a result that has a root, and one
 *          whose file cannot be looked at for another reason.
 *          prune_copy writes the stream without the records that are not true.  All other bytes are copied, damage and
 *          a cut tail too.
 * Errors   A stream that cannot be read or written is an error; err has the reason.  Damage in the stream is not.
 * Memory   One record.  A file whose content id is checked is mapped.
 */
#ifndef UNCLIP_PRUNE_H
#define UNCLIP_PRUNE_H

#include <stdint.h>

#include "formats/io/file_replace.h"
#include "lib/base/arena.h"

struct prune {
    bool gone;                    /* set by the caller: also drop the records of files that are gone */
    bool (*stopped)(void);        /* set by the caller: whether to give up; may be NULL */
    uint64_t records, here;       /* records read; those whose file is there, changed or not */
    uint64_t missing, changed;    /* those whose file is gone, dropped or not; those that were dropped as changed */
    bool dropped;                 /* something was dropped, and `to` is open; the caller keeps it or drops it */
    struct file_new to;
};

/* Reads the file `name`, and writes what is left of it to p->to if anything is dropped. */
int prune_copy(struct prune *p, const char *name, struct arena a, struct err *e);

#endif
