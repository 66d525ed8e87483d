/* features.h - labelled vectors gathered from streams
 *
 * What     A table of vectors of one width and model, each with its class and a key of its id.  Vectors of a
 *          mapped file stay where they are (the stream must stay open); others are copied.  Classes are
 *          numbered in the order of their names' bytes when features_end has been called.
 * Memory   24 bytes for each vector of a mapped file, and in addition its numbers where it came from a pipe.
 * Errors   A record without the field, of another width, or of another model.
 */
#ifndef UNCLIP_FEATURES_H
#define UNCLIP_FEATURES_H

#include "formats/record/stream.h"
#include "lib/probe/logreg.h"

struct feature {
    const void *x;       /* any alignment */
    uint64_t key;        /* XXH64 of the id */
    int32_t label;
    uint16_t stream;     /* 0: copied; else 1 + the number of the mapped stream */
    bool f16;
};

struct features {
    const char *field;
    bool normalise;      /* get and feature_row scale to length one */
    bool force;          /* vectors of other models are taken */
    bool bounded;        /* get gives pages of mapped files back */
    size_t n, d;
    struct feature *row;
    struct span *label;  /* [classes] */
    size_t classes;
    struct span model;   /* of the first vector; empty when unknown */
    /* how it grows */
    struct arena_mem rows_mem, labels_mem;
    struct arena rows, labels, *keep;
    uint32_t *slot;      /* of a hash table of the labels */
    size_t slots, label_room, row_room;
};

int features_open(struct features *f, const char *field, struct arena *keep, struct err *e);

/* mapped: the number of the mapped stream that r's bytes are in, from 0; -1: they must be copied. */
int features_add(struct features *f, const struct record *r, struct span label, int mapped, struct arena scratch,
                 struct err *e);

/* Sort and renumber the classes. */
int features_end(struct features *f, struct arena scratch, struct err *e);

/* Row i widened (and normalised) into out [d].  SIM_OK, or what is wrong with it (similarity.h). */
int feature_row(const struct features *f, size_t i, float *out);

/* XXH64 over all ids, labels and vectors. */
uint64_t features_hash(const struct features *f);

/* Some rows: index [n], or NULL for all. */
struct feature_view {
    const struct features *f;
    const uint32_t *index;
};

/* The `get` of struct logreg_rows, whose ctx is a struct feature_view. */
const float *features_get(void *view, size_t from, size_t n, float *room);

#endif
