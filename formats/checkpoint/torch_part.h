/* torch_part.h - what torch_file.c and torch_tensor.c share
 *
 * What     The state of reading one file: its pickle, and where the bytes of storages are.
 */
#ifndef UNCLIP_TORCH_PART_H
#define UNCLIP_TORCH_PART_H

#include "formats/checkpoint/pickle.h"
#include "formats/io/zip.h"
#include "lib/base/tensor.h"

enum { TORCH_KEY_MAX = 64 };

/* A storage: its key and its bytes. */
struct blob {
    const unsigned char *key, *data;
    size_t len, n;    /* length of key, length of data */
};

struct torch {
    struct pickle k;
    struct weights *ws;
    struct arena *a;
    struct err *e;
    size_t visits;             /* values looked at: their number is bounded, because an object may have many parents */
    const struct zip *zip;     /* the archive that has the storages; NULL for a legacy file */
    const char *top;           /* the archive's top directory, with its "/" */
    size_t top_len;
    struct blob *blob;         /* the storages of a legacy file, sorted by key */
    size_t nblob;
    bool fill;                 /* the second pass, which fills the table; the first pass counts the tensors */
};

/* What the persistent id ("storage", type, key, location, length[, view]) says. */
struct storage {
    bool typed;      /* false: an UntypedStorage, whose elements are bytes */
    enum dtype dtype;
    const struct pickle_obj *key;
    size_t numel;    /* number of elements, or of bytes if not typed */
};

/* Reads the persistent id obj into *s.  Returns 0, or -1 if obj is not the id of a storage. */
int torch_storage(const struct torch *t, uint32_t obj, struct storage *s);

/* If obj is a tensor, reads it into *v and returns 1.  Returns 0 if obj is not a tensor, or -1 if the tensor is not
 * valid or is stored in a way not known here.  `name` is for messages. */
int torch_tensor(const struct torch *t, struct tensor *v, uint32_t obj, const char *name);

/* Returns whether s is a name that can be a storage's key. */
bool torch_plain_key(const unsigned char *s, size_t n);

int torch_blob_order(const void *a, const void *b);    /* compares two blobs by key, for qsort */

#endif
