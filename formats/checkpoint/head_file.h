/* head_file.h - classifiers and score heads in files: ours, scikit-learn's as JSON, LAION's, any small network
 *
 * What     Reading, told by the content:
 *            - safetensors or torch files with `weight` [K, d] and `bias` [K] (LAION's aesthetic heads, and the
 *              files that `probe --train` writes);
 *            - the same with `layers.N.weight` and `layers.N.bias`: where ReLU stands follows from the numbers
 *              N of the published heads, below; other numbers need `activation`;
 *            - `mean` and `variance` [d] beside them: what a Keras Normalization layer holds;
 *            - JSON with scikit-learn's names: classes, coef, intercept.
 *          Metadata (strings in safetensors' __metadata__, members in JSON): format "unclip-probe", labels (a
 *          JSON array) or classes, C, features "embed" or "pre-proj", normalize, link "softmax", "sigmoid" or
 *          "identity", activation "none" or "relu", temperature, model (a fingerprint), n_train, accuracy.
 *          Writing: safetensors, or JSON where the name ends in .json.
 * Numbers  N:  0 2 4 6 7          improved-aesthetic-predictor, *linearMSE.pth: no activation
 *              0 3 6 9 11         the same, *reluMSE.pth: ReLU behind 0, 3, 6 and 9
 *              0 3 6 9 12 15 16   h14_nsfw.pth: ReLU behind 0, 3, 6, 9 and 12
 *          (gaps are Dropout and ReLU layers, which have no tensors).
 * Source   The state_dicts of LAION-AI/aesthetic-predictor, christophschuhmann/improved-aesthetic-predictor and
 *          LAION-AI/CLIP-based-NSFW-Detector; scikit-learn's LogisticRegression.
 * Defaults A file that does not say so wants its input scaled to length one (as LAION's heads do) and gives
 *          scores as they are; JSON wants the input as it is.
 * Errors   Names the tensor or member.  Pickled scikit-learn objects are refused: nothing is run.
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
    size_t classes;             /* 0: a score, no labels; 2 with one output */
    struct span *label;         /* [classes], UTF-8 */
    bool pre_proj;              /* of image_features, not of image_embed */
    bool knows_normalise;       /* the file says whether the input is scaled */
    double c, temperature;      /* 0: not said; 1 */
    char model[17];             /* fingerprint of the vectors; "" when unknown */
    double n_train, accuracy;   /* 0 and -1: not said */
    const char *kind;           /* "unclip-probe", "scikit-learn", "linear", "layers 0 2 4 6 7" */
};

/* activation: what stands behind every layer except the last, where the numbers do not tell. */
int head_file_read(struct head_file *f, const char *path, enum head_activation activation, struct arena *a, struct err *e);

/* The same from memory. */
int head_file_parse(struct head_file *f, const unsigned char *p, size_t n, enum head_activation activation,
                    struct arena *a, struct err *e);

/* theta [k, d + 1] as logreg.h has it; f: the metadata.  Replaces the file whole. */
int head_file_write(const char *path, const struct head_file *f, const double *theta, size_t k, size_t d,
                    struct arena scratch, struct err *e);

#endif
