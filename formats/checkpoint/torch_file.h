/* torch_file.h - read the tensors of a PyTorch file, without running code of the file
 *
 * What     torch_read reads torch.save archives (ZIP), TorchScript archives, and the files that torch.save wrote before
 *          1.6.  Names are the keys of the state dict, where nested keys are joined by ".", or the attribute paths of a
 *          TorchScript module, which are equal to those keys.  A whole torch.nn.Module that was pickled gives its
 *          parameters and buffers under the names that its state dict would have; its classes are names, and no source
 *          text in the file is read.  A training checkpoint is entered through its key state_dict, model_state_dict,
 *          model, module or ema; the members of a tuple or list at the top are named "0", "1", ...
 * Source   torch/serialization.py, torch/_utils.py (the _rebuild functions), torch/csrc/jit/
 *          serialization/pickler.cpp; formats/io/zip.h and formats/checkpoint/pickle.h for the containers.
 * Checks   Storage keys are plain names.  A storage has exactly the bytes that its type and length say.  Every element
 *          of a view is inside the view's storage, whatever the strides.  The file is little-endian.  Values that are
 *          not tensors are skipped.
 * Errors   torch_read returns -1, and err names the tensor or storage.  A tensor that is stored in a way not known here
 *          (quantised, sparse) is refused.  So is a file without any tensor, and a tar file of early PyTorch.
 * Memory   The tensors are views of p, which may be unaligned; the names, the table and the parsed pickle come
 *          from the arena.
 */
#ifndef UNCLIP_TORCH_FILE_H
#define UNCLIP_TORCH_FILE_H

#include "lib/base/tensor.h"

/* Returns whether p looks like a torch file of any kind. */
bool torch_sniff(const unsigned char *p, size_t n);

/* Read the table of tensors of the file p into ws, sorted by name.  Sets *script to whether the file is a TorchScript
 * archive. */
int torch_read(struct weights *ws, bool *script, const unsigned char *p, size_t n, struct arena *a,
               struct err *e);

#endif
