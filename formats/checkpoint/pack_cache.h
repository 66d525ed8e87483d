/* pack_cache.h - keep what was packed of a model in a file, for the next start
 *
 * What     Each tower, prior and U-Net is bound through this cache.  A file of its packed weights in the directory
 *          is mapped, and no weight is packed.  Without such a file the packed weights are remembered, and
 *          written when the program has done its work.  A file's name has the component, the kernel, and a hash
 *          of the paths of the weights, so that a changed model replaces its own file:
 *          text.bf16.0123456789abcdef.packed
 * Key      The component, the kernel, PACKED_LAYOUT, the model's fingerprint (64 elements of each
 *          tensor), name, type, shape, strides and place of every tensor, and inode, size, mtime and ctime of
 *          each file of weights.  Only the weights of the fingerprint are read.  So a model that is
 *          replaced, edited, touched, copied or restored is packed anew.  Two changes are not seen: one that
 *          is written to the disk below the file system, and one through a shared mapping that
 *          was open while the file was written.  A file of weights that changed less than two
 *          seconds before, or while it was packed, is not kept: its times could be those of an earlier
 *          content.
 * Trust    A file's structure is checked (pack_file.h), its content is not checked against a sum, because a
 *          start shall cost page faults only.  Therefore the directory and the file must belong to this user or to
 *          root, no other user may write to them, and a file is complete and synced before it gets its name.
 *          A person who can write to the user's files can do worse than change weights.
 * Errors   No error stops a program: without the directory, without permission, with a full disk or with a
 *          file that does not fit, the weights are packed as without a cache.  `say` has the reason, for -v.
 * Limits   Networks below `least` bytes are packed faster than found.  A file is written only where its size is free
 *          twice.  After one was written, those that were not used for PACK_DAYS, and
 *          then the longest unused until PACK_MOST bytes are left, are removed.  The time of use is mtime, renewed
 *          once a day.
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
    const struct weights_file *source;    /* the files that hold all of them */
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
