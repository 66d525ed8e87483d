/* clip.h - CLIP: what a checkpoint is, and its two towers
 *
 * What     A text tower and an image tower that map to one space of E dimensions.  A config gives the sizes.
 *          clip_bind_text and clip_bind_vision check each tensor by name and shape and pack it.
 *          clip_text_run and clip_image_run compute embeddings.  Embeddings are not scaled to
 *          length 1, and neither are those of the reference's encode_text and encode_image.
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
    size_t heads, embed;   /* heads of the attention, or of a ResNet's attention pool; E */
    size_t layers, patch, mlp;    /* ViT only; patch: the side of a patch in pixels */
    size_t blocks[4];             /* ResNet only: the number of bottlenecks in layer1..4 */
    enum act act;
    float eps;             /* of LayerNorm: 1e-5 */
};

struct clip_text_config {
    size_t context, vocab, width, heads, layers, mlp, embed;
    enum act act;
    float eps;
    int eos;               /* a text is pooled at the first place of this id; CLIP_LARGEST: of the text's largest id */
};

enum { CLIP_LARGEST = -1 };

struct clip_config {
    const struct clip_family *family;
    bool has_text, has_vision;
    bool act_known;               /* false: neither a config file nor the tensors tell the activation */
    struct clip_text_config text;
    struct clip_vision_config vision;
    bool has_scale;
    float scale;                  /* exp(logit_scale) of the stored tensor, never the config file's initial value */
};

/* Find the family of a checkpoint and give its tensors the plain names of that family.  Prefixes such as `module.`,
 * `text.` and `cond_stage_model.*` are taken off.  Buffers that no network reads are dropped.  A text_projection that
 * is stored as a Linear [E, D] (open_clip's CustomTextCLIP) becomes a [D, E] view, as in other files of its family.
 * Returns 0, or -1 if the tensors are not those of a CLIP. */
int clip_canonical_names(struct weights *ws, const struct clip_family **family, struct err *e);

/* What a tensor's name says, in terms that all families share. */
enum clip_tower { TOWER_BOTH, TOWER_TEXT, TOWER_VISION };    /* TOWER_BOTH: logit_scale only */

struct clip_name {
    char canon[80];     /* the canonical name (clip_family.h); query, key and value have the same name */
    int part;           /* 0, 1, 2: this tensor is the query, key or value part of `canon`; -1: all of it */
    bool turned;        /* stored [D, E]; the canonical projection is [E, D] */
    enum clip_tower tower;
    size_t index[2];    /* the layer, or a ResNet's stage (1 to 4) and block; 0 elsewhere */
};

/* Takes a tensor's name apart.  Returns false if family f has no tensor of this name. */
bool clip_name_parse(struct clip_name *n, const struct clip_family *f, const char *name);

/* Refuse, by name, a tensor that a model of this config does not have, or whose elements are integers.  Call
 * clip_canonical_names first. */
int clip_check_names(const struct clip_config *c, const struct weights *ws, struct err *e);

/* Fill the config from the shapes of the tensors, for checkpoints without a config file.  The caller sets c->family.
 * act_known becomes false, and the activations become QuickGELU.  Heads are taken to be 64 wide, except in image towers
 * of width 1280, 1408 and 1664 (open_clip's), which have 16 heads.  The number of heads becomes 0 if the width is not a
 * multiple of 64, because then only a config file can tell it.  A config that was read from a file is compared with
 * this result. */
int clip_config_from_weights(struct clip_config *c, const struct weights *ws, struct err *e);

/* The fingerprint of a CLIP: 64 bits (XXH64) over the canonical names, the shapes, and 64 elements of each tensor
 * rounded to bf16.  Equal weights have equal fingerprints in every file format, naming family and dtype, unless an
 * element was rounded twice on its way.  The 64 elements are four runs of 16, because then few pages of a mapped file
 * are read.  Returns 0 if scratch is too small; a fingerprint is never 0. */
uint64_t clip_fingerprint(const struct clip_config *c, const struct weights *ws, struct arena scratch);

/* One of the checkpoints that hold a CLIP's towers. */
struct clip_part {
    const struct clip_config *config;
    const struct weights *weights;
};

/* Returns what clip_fingerprint would return for one file that holds the text tower of `text`, the image tower of
 * `vision` and a tensor logit_scale with the value *logit_scale.  What is NULL is not in that file. */
uint64_t clip_fingerprint_joint(const struct clip_part *text, const struct clip_part *vision, const float *logit_scale,
                                struct arena scratch);

/* Returns the fingerprint of a network that is not a CLIP, computed with the tensor names of its file, or 0 if scratch
 * is too small. */
uint64_t weights_fingerprint(const struct weights *ws, struct arena scratch);


struct clip_text;      /* bound and packed towers */
struct clip_vision;

/* Check the config, bind the tensors of one tower and pack them into the arena keep.  Return NULL on error. */
struct clip_text *clip_bind_text(const struct clip_config *c, const struct weights *ws,
                                 const struct compute *k, struct arena *keep, struct err *e);
struct clip_vision *clip_bind_vision(const struct clip_config *c, const struct weights *ws,
                                     const struct compute *k, struct arena *keep, struct err *e);

/* Bytes of scratch for one call with the compute that the tower was bound with, for n texts of at most `len` tokens or
 * for n images.  A large n needs no more than a smaller one, because a run computes its batch in passes. */
size_t clip_text_scratch(const struct clip_text *t, size_t n, size_t len);
size_t clip_image_scratch(const struct clip_vision *v, size_t n);

/* Embed n texts.  Text i is tokens[i][0 .. len[i]), with its start and end tokens and without padding.  The caller has
 * checked that 1 <= len[i] <= context and that 0 <= id < vocab.  A text without config.text.eos is pooled at its last
 * token.  embed receives [n, E].  If states and states[i] are not NULL, states[i] receives the rows [len[i], D] after
 * the final LayerNorm. */
void clip_text_run(const struct clip_text *t, const struct compute *k, size_t n,
                   const int *const tokens[], const size_t len[], float *embed,
                   float *const states[], void *scratch);

/* The length D of a Vision Transformer's feature, which is its output before the projection.  It is 0 for a ResNet,
 * whose attention pool gives the embedding itself. */
size_t clip_image_features(const struct clip_vision *v);

/* Embed n images [n, 3, S, S].  embed receives [n, E].  features is NULL, or receives [n, clip_image_features(v)], the
 * class token after the final LayerNorm. */
void clip_image_run(const struct clip_vision *v, const struct compute *k, size_t n,
                    const float *images, float *embed, float *features, void *scratch);

#endif
