/* find.h - look for one component of a model in the paths that the user gave
 *
 * What     The walk over the paths that a CLIP, a tokenizer and each part of a diffusion pipeline share.  The first
 *          path that has the component ends the walk.  When no path has it, the message names all paths.
 *          A path that is a repository in a Hugging Face cache (refs and snapshots in it) stands for the snapshot
 *          that refs/main names.
 * Source   huggingface_hub's documentation of its cache; transformers' and diffusers' names of weight files.
 * Errors   An error in `e` ends the walk and names a file or the component.  `why` says why one path does not have the
 *          component, and the walk goes on.
 * Memory   Paths come from the arena.
 */
#ifndef UNCLIP_FIND_H
#define UNCLIP_FIND_H

#include "formats/checkpoint/model.h"

/* What `look` returns for one path: it has the component; it does not (the reason is in `why`); an error (in `e`). */
enum { FOUND = 1, NOT_HERE = 0, FAILED = -1 };

struct find {
    const struct model_paths *paths;
    const char *path;        /* the path that is looked at, or the snapshot that it stands for */
    struct arena *a;
    struct err *e;
    struct err why;          /* why `path` does not have the component; "" when `look` gave no reason */
    struct err tried;        /* the paths so far, each with its reason */
};

/* Call `look` for each path until it returns FOUND.  0, or -1: `look` failed, or no path has `what`. */
int find_component(struct find *f, const char *what, int (*look)(void *ctx, struct find *f), void *ctx);

/* An error in a file, which ends the walk: FAILED, with the file's name before the message. */
int find_failed(struct find *f, const char *file, const struct err *inner);

/* Map a file: 0, or FAILED. */
int find_map(struct find *f, const char *file, struct mapfile *m);

/* A library looks for its weights under several file names, in a fixed order.  Each value stands for the list of one
 * library. */
enum weights_names { WEIGHTS_TRANSFORMERS, WEIGHTS_DIFFUSERS, WEIGHTS_OPENCLIP, WEIGHTS_OPENAI };

/* Returns the path of the first file of the list `names` that exists in the directory, or NULL when the directory has
 * none of these files. */
const char *find_weights(struct find *f, const char *dir, enum weights_names names);

/* Returns whether a file of this name holds weights, as far as its ending tells. */
bool find_is_weights(const char *name);

#endif
