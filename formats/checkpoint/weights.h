/* weights.h - the tensors of any weights file, told by its content
 *
 * What     safetensors, torch.save archives, TorchScript, legacy torch files; and the index of
 *          a sharded checkpoint (model.safetensors.index.json, pytorch_model.bin.index.json),
 *          whose shards lie beside it.  Names and extensions of files say nothing.
 * Checks   Those of safetensors.h and torch_file.h.  A shard's name is a plain file name; each
 *          tensor of the index is in the shard that it names, and in no other.
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

/* One file that lies in memory (no index). */
int weights_read(struct weights *ws, enum weights_kind *kind, const unsigned char *p, size_t n,
                 struct arena *a, struct err *e);

int weights_load(struct weights_file *f, const char *path, struct arena *a, struct err *e);

/* A few places of each tensor will be read: do not read ahead.  Undone by weights_forget. */
void weights_scattered(const struct weights_file *f);

/* After a network was bound: what was packed need not stay resident a second time.  What is used
 * as it lies comes back when it is touched. */
void weights_forget(const struct weights_file *f);

/* f's files and also g's: who uses tensors of both has them in one list. */
int weights_join(struct weights_file *f, const struct weights_file *g, struct arena *a);

/* The same as weights_load, for who wants the tensors only. */
int weights_open(struct weights *ws, const char *path, struct arena *a, struct err *e);

#endif
