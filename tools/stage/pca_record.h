/* pca_record.h - writes and reads principal components as a record, and applies them to records
 *
 * What     pca-fit's record: pca_mean [d], pca_components [k, d], pca_variance [k], and in `model` under
 *          pca_mean the fingerprint of the vectors.
 * Source   mix.h
 * Errors   A record of another shape, numbers that are not finite.
 */
#ifndef UNCLIP_PCA_RECORD_H
#define UNCLIP_PCA_RECORD_H

#include "lib/vector/mix.h"
#include "tools/stage/mixing.h"

struct pca_record {
    struct pca p;
    struct span model;    /* the vectors' fingerprint; empty when unknown */
};

/* Reads the components from the first record of a file.  Messages name the file. */
int pca_record_load(struct pca_record *p, const char *file, struct arena *keep, struct err *e);

/* The table x [n, d] of vectors for pca_fit.  x is the only allocation in the arena `rows`, in which it grows. */
struct pca_rows {
    float *x;
    size_t n, d;
    struct span model;
    struct arena rows, names;
};

int pca_rows_add(struct pca_rows *t, const struct record *r, const char *field, bool force, struct arena a, struct err *e);

/* Computes at most `most` principal components of the vectors and makes *r a new record that holds them. */
int pca_rows_record(struct record *r, const struct pca_rows *t, size_t most, struct arena *a, struct err *e);

/* Makes *out a copy of r, sample i of n, whose vector is reconstructed from the first k components (pca_apply).  If n
 * is 0, *out is a copy of r with the vector's coordinates in the field `pca`. */
struct pca_job {
    const struct pca_record *p;
    const char *field;
    bool force;
};

int pca_apply(struct record *out, const struct record *r, const struct pca_job *j, size_t i, size_t n, size_t k,
              struct arena *a, struct err *e);

#endif
