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
    size_t len, n;    /* of key, of data */
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
    size_t numel;    /* elements, or bytes where not typed */
};

/* Read the persistent id obj.  0, or -1: it is not the id of a storage. */
int torch_storage(const struct torch *t, uint32_t obj, struct storage *s);

/* If obj is a tensor, read it into v: 1.  0: obj is not a tensor.  -1: the tensor is not valid, or stored in a way not
 * known here.  name is for messages. */
int torch_tensor(const struct torch *t, struct tensor *v, uint32_t obj, const char *name);

/* Is s a name that can be a storage's key? */
bool torch_plain_key(const unsigned char *s, size_t n);

int torch_blob_order(const void *a, const void *b);    /* by key, for qsort */

#endif
