/* vq.h - pictures as codes and back: the discrete autoencoders of the DALL-E 1 family
 *
 * What     One pair of networks, parametrised.  The encoder is convolutions, residual blocks and attention over
 *          ever fewer pixels; each pixel of its result becomes the index of a code:
 *              token = argmax over codes of  score . h + bias
 *          with the rows of the codebook e and -|e|^2 / 2 as score and bias (nearest row, VQGAN), or a layer of
 *          its own (Gumbel VQGAN, dVAE).  The decoder looks up a row for each token and goes the other way.
 *          Families: OpenAI's dVAE; taming-transformers' VQModel and GumbelVQ, which ruDALL-E and minDALL-E share;
 *          ruDALL-E's decoder with an inverse wavelet transform behind it; the decoder of min-dalle.
 * Source   Ramesh et al. 2021, arXiv:2102.12092 and openai/DALL-E 5be4b23; Esser et al. 2021, arXiv:2012.09841 and
 *          CompVis/taming-transformers 3ba01b2; ai-forever/ru-dalle 0255cec; kuprel/min-dalle 73621fb.
 * Shapes   pictures [N, 3, Y, X] f32 in [-1, 1]; tokens [N, Y / f, X / f], raster order; Y and X multiples of f.
 * EASY TO GET WRONG
 *          taming halves with zeros behind the last row and column only, and its norms have eps 1e-6 (min-dalle:
 *          1e-5).  Its decoder's level 0 is the finest and runs last.  The dVAE's branches are scaled by
 *          1 / blocks^2, and its 1x1 convolution is the last of a block in the encoder, the first in the decoder.
 *          DALL-E mini's networks speak [0, 1], all other VQGANs [-1, 1], the dVAE 0.8 p + 0.1 and logits.
 *          The Gumbel encoder of taming draws noise even in evaluation; here it is always the argmax.
 * Numbers  Within 3e-6 (dVAE) and 1e-5 (VQGAN) of the largest value of torch in f32, tokens equal (tests/unit/vq.c).
 * Memory   Two feature maps of the largest size (of f32: 2 x 33.6 MB for 256 x 256 pixels with 128 channels; they
 *          grow with the area), and a band of rows of what a convolution reads.
 * Threads  Those of the kernels.  No bit depends on them, on N or on the bands.
 */
#ifndef UNCLIP_VQ_H
#define UNCLIP_VQ_H

#include "lib/base/compute.h"
#include "lib/base/tensor.h"

enum { VQ_LEVELS = 8, VQ_BLOCKS = 16, VQ_CODES = 1 << 20, VQ_WIDTH = 1 << 14 };

/* What numbers the network has for pixels p in [0, 1]: 2 p - 1; p; 0.8 p + 0.1, and logits of that as results. */
enum vq_pixels { VQ_SIGNED, VQ_UNIT, VQ_LAPLACE };

struct vq_config {
    const struct vq_names *names;    /* of vq_bind.c: the family */
    const char *prefix;              /* of every tensor */
    const char *table;               /* the codebook's tensor, without the prefix */
    bool encoder, decoder;           /* which of the two there are */
    bool nearest;                    /* the encoder takes the nearest row, else the largest logit */
    bool wavelet;                    /* the decoder's result is wavelet coefficients: pictures are twice as large */
    enum vq_pixels pixels;
    float eps;                       /* of the norms */
    size_t codes;                    /* V */
    size_t factor;                   /* f of the encoder and of the tokens */
    size_t ratio;                    /* pixels of the decoder's result to a token, on a side: f, or 2 f */
    size_t band;                     /* the most floats of its input that a convolution reads at once; 0: a fast size */
};

/* "dVAE", "VQGAN", "Gumbel VQGAN", ... */
const char *vq_config_name(const struct vq_config *c);

/* Are these the tensors of such a network? */
bool vq_sniff(const struct weights *ws);

/* What the tensors say, which is everything.  -1 where they are not those of a network known here. */
int vq_config_from_weights(struct vq_config *c, const struct weights *ws, struct err *e);

/* The tensor that gives tokens their meaning: the codebook; for a dVAE, whose halves are files of their own, the layer
 * on that side.  NULL where it is missing. */
const struct weight *vq_codebook(const struct vq_config *c, const struct weights *ws);

struct vq_encoder;
struct vq_decoder;

/* NULL and err on failure.  Tensors that belong to neither half and are not a training's are refused. */
struct vq_encoder *vq_bind_encoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e);
struct vq_decoder *vq_bind_decoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e);

/* pictures [n, 3, y, x] -> tokens [n, y / f, x / f].  -1 where a side is no multiple of f or scratch is too small. */
int vq_encode(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
              int *tokens, struct arena scratch, struct err *e);

/* tokens [n, h, w], each in [0, V), -> pictures [n, 3, h * ratio, w * ratio].  -1 where scratch is too small. */
int vq_decode(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
              float *pictures, struct arena scratch, struct err *e);

/* What the network itself gives, before it becomes tokens or pixels: [n, y, x, channels], for tests. */
int vq_encode_raw(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
                  float *scores, struct arena scratch, struct err *e);
int vq_decode_raw(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
                  float *out, struct arena scratch, struct err *e);

#endif
