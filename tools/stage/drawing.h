/* drawing.h - draws a picture of a record's text or picture by the gradient of one CLIP or of several
 *
 * What     A sight is a CLIP whose image tower can go back.  sight_target finds the vector of a record for it.
 *          drawing_open takes the memory of the views.  drawing_run makes one picture: of `best_of` starts it keeps the one
 *          whose whole picture has the highest cosine.
 * Targets  The text_embed of a record, or its image_embed.  A vector that was made by another CLIP, or with several
 *          CLIPs by an unknown one, is computed again from the record's text.
 * Errors   A vector of another width, a vector of another CLIP without a text, no vector.
 * Memory   `memory` bytes bound what the gradients of one pass keep.  A pass has at least one view.
 * Threads  Those of compute.pool.  No byte depends on their number.
 */
#ifndef UNCLIP_DRAWING_H
#define UNCLIP_DRAWING_H

#include "lib/draw/optimise.h"
#include "lib/net/clip_grad.h"
#include "tools/stage/encode.h"
#include "tools/stage/origin.h"
#include "tools/stage/sample.h"

enum { DRAWING_TARGETS = 18, DRAWING_SIGHTS = 16 };    /* the most targets of a sight: text, picture, and negative ones */

struct sight {
    struct model_paths paths;
    struct encoder vision, text;    /* text is opened when a vector must be computed */
    bool has_text;
    struct clip_grad *grad;
    enum keep_mode mode;
    void *kept;                     /* shared by all sights */
    const struct compute *compute;
    struct arena *late;             /* where the text tower goes, if a vector must be computed */
    struct origin origin;
    struct prep prep;               /* the model's; with --no-normalize, without mean and std */
    struct target target[DRAWING_TARGETS];    /* 0: the record's; then those of the run */
    size_t targets;
};

/* Opens the CLIP at the paths p and its gradient.  late: memory that is taken while records are read. */
int sight_open(struct sight *s, const struct model_paths *p, const struct compute *k, struct arena *keep, struct arena *late,
               struct err *e);

/* Sets target `at` to the vector in `field` of r, of length 1; if field is NULL, to its text_embed, else its image_embed.
 * others: there are other sights.  Returns 1; 0 if r has no such vector; -1. */
int sight_target(struct sight *s, size_t at, double weight, const struct record *r, const char *field, bool others, struct arena *a,
                 struct err *e);

/* Sets target `at` to the vector of a picture file. */
int sight_target_image(struct sight *s, size_t at, double weight, const char *file, struct arena *a, struct err *e);

struct drawing {
    /* what to do; the caller sets these */
    const struct compute *compute;
    struct sight *sight;
    size_t sights;
    enum canvas_kind canvas;
    enum view_kind kind;
    enum loss_kind loss;
    size_t h, w, strokes, views, iterations, best_of, memory;
    double lr;
    float *init;                     /* [3, h, w] in [0, 1], or NULL */
    uint64_t seed;
    bool (*watch)(void *ctx, size_t done, double loss);    /* done counts over all starts; false stops */
    bool (*emit)(void *ctx);         /* called after every `every` iterations, where every is not 0; false stops */
    size_t every;
    void *ctx;
    bool again;                      /* a tower computes what it did not keep: the last bits differ */
    size_t first;                    /* the first target that counts: 0, or 1 for a record without a vector */
    /* the memory of a pass */
    struct eye eye[DRAWING_SIGHTS];
    struct look look;
    /* the start that is drawn, and after drawing_run the best one */
    struct canvas now;
    struct optimise o;
    size_t start, done;              /* done: iterations of this start */
    bool stopped;                    /* watch said so */
    double cos;                      /* of the whole picture, after drawing_run */
};

/* Writes to m the pairs of key and value that say how d draws. */
void drawing_params(const struct drawing *d, struct mp *m);

/* Takes the memory for passes.  The sights must be open. */
int drawing_open(struct drawing *d, struct arena *keep, struct err *e);

/* Draws sample i of a record.  Then d->now and d->o.picture are the result; they live in a. */
int drawing_run(struct drawing *d, const struct sample *s, size_t i, struct arena *a, struct err *e);

/* Adds every record of the file to the targets from `at` on, with CLIPDraw's weight of -0.3.  The sights must be open. */
int drawing_negatives(struct drawing *d, const char *file, size_t at, struct arena *a, struct err *e);

/* Reads a picture file, scaled and cut to h x w pixels: *x [3, h, w] in [0, 1]. */
int drawing_picture(const char *file, size_t h, size_t w, float **x, struct arena *a, struct err *e);

#endif
