/* weights.h - read the tensors of any weights file, whose kind is recognised by its content
 *
 * What     The functions read safetensors, torch.save archives, TorchScript, legacy torch files, and the index of a
 *          sharded checkpoint (model.safetensors.index.json, pytorch_model.bin.index.json), whose shards are in the
 *          directory of the index.  The name and extension of a file do not matter.
 * Checks   The checks of safetensors.h and torch_file.h are made.  A shard's name is a plain file name.  Each tensor of
 *          the index is in the shard that the index names for it, and only there.
 * Errors   The functions return -1, and err names the shard, the tensor or the rule; the caller puts the file's name
 *          before it.
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
    struct mapfile *map;    /* [nmap] the mapped files that hold the tensors */
    size_t nmap;
};

/* Returns whether the file p looks like safetensors or a PyTorch file.  An index does not look like these. */
bool weights_sniff(const unsigned char *p, size_t n);

/* Returns the kind as --info prints it: "safetensors", "TorchScript", ... */
const char *weights_kind_name(enum weights_kind k);

/* Read the tensors of one file in memory, which is not an index. */
int weights_read(struct weights *ws, enum weights_kind *kind, const unsigned char *p, size_t n,
                 struct arena *a, struct err *e);

/* Map the file `path`, or the shards of an index, and read their tensors. */
int weights_load(struct weights_file *f, const char *path, struct arena *a, struct err *e);

/* Tell the kernel that a few places of each tensor will be read, so the kernel does not read ahead.  weights_forget
 * ends this. */
void weights_scattered(const struct weights_file *f);

/* Drop the files' pages from memory, after a network was bound: packed weights need not be resident in their file as
 * well.  A page that is used later is read from the file again. */
void weights_forget(const struct weights_file *f);

/* Append g's files to f's, for a network that uses tensors of both. */
int weights_join(struct weights_file *f, const struct weights_file *g, struct arena *a);

/* Does what weights_load does, for a caller that wants the tensors only. */
int weights_open(struct weights *ws, const char *path, struct arena *a, struct err *e);

#endif
