/* karlo_names.h - rename the tensors of the original Karlo checkpoints as diffusers names them
 *
 * What     kakaobrain/karlo's files hold the tensors of diffusers' files under other names.  The tensors of prior and
 *          text_proj are renamed here.  The U-Nets are bound by their original names (unet.h), because the shapes of
 *          their tensors differ from those of diffusers too.
 * Source   kakaobrain/karlo @3c68a50 prior.py, unet; diffusers' convert_kakao_brain_unclip_to_diffusers.py
 *          for the pairs of names.
 * EASY TO GET WRONG
 *          The prior's c_qkv is interleaved per head: in Karlo, whose heads are 64 wide, row h * 192 + part * 64 + c
 *          is element c of query (part 0), key (1) or value (2) of head h.  It is renamed to attn1.qkv, which
 *          transformer.h splits by heads.
 * Errors   -1 with a message in e: memory is exhausted, or two tensors get the same name.
 */
#ifndef UNCLIP_KARLO_NAMES_H
#define UNCLIP_KARLO_NAMES_H

#include "lib/base/tensor.h"

/* Which original file holds these tensors: the prior's, the decoder's (with text_proj), or that of both upsamplers. */
enum karlo_file { KARLO_NONE, KARLO_PRIOR, KARLO_DECODER, KARLO_UPSAMPLERS };

enum karlo_file karlo_file(const struct weights *ws);

/* Fill *out with those tensors of an original file that belong to the prior, or to text_proj, under diffusers' names.
 * The table of *out takes memory from the arena a; the tensors' numbers are not copied.  `out` may be `in`. */
int karlo_prior(const struct weights *in, struct weights *out, struct arena *a, struct err *e);
int karlo_text_proj(const struct weights *in, struct weights *out, struct arena *a, struct err *e);

/* Fill *out with the tensors whose names begin with `prefix`.  They are one U-Net of a file that holds more than one
 * network.  The names keep the prefix, and tensors of text_proj are left out.  `out` may not be `in`. */
int karlo_unet(const struct weights *in, const char *prefix, struct weights *out, struct arena *a, struct err *e);

#endif
