/* head_file.h - read classifiers and score heads of several kinds from files, and write classifiers
 *
 * What     A file's content tells which of these kinds it is:
 *            - safetensors or torch files with `weight` [K, d] and `bias` [K] (LAION's aesthetic heads, and the
 *              files that `probe --train` writes);
 *            - safetensors or torch files of several layers, with `layers.N.weight` and `layers.N.bias`.  The layer
 *              numbers N of a published head (Numbers) tell which of its layers ReLU follows.  For another head
 *              of two or more layers, the metadata or the caller must give the activation;
 *            - JSON with scikit-learn's names: classes, coef, intercept.
 *          A safetensors or torch file may also have `mean` and `variance` [d], as in a Keras Normalization layer.
 *          Metadata (strings in safetensors' __metadata__, members in JSON): format "unclip-probe", labels (a
 *          JSON array) or classes, C, features "embed" or "pre-proj", normalize, link "softmax", "sigmoid" or
 *          "identity", activation "none" or "relu", temperature, model (a fingerprint), n_train, accuracy.
 *          A file is written as safetensors, or as JSON if its name ends in .json.
 * Numbers  N:  0 2 4 6 7          improved-aesthetic-predictor, *linearMSE.pth: no activation
 *              0 3 6 9 11         improved-aesthetic-predictor, *reluMSE.pth: ReLU after 0, 3, 6 and 9
 *              0 3 6 9 12 15 16   h14_nsfw.pth: ReLU after 0, 3, 6, 9 and 12
 *          (gaps are Dropout and ReLU layers, which have no tensors).
 * Source   The state_dicts of LAION-AI/aesthetic-predictor, christophschuhmann/improved-aesthetic-predictor and
 *          LAION-AI/CLIP-based-NSFW-Detector; scikit-learn's LogisticRegression.
 * Defaults If the file does not say otherwise, the input is scaled to length one (as for LAION's heads), and the output
 *          is the score.  For JSON the input is not scaled.
 * Errors   The functions return -1, and err names the tensor or member.  Pickled scikit-learn objects are refused,
 *          because unpickling them would run code from the file.
 * Memory   Layers and labels come from the arena.
 */
#ifndef UNCLIP_HEAD_FILE_H
#define UNCLIP_HEAD_FILE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"
#include "lib/probe/head.h"

enum head_activation { HEAD_ACT_UNKNOWN, HEAD_ACT_NONE, HEAD_ACT_RELU };

struct head_file {
    struct head head;
    size_t classes;             /* 0: the head gives scores, without labels; 2 for a classifier with one output */
    struct span *label;         /* [classes], UTF-8 */
    bool pre_proj;              /* the input is image_features, not image_embed */
    bool knows_normalise;       /* the file says whether the input is scaled */
    double c, temperature;      /* 0 and 1 if the file does not give them */
    char model[17];             /* fingerprint of the vectors; "" when unknown */
    double n_train, accuracy;   /* 0 and -1 if the file does not give them */
    const char *kind;           /* "unclip-probe", "scikit-learn", "linear", "layers 0 2 4 6 7" */
};

/* Read a head from the n bytes of its file.  The bytes must stay, since weights may point into them.  `activation`
 * follows every layer except the last; if it is HEAD_ACT_UNKNOWN, the layer numbers and the metadata decide. */
int head_file_parse(struct head_file *f, const unsigned char *p, size_t n, enum head_activation activation,
                    struct arena *a, struct err *e);

/* Write a classifier.  theta [k, d + 1] holds rows of weights and intercept, as in logreg.h.  f holds the labels, of
 * which there are two or more, and the metadata.  The file is replaced as a whole. */
int head_file_write(const char *path, const struct head_file *f, const double *theta, size_t k, size_t d,
                    struct arena scratch, struct err *e);

#endif
