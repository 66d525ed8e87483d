/* pca_record.h - principal components as a record, and records as components
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
    struct span model;    /* of the vectors; empty when unknown */
};

/* Read the first record of a file.  Messages name the file. */
int pca_record_load(struct pca_record *p, const char *file, struct arena *keep, struct err *e);

/* Vectors one after another, for pca_fit.  rows is an arena of their own. */
struct pca_rows {
    float *x;
    size_t n, d;
    struct span model;
    struct arena rows, names;
};

int pca_rows_add(struct pca_rows *t, const struct record *r, const char *field, bool force, struct arena a, struct err *e);

/* A new record with at most `most` components of the vectors. */
int pca_rows_record(struct record *r, const struct pca_rows *t, size_t most, struct arena *a, struct err *e);

/* Reconstruction i of n of r from its first k components.  With n = 0, r with its coordinates in `pca`. */
struct pca_job {
    const struct pca_record *p;
    const char *field;
    bool force;
};

int pca_apply(struct record *out, const struct record *r, const struct pca_job *j, size_t i, size_t n, size_t k,
              struct arena *a, struct err *e);

#endif
