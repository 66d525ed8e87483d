/* find.h - look for one component of a model in the paths that the user gave
 *
 * What     find_component is the loop over the user's paths for a CLIP, a tokenizer and each part of a diffusion
 *          pipeline.  The first path that has the component ends the loop.  When no path has it, the message names all
 *          paths.  A path that is a repository in a Hugging Face cache (refs and snapshots in it) stands for the
 *          snapshot that refs/main names.
 * Source   huggingface_hub's documentation of its cache; transformers' and diffusers' names of weight files.
 * Errors   An error in `e` ends the loop and names a file or the component.  `why` says why one path does not have the
 *          component, and the loop goes on.
 * Memory   Paths come from the arena.
 */
#ifndef UNCLIP_FIND_H
#define UNCLIP_FIND_H

#include "formats/checkpoint/model.h"

/* What `look` returns for one path.  FOUND: the path has the component.  NOT_HERE: the path does not have it, and `why`
 * has the reason.  FAILED: an error, which is in `e`. */
enum { FOUND = 1, NOT_HERE = 0, FAILED = -1 };

struct find {
    const struct model_paths *paths;
    const char *path;        /* the path that is looked at, or the snapshot that it stands for */
    struct arena *a;
    struct err *e;
    struct err why;          /* why `path` does not have the component; "" when `look` gave no reason */
    struct err tried;        /* the paths tried so far, each with its reason */
};

/* Calls `look` for each path until it returns FOUND.  Returns 0, or -1 if `look` failed or no path has the component,
 * which messages call `what`. */
int find_component(struct find *f, const char *what, int (*look)(void *ctx, struct find *f), void *ctx);

/* Reports the error `inner` in a file, which ends the loop.  Sets f->e to the file's name and the message.  Returns
 * FAILED. */
int find_failed(struct find *f, const char *file, const struct err *inner);

/* Maps a file.  Returns 0 or FAILED. */
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
