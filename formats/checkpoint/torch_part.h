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

/* The bytes behind a storage key. */
struct blob {
    const unsigned char *key, *data;
    size_t len, n;    /* of key, of data */
};

struct torch {
    struct pickle k;
    struct weights *ws;
    struct arena *a;
    struct err *e;
    size_t visits;             /* values looked at: bounded, because the graph may fan out */
    const struct zip *zip;     /* where storages are, in an archive... */
    const char *top;           /* ...below this folder */
    size_t top_len;
    struct blob *blob;         /* ...or in a legacy file, by key */
    size_t nblob;
    bool fill;                 /* second pass: write the table, not only count it */
};

/* The persistent id ("storage", type, key, location, length[, view]). */
struct storage {
    bool typed;
    enum dtype dtype;
    const struct pickle_obj *key;
    size_t numel;    /* elements, or bytes where not typed */
};

int torch_storage(const struct torch *t, uint32_t obj, struct storage *s);

/* If obj is a tensor, read it: 1, else 0, or -1.  name is for messages. */
int torch_tensor(const struct torch *t, struct tensor *v, uint32_t obj, const char *name);

/* Is s a name that can be a storage's key? */
bool torch_plain_key(const unsigned char *s, size_t n);

int torch_blob_order(const void *a, const void *b);    /* by key, for qsort */

#endif
