/* drawing.h - draws a picture of a record's text or picture by the gradient of one CLIP or of several
 *
 * What     A sight is a CLIP whose image tower can compute gradients.  sight_target sets a target of a sight to a
 *          vector of a record.  drawing_open takes the memory for the views.  drawing_run makes one picture: it draws
 *          `best_of` starts and keeps the one whose whole picture has the highest cosine.
 * Targets  A target is the text_embed of a record, or its image_embed.  If another CLIP made that vector, or if an
 *          unknown CLIP made it and there are several sights, the target is computed from the record's text instead.
 * Errors   A vector of another width, a vector of another CLIP in a record without text, no vector.
 * Memory   A pass computes the gradients of some views at the same time.  What it keeps is at most `memory` bytes,
 *          except that a pass has at least one view.  If one view of a tower needs more, that tower keeps fewer values
 *          and computes the others again: KEEP_STATES, or else KEEP_INPUTS (transformer_back.h).
 * Threads  Those of compute.pool.  No byte depends on their number.
 */
#ifndef UNCLIP_DRAWING_H
#define UNCLIP_DRAWING_H

#include "lib/draw/optimise.h"
#include "lib/net/clip_grad.h"
#include "tools/stage/encode.h"
#include "tools/stage/origin.h"
#include "tools/stage/sample.h"
#include "tools/stage/vq_canvas.h"

/* The most targets of a sight (a text, a picture, and negative ones), and the most sights. */
enum { DRAWING_TARGETS = 18, DRAWING_SIGHTS = 16 };

struct sight {
    struct model_paths paths;
    struct encoder vision, text;    /* `text` is opened when a vector must first be computed */
    bool has_text;
    struct clip_grad *grad;
    enum keep_mode mode;
    void *kept;                     /* shared by all sights */
    const struct compute *compute;
    struct arena *late;             /* memory for the text tower, if it must be opened */
    struct origin origin;
    struct prep prep;               /* that of the model; with --no-normalize, without mean and std */
    struct target target[DRAWING_TARGETS];    /* target 0 is the record's; the others are those of the run */
    size_t targets;
};

/* Opens the CLIP at the paths p and its gradient.  `late` is the arena from which memory is taken later, while records
 * are read. */
int sight_open(struct sight *s, const struct model_paths *p, const struct compute *k, struct arena *keep, struct arena *late,
               struct err *e);

/* Sets s->target[at] to the vector in `field` of r, scaled to length 1.  If `field` is NULL, the vector is text_embed, or
 * image_embed if r has no text_embed.  `others` is true if there are several sights.  Returns 1, or 0 if r has no such
 * vector, or -1 for an error. */
int sight_target(struct sight *s, size_t at, double weight, const struct record *r, const char *field, bool others, struct arena *a,
                 struct err *e);

/* Sets s->target[at] to the embedding of a text, computed by the text tower of the CLIP s and scaled to length 1.  Returns
 * 1, or -1 for an error. */
int sight_target_text(struct sight *s, size_t at, double weight, struct span text, struct arena *a, struct err *e);

/* Sets s->target[at] to the embedding of a picture file, scaled to length 1.  Returns 1, or -1 for an error. */
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
    struct vq_canvas *vq;            /* for CANVAS_VQGAN: fitted to h and w (vq_canvas_fit); else NULL */
    uint64_t seed;
    bool (*watch)(void *ctx, size_t done, double loss);    /* `done` counts iterations of all starts; false stops */
    bool (*emit)(void *ctx);         /* called after each `every` iterations, unless `every` is 0; false stops */
    size_t every;
    void *ctx;
    bool again;                      /* a tower recomputes what it did not keep, so the last bits differ */
    size_t first;                    /* number of the first target that counts: 0, or 1 for a record without a vector */
    /* the memory of a pass */
    struct eye eye[DRAWING_SIGHTS];
    struct look look;
    /* the start that is being drawn; after drawing_run, the best start */
    struct canvas now;
    struct optimise o;
    size_t start, done;              /* number of the start; number of its iterations so far */
    bool stopped;                    /* watch or emit returned false */
    double cos;                      /* after drawing_run: the cosine of the whole picture */
};

/* Writes to m the pairs of key and value that say how d draws. */
void drawing_params(const struct drawing *d, struct mp *m);

/* Takes the memory for passes.  The caller has opened the sights. */
int drawing_open(struct drawing *d, struct arena *keep, struct err *e);

/* Draws sample i of a record.  The result is in d->now and d->o.picture, in memory from the arena a. */
int drawing_run(struct drawing *d, const struct sample *s, size_t i, struct arena *a, struct err *e);

/* Sets the field `svg` of r to an SVG of the strokes in d->now.  Its element <desc> holds fields of r. */
int drawing_svg(const struct drawing *d, struct record *r, struct arena *a, struct err *e);

/* Makes each record of the file a target of every sight, with CLIPDraw's weight of -0.3.  The first record becomes
 * target `at`.  The caller has opened the sights. */
int drawing_negatives(struct drawing *d, const char *file, size_t at, struct arena *a, struct err *e);

/* Reads a picture file, scales and cuts it to h x w pixels, and sets *x to the result, [3, h, w] in [0, 1]. */
int drawing_picture(const char *file, size_t h, size_t w, float **x, struct arena *a, struct err *e);

#endif
