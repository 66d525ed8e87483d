/* pack_cache.h - keep what was packed of a model in a file, for the next start
 *
 * What     Each tower, prior, U-Net is bound through here.  Where a file of its packed weights is
 *          in the folder, it is mapped and nothing is packed; else what was packed is remembered and,
 *          when the program has done its work, written.  A model's file is called after
 *          the component, the kernel, and a hash of where the weights lie, so that a model that
 *          changes replaces its own file:  text.bf16.0123456789abcdef.packed
 * Key      The component, the kernel, PACKED_LAYOUT, the model's fingerprint (64 elements of each
 *          tensor), name, type, shape, strides and place of every tensor, and inode, size, mtime and ctime of
 *          each file of weights.  No weight but the fingerprint's is read.  So a model that is
 *          replaced, edited, touched, copied or restored is packed anew.  What this does not see: a change
 *          by somebody who writes to the disk below the file system, and one through a shared mapping that
 *          was open while the file was written.  A file of weights that changed less than two
 *          seconds before, or while it was packed, is not kept: its times could be those of an earlier
 *          content.
 * Trust    A file's content is not checked against a sum, only its structure (pack_file.h): starting is to
 *          cost page faults, no more.  So the folder and the file must belong to this user or to
 *          root and be writable by nobody else, and a file is complete and synced before it gets its name.
 *          Who can write to the user's files can do worse than change weights.
 * Errors   None that stop a program: without the folder, without permission, with a full disk or a
 *          file that does not fit, the weights are packed as ever.  `say` has why, for -v.
 * Limits   Networks below `least` bytes are packed faster than found.  A file is written only where its size is free
 *          twice.  After one was written, those that were not used for PACK_DAYS, and
 *          then the longest unused until PACK_MOST bytes are left, are removed; use is mtime, renewed once a day.
 * Memory   The file's pages are shared with all processes that use it.
 */
#ifndef UNCLIP_PACK_CACHE_H
#define UNCLIP_PACK_CACHE_H

#include "formats/checkpoint/pack_dir.h"
#include "formats/checkpoint/weights.h"
#include "lib/kernel/packed.h"
#include "lib/layer/linear.h"

enum { PACK_KEY_LENGTH = 256 };
#define PACK_LEAST ((size_t)1 << 20)

/* What became of one component. */
struct pack_entry {
    struct pack_entry *next;
    const char *part;
    char key[PACK_KEY_LENGTH], file[PACK_NAME_LENGTH];
    size_t nkey;
    struct packed packed;
    bool pending;                /* packed anew, to be written */
    char say[512];
};

struct pack_cache {
    const char *dir;             /* NULL: keep nothing */
    size_t least;                /* keep no file of fewer bytes: PACK_LEAST, fewer in tests */
    struct pack_entry *entry;    /* the first */
};

/* What is to be bound. */
struct pack_of {
    const char *part;                     /* "text" */
    struct weights *weights;              /* its `packed` is set while binding */
    const struct weights_file *source;    /* where all of them lie */
    const char *file;                     /* what source was opened as */
    const char *fingerprint;
    uint64_t cut;                         /* what rows are cut by that the tensors do not say, or 0 */
    /* Bind it: 0 or -1.  Called a second time if what was found did not fit. */
    int (*bind)(void *ctx, struct arena *a, struct err *e);
    void *ctx;
};

/* Bind with what is found, or noting it for pack_cache_save.  k may be NULL.  What stays is taken from a. */
int pack_cache_bind(struct pack_cache *k, const struct pack_of *what, const struct kern *kern, struct arena *a,
                    struct err *e);

/* Write what was packed anew.  stop() is asked now and then whether to give up. */
void pack_cache_save(struct pack_cache *k, bool (*stop)(void));

#endif
