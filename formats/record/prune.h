/* prune.h - remove from an index the records of files that have changed or are gone
 *
 * What     A record of a file (record_of_file) has the file's stamp in the fields `size` and `mtime`.  The record's field
 *          `archive`, else `path`, else its id is the file's name.  The file is gone if no file has this name.  The file has
 *          changed if it has another stamp, unless the record's id was made from the file's content and the file still has
 *          this content.  A member of an archive has changed if the archive has another stamp, even if the record's id was
 *          made from the member's content.
 *          prune_copy writes the stream without the records of changed files and, with `gone` set, without those of files
 *          that are gone.  It keeps every other record: without a stamp, with a field `root`, or of a file that cannot be
 *          examined.  A file cannot be examined if stat fails for another reason than a missing file, if the name leads to a
 *          FIFO or to anything else except a regular file, or if the content must be compared and the file cannot be opened.
 *          prune_copy copies all other bytes too, damaged bytes and a truncated last record included.
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
    bool (*stopped)(void);        /* set by the caller: returns true to interrupt prune_copy; may be NULL */
    uint64_t records, here;       /* records: number of records read; here: number whose file exists, changed or not */
    uint64_t missing, changed;    /* missing: number of records whose file is gone, dropped or not;
                                   * changed: number of records whose file has changed */
    uint64_t relative;            /* number of dropped records whose file has a relative name */
    bool dropped;                 /* records were dropped; after success `to` is open, and the caller keeps or drops it */
    struct file_new to;
};

/* Reads the stream in the file `name`.  If a record is to be dropped, writes all other bytes to p->to. */
int prune_copy(struct prune *p, const char *name, struct arena a, struct err *e);

#endif
