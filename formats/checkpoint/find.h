/* find.h - look for one component of a model in the paths that the user gave
 *
 * What     The walk that a CLIP, a tokenizer and each part of a diffusion pipeline share: each path is looked at
 *          in turn; the first that has the component ends the walk.  When no path has it, the message names them all.
 *          A path that is a repository in a Hugging Face cache (refs and snapshots in it) stands for the snapshot
 *          that refs/main names.
 * Source   huggingface_hub's documentation of its cache; transformers' and diffusers' names of weight files.
 * Errors   err is final and names a file or the component; `why` belongs to one path.
 * Memory   Paths come from the arena.
 */
#ifndef UNCLIP_FIND_H
#define UNCLIP_FIND_H

#include "formats/checkpoint/model.h"

/* What a look at one path gives: the component, nothing (the reason is in `why`), or an error in `e`. */
enum { FOUND = 1, NOT_HERE = 0, FAILED = -1 };

struct find {
    const struct model_paths *paths;
    const char *path;        /* of the list, now; or the snapshot that it stands for */
    struct arena *a;
    struct err *e;
    struct err why;          /* why `path` does not have it; "" where there is nothing to say */
    struct err tried;
};

/* 0, or -1: `look` failed, or no path has `what`. */
int find_component(struct find *f, const char *what, int (*look)(void *ctx, struct find *f), void *ctx);

/* An error in a file, which ends the walk: FAILED, with the file's name before the message. */
int find_failed(struct find *f, const char *file, const struct err *inner);

/* Map a file: 0, or FAILED. */
int find_map(struct find *f, const char *file, struct mapfile *m);

/* The weights in a folder, under the first name that a library would take; NULL when the folder has no weights. */
enum weights_names { WEIGHTS_TRANSFORMERS, WEIGHTS_DIFFUSERS, WEIGHTS_OPENCLIP, WEIGHTS_OPENAI };

const char *find_weights(struct find *f, const char *dir, enum weights_names names);

#endif
