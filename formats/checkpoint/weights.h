/* weights.h - the tensors of any weights file, told by its content
 *
 * What     safetensors, torch.save archives, TorchScript, legacy torch files; and the index of
 *          a sharded checkpoint (model.safetensors.index.json, pytorch_model.bin.index.json),
 *          whose shards are in the same folder.  The name and extension of a file do not matter.
 * Checks   Those of safetensors.h and torch_file.h.  A shard's name is a plain file name; each
 *          tensor of the index is in the shard that it names, and only there.
 * Errors   Messages name the shard, not the file given: the caller prefixes that.
 * Memory   Files stay mapped; tables and names come from the arena.
 */
#ifndef UNCLIP_WEIGHTS_H
#define UNCLIP_WEIGHTS_H

#include "formats/io/mapfile.h"
#include "lib/base/tensor.h"

enum weights_kind { WEIGHTS_SAFETENSORS, WEIGHTS_TORCH, WEIGHTS_TORCHSCRIPT, WEIGHTS_INDEX };

struct weights_file {
    struct weights weights;
    enum weights_kind kind;
    struct mapfile *map;    /* [nmap] the files behind it */
    size_t nmap;
};

/* Does it look like a weights file (other than an index)? */
bool weights_sniff(const unsigned char *p, size_t n);

/* "safetensors", "TorchScript", ... */
const char *weights_kind_name(enum weights_kind k);

/* One file in memory, not an index. */
int weights_read(struct weights *ws, enum weights_kind *kind, const unsigned char *p, size_t n,
                 struct arena *a, struct err *e);

int weights_load(struct weights_file *f, const char *path, struct arena *a, struct err *e);

/* A few places of each tensor will be read: do not read ahead.  Undone by weights_forget. */
void weights_scattered(const struct weights_file *f);

/* After a network was bound: weights that were packed need not stay resident in their file as well.  Pages that
 * are used from the file come back when they are touched. */
void weights_forget(const struct weights_file *f);

/* Append g's files to f's, for a network that uses tensors of both. */
int weights_join(struct weights_file *f, const struct weights_file *g, struct arena *a);

/* weights_load for a caller that wants the tensors only. */
int weights_open(struct weights *ws, const char *path, struct arena *a, struct err *e);

#endif
