/* vq.h - pictures as codes and back: the discrete autoencoders of the DALL-E 1 family
 *
 * What     One pair of networks whose sizes come from a config.  The encoder is convolutions, residual blocks and
 *          attention over ever fewer pixels.  Each pixel h of its result becomes the index of a code:
 *              token = argmax over codes of  score . h + bias
 *          In a VQGAN, score is the codebook's rows e and bias is -|e|^2 / 2, which gives the nearest row.  In a
 *          Gumbel VQGAN and the dVAE, score and bias are those of a trained layer.  The decoder looks up a row for
 *          each token and turns the rows into pixels.
 *          Families: OpenAI's dVAE; taming-transformers' VQModel and GumbelVQ, which ruDALL-E and minDALL-E share;
 *          ruDALL-E's decoder with an inverse wavelet transform behind it; the decoder of min-dalle.
 * Source   Ramesh et al. 2021, arXiv:2102.12092 and openai/DALL-E 5be4b23; Esser et al. 2021, arXiv:2012.09841 and
 *          CompVis/taming-transformers 3ba01b2; ai-forever/ru-dalle 0255cec; kuprel/min-dalle 73621fb.
 * Shapes   pictures [N, 3, Y, X] f32 in [-1, 1]; tokens [N, Y / f, X / f] in raster order; Y and X multiples of f.
 * EASY TO GET WRONG
 *          In taming, convolutions that halve pad with zeros after the last row and column only, and norms have eps
 *          1e-6 (min-dalle: 1e-5).  The decoder's level 0 is the finest and runs last.  The dVAE's branches are
 *          scaled by 1 / blocks^2.  In a block of the dVAE, the 1x1 convolution is the last in the encoder, and the
 *          first in the decoder.  The pixels of DALL-E mini's decoder are in [0, 1], and those of all other VQGANs in
 *          [-1, 1].
 *          The dVAE reads 0.8 p + 0.1 for p in [0, 1], and its decoder gives the logits of that.
 *          The Gumbel encoder of taming draws noise even in evaluation; here a token is always the argmax.
 * Numbers  Within 3e-6 (dVAE) and 1e-5 (VQGAN) of the largest value of torch in f32; equal tokens (tests/unit/vq.c).
 * Memory   Two feature maps of the largest size, and a band of the rows that a convolution reads.  The maps are
 *          2 x 33.6 MB for 256 x 256 pixels with 128 channels, and grow with the area.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape or is not used; the tensors are not
 *          those of a known network; a side is not a multiple of f; memory is exhausted.
 * Threads  Those of the kernels.  No bit depends on them, on N or on the bands.
 */
#ifndef UNCLIP_VQ_H
#define UNCLIP_VQ_H

#include "lib/base/compute.h"
#include "lib/base/tensor.h"

enum { VQ_LEVELS = 8, VQ_BLOCKS = 16, VQ_CODES = 1 << 20, VQ_WIDTH = 1 << 14 };

/* The number that stands for a pixel p in [0, 1].  SIGNED: 2 p - 1.  UNIT: p.  LAPLACE: 0.8 p + 0.1 in the encoder, and
 * the logit of that in the decoder. */
enum vq_pixels { VQ_SIGNED, VQ_UNIT, VQ_LAPLACE };

struct vq_config {
    const struct vq_names *names;    /* the tensor names of the family (vq_bind.c) */
    const char *prefix;              /* in front of every tensor's name */
    const char *table;               /* the name of the codebook's tensor, without the prefix */
    bool encoder, decoder;           /* which of the two the file holds */
    bool nearest;                    /* a token is the nearest row of the codebook; false: the largest logit */
    bool wavelet;                    /* the decoder gives wavelet coefficients; pictures have twice the map's sides */
    enum vq_pixels pixels;
    float eps;                       /* of the norms */
    size_t codes;                    /* V */
    size_t factor;                   /* f: the encoder makes one token of f x f pixels */
    size_t ratio;                    /* the decoder makes ratio x ratio pixels of one token: f, or 2 f */
    size_t band;                     /* the most floats of its input that a convolution reads at once; 0: a fast size */
};

/* The family's name for messages: "dVAE encoder", "VQGAN", "Gumbel VQGAN" and so on. */
const char *vq_config_name(const struct vq_config *c);

/* Are these the tensors of a discrete autoencoder known here? */
bool vq_sniff(const struct weights *ws);

/* Read the whole config from the tensors' names and shapes.  Returns 0, or -1 if the network is not one known here. */
int vq_config_from_weights(struct vq_config *c, const struct weights *ws, struct err *e);

/* The tensor that gives tokens their meaning.  In a VQGAN it is the codebook.  In a dVAE, whose halves are two files,
 * it is the last layer of the encoder or the first layer of the decoder.  Returns NULL if that tensor is missing. */
const struct weight *vq_codebook(const struct vq_config *c, const struct weights *ws);

struct vq_encoder;
struct vq_decoder;

/* Bind one half.  A tensor that belongs to neither half is refused, except tensors that only training needs. */
struct vq_encoder *vq_bind_encoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e);
struct vq_decoder *vq_bind_decoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e);

/* Encode pictures [n, 3, y, x] to tokens [n, y / f, x / f].  Returns 0, or -1 if a side is not a multiple of f or
 * scratch is too small. */
int vq_encode(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
              int *tokens, struct arena scratch, struct err *e);

/* Decode tokens [n, h, w], each in [0, V), to pictures [n, 3, h * ratio, w * ratio].  Returns 0, or -1 if scratch is
 * too small. */
int vq_decode(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
              float *pictures, struct arena scratch, struct err *e);

/* For tests: the network's own result, channels last, before it becomes tokens or pixels.  vq_encode_raw gives the
 * scores [n, y / f, x / f, V]. */
int vq_encode_raw(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
                  float *scores, struct arena scratch, struct err *e);
int vq_decode_raw(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
                  float *out, struct arena scratch, struct err *e);

#endif
