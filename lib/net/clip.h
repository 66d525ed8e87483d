/* clip.h - CLIP: what a checkpoint is, and its two towers
 *
 * What     Text and image towers that map to one space of E dimensions.  A config says
 *          what the tensors are; clip_bind_* checks each by name and shape and packs it;
 *          clip_text_run and clip_image_run compute.  Everything is un-normalised, as the
 *          reference's encode_text and encode_image are.
 * Source   Radford et al. 2021, arXiv:2103.00020; openai/CLIP @d05afc4 clip/model.py;
 *          transformers' CLIPModel for the HF names.
 * Shapes   images [N, 3, S, S] f32 normalised by the checkpoint's mean and std; tokens [N, T].
 * Numbers  f32 against torch on tiny models: embeddings within 1.4e-6 of their largest value
 *          (tests/unit/clip_golden.c); at full size against float64, ViT-B/32, RN50 and ViT-H/14 within
 *          1.1e-6, where torch in f32 is at 1.8e-6 (tests/full/compare.py); bf16 within 8e-3.
 *          No byte of a result depends on the batch or the threads.
 * Threads  Those of the kernels, over compute.pool.
 * Errors   A missing tensor, a wrong shape, or a tensor that nothing uses (outside the ignore
 *          list of the family) is refused by name.
 */
#ifndef UNCLIP_CLIP_H
#define UNCLIP_CLIP_H

#include <stdint.h>

#include "lib/layer/linear.h"
#include "lib/net/clip_family.h"

enum clip_vision_kind { VISION_VIT, VISION_RESNET };

struct clip_vision_config {
    enum clip_vision_kind kind;
    size_t image;          /* S: side of the square that the tower sees */
    size_t width;          /* D (ViT), or the stem's output channels (ResNet) */
    size_t heads, embed;   /* attention (pool) heads; E */
    size_t layers, patch, mlp;    /* ViT */
    size_t blocks[4];             /* ResNet: bottlenecks in layer1..4 */
    enum act act;
    float eps;             /* of LayerNorm: 1e-5 */
};

struct clip_text_config {
    size_t context, vocab, width, heads, layers, mlp, embed;
    enum act act;
    float eps;
    int eos;               /* the token whose first place is pooled; CLIP_LARGEST: the largest id's */
};

enum { CLIP_LARGEST = -1 };

struct clip_config {
    const struct clip_family *family;
    bool has_text, has_vision;
    bool act_known;               /* false: a bare state dict, which cannot say */
    struct clip_text_config text;
    struct clip_vision_config vision;
    bool has_scale;
    float scale;                  /* exp(logit_scale), the stored tensor's, never the config's */
};

/* Rename to the plain names of the family (prefixes `module.`, `text.`, `cond_stage_model.*`, ... off), drop
 * what is to be ignored, and say which family it is.  A text_projection that is a Linear (open_clip's
 * CustomTextCLIP) becomes the [D, E] view that the family has otherwise.  -1 if it is not a CLIP. */
int clip_canonical_names(struct weights *ws, const struct clip_family **family, struct err *e);

/* A name of any family, taken apart. */
enum clip_tower { TOWER_BOTH, TOWER_TEXT, TOWER_VISION };    /* both: logit_scale */

struct clip_name {
    char canon[80];     /* the canonical name (clip_family.h); query, key and value are fused */
    int part;           /* 0 query, 1 key, 2 value of a fused tensor; -1 whole */
    bool turned;        /* stored [D, E]; the canonical projection is [E, D] */
    enum clip_tower tower;
    size_t index[2];    /* layer; or stage and block of a ResNet, or 0 */
};

/* false: no tensor of a CLIP is called so. */
bool clip_name_parse(struct clip_name *n, const struct clip_family *f, const char *name);

/* After clip_canonical_names: refuse, by name, a tensor that a model of this config does not have. */
int clip_check_names(const struct clip_config *c, const struct weights *ws, struct err *e);

/* Everything that shapes tell, for checkpoints without a config.  c->family is given; act_known
 * comes out false, the activations QuickGELU.  Heads are 64 wide, except in image towers
 * of width 1280, 1408 and 1664 (open_clip's), which have 16 heads.  heads is 0 where the width is not a
 * multiple of 64: then only a config can tell.
 * Where a config was read from a file, it is checked against this instead. */
int clip_config_from_weights(struct clip_config *c, const struct weights *ws, struct err *e);

/* 64 bits over canonical names, shapes and 64 elements of each tensor rounded to bf16.  Weights have one
 * fingerprint in every container, naming family and dtype, unless they were rounded twice on their way.  The
 * elements are four runs of 16, so that few pages of a mapped file are read.  0 when scratch is too small (no fingerprint is 0). */
uint64_t clip_fingerprint(const struct clip_config *c, const struct weights *ws, struct arena scratch);

/* What clip_fingerprint gives for a file that holds one tower of c alone, with or without logit_scale. */
uint64_t clip_fingerprint_tower(const struct clip_config *c, const struct weights *ws, enum clip_tower tower,
                                bool scale, struct arena scratch);

/* The fingerprint of any network, under the names that its file has. */
uint64_t weights_fingerprint(const struct weights *ws, struct arena scratch);


struct clip_text;      /* bound and packed towers */
struct clip_vision;

struct clip_text *clip_bind_text(const struct clip_config *c, const struct weights *ws,
                                 const struct compute *k, struct arena *keep, struct err *e);
struct clip_vision *clip_bind_vision(const struct clip_config *c, const struct weights *ws,
                                     const struct compute *k, struct arena *keep, struct err *e);

/* Bytes of scratch for one call with the compute that the tower was bound with: n texts of at
 * most `len` tokens; n images.  It stops growing with n: a run takes its batch in passes. */
size_t clip_text_scratch(const struct clip_text *t, size_t n, size_t len);
size_t clip_image_scratch(const struct clip_vision *v, size_t n);

/* n texts, tokens[i][0 .. len[i]): start and end included, unpadded, each len <= context and id <
 * vocab, config.text.eos among them (checked by the caller; texts without it are pooled at their last token).
 * embed [n, E]; states: where not NULL, states[i] receives [len[i], D] after the final LayerNorm. */
void clip_text_run(const struct clip_text *t, const struct compute *k, size_t n,
                   const int *const tokens[], const size_t len[], float *embed,
                   float *const states[], void *scratch);

/* D of a Vision Transformer, whose output before the projection is another feature; 0 for a ResNet, whose
 * attention pool ends in the embedding. */
size_t clip_image_features(const struct clip_vision *v);

/* images [n, 3, S, S]; embed [n, E]; features: NULL, or [n, clip_image_features], the class token after the final
 * LayerNorm. */
void clip_image_run(const struct clip_vision *v, const struct compute *k, size_t n,
                    const float *images, float *embed, float *features, void *scratch);

#endif
