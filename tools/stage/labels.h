/* labels.h - the labels of a zero-shot classification, and their vectors
 *
 * What     A labels file is text with one label a line, or a stream with one record for each label.  The vectors are in
 *          the field `text_embed`, or in `image_embed` if the first record has only that.  A record's label is its
 *          field `label`, else `text`, else the id.  So vectors can come from any program.
 *          A cache is a stream of this form, too.  Its vectors have length one, and each record has a key over
 *          everything that the vectors depend on.
 * Keys     32 hex digits of XXH128 over the model's fingerprint, the labels and the templates, each with its length in
 *          front.
 * Errors   A labels file without labels, text that is not UTF-8, vectors of different widths or models, vectors that
 *          are zero or not finite.  The message names the line or record.  A cache that is stale or cut counts as
 *          absent.  If the file of --cache is not a cache, this is an error, so neither a photograph nor a stream of
 *          embeddings is overwritten by mistake.
 */
#ifndef UNCLIP_LABELS_H
#define UNCLIP_LABELS_H

#include "formats/record/record.h"
#include "tools/stage/templates.h"

struct labels {
    size_t n, d;            /* d is 0 if there are names without vectors */
    struct span *name;      /* [n] */
    float *v;               /* [n, d], each of length one */
    const char *field;      /* field of the vectors: "text_embed" or "image_embed" */
    struct span model;      /* fingerprint of the model that made the vectors; empty if unknown */
    double scale;           /* factor from cosines to logits; 0 if unknown */
};

int labels_open(struct labels *l, const char *path, struct arena *a, struct err *e);

/* Reads labels as labels_open does, but from `text`, the contents of a labels file.  They must outlive l. */
int labels_parse(struct labels *l, struct span text, struct arena *a, struct err *e);

enum { LABELS_KEY = 33 };
void labels_key(char key[LABELS_KEY], const char *fingerprint, const struct labels *l,
                const struct templates *t);

/* Reads the vectors of l's names from the cache at `path`.  Returns 1 if the vectors were found, 0 if the cache is
 * absent or stale, and -1 if the file cannot be read or is not a cache. */
int labels_cache_read(struct labels *l, const char *path, const char *key, struct arena *a,
                      struct err *e);

/* Writes the cache as file_replace.h does: a reader sees either the old file or the new file. */
int labels_cache_write(const struct labels *l, const char *path, const char *key,
                       struct arena scratch, struct err *e);

#endif
