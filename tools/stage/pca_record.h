/* pca_record.h - writes and reads principal components as a record, and applies them to records
 *
 * What     The record that pca-fit writes has the fields pca_mean [d], pca_components [k, d] and pca_variance [k].  Its
 *          field `model` has, under pca_mean, the fingerprint of the model that made the vectors.
 * Source   mix.h has the arithmetic.
 * Errors   A record of another shape, numbers that are not finite.
 */
#ifndef UNCLIP_PCA_RECORD_H
#define UNCLIP_PCA_RECORD_H

#include "lib/vector/mix.h"
#include "tools/stage/mixing.h"

struct pca_record {
    struct pca p;
    struct span model;    /* fingerprint of the model that made the vectors; empty if unknown */
};

/* Reads the principal components from the first record of a file.  Messages name the file. */
int pca_record_load(struct pca_record *p, const char *file, struct arena *keep, struct err *e);

/* The table x [n, d] of vectors for pca_fit.  The table grows in the arena `rows`, which holds nothing else. */
struct pca_rows {
    float *x;
    size_t n, d;
    struct span model;
    struct arena rows, names;
};

int pca_rows_add(struct pca_rows *t, const struct record *r, const char *field, bool force, struct arena a, struct err *e);

/* Computes at most `most` principal components of the vectors and makes *r a new record that holds them. */
int pca_rows_record(struct record *r, const struct pca_rows *t, size_t most, struct arena *a, struct err *e);

/* What pca_apply does.  It makes *out a copy of the record r, as sample i of n, whose vector is reconstructed from the
 * first k components; what belongs to the text of a text_embed is left out (mixing.h).  If n is 0, *out is instead a copy of r with the vector's coordinates in the field `pca`. */
struct pca_job {
    const struct pca_record *p;
    const char *field;
    bool force;
};

int pca_apply(struct record *out, const struct record *r, const struct pca_job *j, size_t i, size_t n, size_t k,
              struct arena *a, struct err *e);

#endif
