/* vocabulary.h - texts to ids and back, in whichever vocabulary a model has
 *
 * What     CLIP's byte-pair encoding over cleaned text, or the word encodings of the DALL-E 1 family (word_bpe.h).
 * Limits   CLIP's context is the model's; the word encodings have none of their own: the program that draws cuts.
 */
#ifndef UNCLIP_VOCABULARY_H
#define UNCLIP_VOCABULARY_H

#include "formats/checkpoint/model.h"
#include "lib/text/bpe.h"
#include "lib/text/word_bpe.h"

struct vocabulary {
    bool words;               /* word_bpe, else bpe */
    struct bpe bpe;
    struct word_bpe word;
    size_t context;           /* ids of a text at most, by default */
    char hash[17];            /* what `tokens` carry as their model */
    const char *path;         /* of the model that had it */
};

/* The first path that has a tokenizer of either kind. */
int vocabulary_open(struct vocabulary *v, const struct model_paths *p, struct arena *a, struct err *e);

/* All ids of a text, start and end included.  *clean: the text that ids stand for, in which t->cut is a place.  special:
 * names of special tokens in the text are those tokens (CLIP). */
int vocabulary_encode(const struct vocabulary *v, struct span text, bool special, size_t limit, struct bpe_tokens *t,
                      struct span *clean, struct arena *a, struct err *e);

/* The first `limit` ids, with the end as the last one where the vocabulary asks for that. */
void vocabulary_truncate(const struct vocabulary *v, struct bpe_tokens *t, size_t limit);

char *vocabulary_decode(const struct vocabulary *v, const int64_t *id, size_t n, bool special, size_t *len, struct arena *a,
                        struct err *e);

#endif
