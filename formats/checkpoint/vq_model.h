/* vq_model.h - open a half of a model's discrete autoencoder: pictures to tokens, or tokens to pictures
 *
 * What     Each half comes from the first path that has it.  A path is a weights file of one of vq.h's families, or a
 *          directory that has such files in it or in vqgan/, vq/, dvae/ or checkpoints/.  In a directory the files are
 *          tried in the order of their names, last.ckpt first, and the first file that has the half is used.
 *          A yaml is looked for next to the file: under the file's name, then as model.yaml, config.yaml, model.yml,
 *          config.yml, vqgan.gumbelf8-sber.config.yml, ../configs/model.yaml, ../config.yaml, as taming-transformers,
 *          ruDALL-E and minDALL-E have them.
 * Source   dall-e: encoder.pkl, decoder.pkl; taming: last.ckpt and model.yaml; min-dalle: vqgan/detoker.pt;
 *          rudalle: vqgan.gumbelf8-sber[-dwt].model.ckpt; minDALL-E: stage1_last.ckpt and config.yaml.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
 * Errors   The functions return -1.  If no path has the half, err names all paths and what each lacks; other errors
 *          name the file.
 */
#ifndef UNCLIP_VQ_MODEL_H
#define UNCLIP_VQ_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/net/vq.h"

enum vq_half { VQ_ENCODER, VQ_DECODER };

struct vq_model {
    struct vq_config config;
    struct vq_encoder *encoder;    /* the half that was opened; the other is NULL */
    struct vq_decoder *decoder;
    size_t side;                   /* side in pixels of the pictures of the training; 256 if no yaml says it */
    const char *file, *yaml;       /* yaml NULL: no yaml was found */
    char fingerprint[17];          /* fingerprint of the file's tensors except those of the training loss */
    /* The fingerprint of the codebook, which is equal in files with the same codebook.  A dVAE's decoder does not have
     * a codebook.  Then `codes` has the fingerprint of the encoder in the same paths, or is "" if they do not have such
     * an encoder. */
    char codes[17];
};

int vq_open(struct vq_model *m, enum vq_half half, const struct model_paths *p, const struct compute *c,
            struct arena *a, struct err *e);

#endif
