/* vq_model.h - open the discrete autoencoder of a model: pictures to tokens, tokens to pictures
 *
 * What     Each half comes from the first path that has it.  A path is a weights file of one of vq.h's families, or a
 *          folder with such files: itself, or its vqgan/, vq/, dvae/ or checkpoints/.  Of several files in a folder
 *          last.ckpt counts, else the first by name that has the half.
 *          A yaml is looked for next to the file: under its name, then model.yaml, config.yaml, *config.yml,
 *          ../configs/model.yaml, as taming-transformers, ruDALL-E and minDALL-E have them.
 * Source   dall-e: encoder.pkl, decoder.pkl; taming: last.ckpt and model.yaml; rudalle: vqgan.gumbelf8-sber[-dwt].model.ckpt;
 *          min-dalle: vqgan/detoker.pt; minDALL-E: stage1_last.ckpt and config.yaml.
 * Memory   Weights stay mapped until they are packed; what is bound comes from the arena.
 * Errors   A half that no path has: err names the places tried.  Everything else is final and names the file.
 */
#ifndef UNCLIP_VQ_MODEL_H
#define UNCLIP_VQ_MODEL_H

#include "formats/checkpoint/model.h"
#include "lib/net/vq.h"

enum vq_half { VQ_ENCODER, VQ_DECODER };

struct vq_model {
    struct vq_config config;
    struct vq_encoder *encoder;    /* or */
    struct vq_decoder *decoder;
    size_t side;                   /* of the pictures that it was trained on; 256 where nothing says */
    const char *file, *yaml;       /* yaml NULL: none */
    char fingerprint[17];          /* of all tensors that both halves in this file have */
    /* Of the codebook: two files whose tokens mean the same have the same.  For a dVAE that of its encoder; "" for a
     * decoder without an encoder in the same paths. */
    char codes[17];
};

int vq_open(struct vq_model *m, enum vq_half half, const struct model_paths *p, const struct compute *c, struct arena *a,
            struct err *e);

#endif
