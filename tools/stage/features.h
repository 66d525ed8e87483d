/* features.h - labelled vectors gathered from streams
 *
 * What     A table of vectors of one width and model, each with its class and a hash of its record's id.  Vectors of a
 *          mapped file are not copied, so the stream must stay open; other vectors are copied.  After features_end,
 *          classes are numbered in the order of their names, compared by bytes.
 * Memory   24 bytes for each vector, and for a vector that is copied also the bytes of its numbers.
 * Errors   A record without the field, of another width, or of another model.
 */
#ifndef UNCLIP_FEATURES_H
#define UNCLIP_FEATURES_H

#include "formats/record/stream.h"
#include "lib/probe/logreg.h"

struct feature {
    const void *x;       /* the vector, at any alignment */
    uint64_t key;        /* XXH64 of the id */
    int32_t label;
    uint16_t stream;     /* 0: x was copied; else 1 + the number of the mapped stream that x points into */
    bool f16;
};

struct features {
    const char *field;
    bool normalise;      /* true: features_get and feature_row scale vectors to length one */
    bool force;          /* true: vectors of other models are added, too */
    bool bounded;        /* true: features_get removes the pages of mapped files that it has read from memory */
    size_t n, d;
    struct feature *row;
    struct span *label;  /* [classes] */
    size_t classes;
    struct span model;   /* fingerprint of the model that made the first vector; empty if unknown */
    /* memory in which the tables grow */
    struct arena_mem rows_mem, labels_mem;
    struct arena rows, labels, *keep;
    uint32_t *slot;      /* [slots] hash table of the labels: 1 + a label's number, or 0 */
    size_t slots, label_room, row_room;
};

int features_open(struct features *f, const char *field, struct arena *keep, struct err *e);

/* Adds r's vector, with the label `label`.  `mapped` is the number, from 0, of the mapped stream that holds r's bytes,
 * or -1 if the vector is to be copied. */
int features_add(struct features *f, const struct record *r, struct span label, int mapped, struct arena scratch,
                 struct err *e);

/* Sorts the classes by name and renumbers them.  The caller calls this after the last features_add. */
int features_end(struct features *f, struct arena scratch, struct err *e);

/* Writes row i as f32 into out [d], scaled to length one if f->normalise is true.  Returns SIM_OK, or what is wrong
 * with the row (similarity.h). */
int feature_row(const struct features *f, size_t i, float *out);

/* Returns a hash (XXH64) over all ids, labels and vectors. */
uint64_t features_hash(const struct features *f);

/* The rows of f whose numbers are in index [n], or all rows if `index` is NULL. */
struct feature_view {
    const struct features *f;
    const uint32_t *index;
};

/* Writes n rows of the view, from row `from` on, into room [n, d] and returns `room`, or NULL if a row is invalid.
 * This is the function `get` of a struct logreg_rows, whose ctx is a struct feature_view. */
const float *features_get(void *view, size_t from, size_t n, float *room);

#endif
