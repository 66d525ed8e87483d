/* pack_cache.h - keep the packed weights of a model in files, for the next start
 *
 * What     Each tower, prior and U-Net is bound through this cache.  A file of its packed weights in the directory
 *          is mapped, and no weight is packed.  Without such a file the packed weights are remembered, and
 *          written when the program has done its work.  A file's name has the component, the kernel, and a hash
 *          of the path of the weights file, so that a changed model replaces its own file:
 *          text.bf16.0123456789abcdef.packed
 * Key      The component, the kernel, PACKED_LAYOUT, the model's fingerprint (64 elements of each
 *          tensor), name, type, shape, strides and place of every tensor, and inode, size, mtime and ctime of
 *          each file of weights.  Of the weights only the elements for the fingerprint are read.  So a model that is
 *          replaced, edited, touched, copied or restored is packed anew.  Two kinds of change are not seen: a change
 *          that is written to the disk below the file system, and a change through a shared mapping that was open
 *          while the file of packed weights was written.  If a file of weights changed less than two seconds before
 *          it was packed, or while it was packed, its packed weights are not kept: its times could be those of an
 *          earlier content.
 * Trust    A file's structure is checked (pack_file.h).  Its content is not checked against a sum, because a
 *          start shall cost page faults only.  Therefore the directory and the file must belong to this user or to
 *          root, no other user may write to them, and a file is complete and synced before it gets its name.
 *          These checks do not protect against a process that runs as this user or as root: such a process could
 *          change the programs, too.
 * Errors   An error of the cache does not stop a program: without the directory, without permission, with a full disk
 *          or with a file of another network, the weights are packed as without a cache.  `say` has the reason, for -v.
 * Limits   A network with fewer than `least` bytes of packed weights is not kept: packing it is faster than finding it.
 *          A file is written only if twice its size is free on the disk.  After a file was written, the files that were
 *          not used for PACK_DAYS are removed, and then the files that were unused longest, until at most PACK_MOST
 *          bytes are left.  The time of use is mtime, renewed once a day.
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

/* One component, and whether its packed weights were found or are to be written. */
struct pack_entry {
    struct pack_entry *next;
    const char *part;
    char key[PACK_KEY_LENGTH], file[PACK_NAME_LENGTH];
    size_t nkey;
    struct packed packed;
    bool pending;                /* the weights were packed anew, and their file is to be written */
    char say[512];               /* for -v: "12.3 MiB found in FILE", or why the weights were packed */
};

struct pack_cache {
    const char *dir;             /* the directory; if NULL, no file is kept */
    size_t least;                /* keep no file of fewer bytes: PACK_LEAST, or less in tests */
    struct pack_entry *entry;    /* the first entry of a list */
};

/* A component that is to be bound. */
struct pack_of {
    const char *part;                     /* "text" */
    struct weights *weights;              /* weights->packed is set while the component is bound */
    const struct weights_file *source;    /* the files that hold all weights */
    const char *file;                     /* the path under which source was opened */
    const char *fingerprint;
    uint64_t cut;                         /* sizes that packing depends on and the tensors do not tell (heads), or 0 */
    /* Binds the component, and returns 0 or -1.  Is called a second time if the file that was found belongs to another
     * network. */
    int (*bind)(void *ctx, struct arena *a, struct err *e);
    void *ctx;
};

/* Binds a component from its file of packed weights, or packs the weights and notes the blocks for pack_cache_save.  If
 * k is NULL, the weights are packed and not noted.  Memory that stays is taken from the arena a.  Returns 0, or -1 if
 * binding failed. */
int pack_cache_bind(struct pack_cache *k, const struct pack_of *what, const struct kern *kern, struct arena *a,
                    struct err *e);

/* Write the files of the weights that were packed anew.  Before each write, stop() is asked whether to give up. */
void pack_cache_save(struct pack_cache *k, bool (*stop)(void));

#endif
