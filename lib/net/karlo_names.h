/* karlo_names.h - the tensors of the original Karlo checkpoints under diffusers' names
 *
 * What     kakaobrain/karlo's files hold the tensors of diffusers' files under other names.  Prior and
 *          text_proj are renamed here; the U-Nets are bound by their original names (unet.h), because
 *          there the shapes differ too.
 * Source   kakaobrain/karlo @3c68a50 prior.py, unet; diffusers' convert_kakao_brain_unclip_to_diffusers.py
 *          for the pairs of names.
 * EASY TO GET WRONG
 *          The prior's c_qkv is interleaved per head (row h * 192 + part * 64 + c): it becomes
 *          attn1.qkv, which transformer.h splits by heads.
 */
#ifndef UNCLIP_KARLO_NAMES_H
#define UNCLIP_KARLO_NAMES_H

#include "lib/base/tensor.h"

/* Which original file these tensors are: a prior's, a decoder's (with text_proj), upsamplers'. */
enum karlo_file { KARLO_NONE, KARLO_PRIOR, KARLO_DECODER, KARLO_UPSAMPLERS };

enum karlo_file karlo_file(const struct weights *ws);

/* Tensors of the prior, or of text_proj, from an original file, under diffusers' names.  *out has a table
 * of its own in a. */
int karlo_prior(const struct weights *in, struct weights *out, struct arena *a, struct err *e);
int karlo_text_proj(const struct weights *in, struct weights *out, struct arena *a, struct err *e);

/* The tensors whose names begin with prefix, which stays: one U-Net of a file that holds several. */
int karlo_unet(const struct weights *in, const char *prefix, struct weights *out, struct arena *a, struct err *e);

#endif
