/* vocabulary.h - turns texts into ids and back, with the vocabulary that a model has
 *
 * What     CLIP's byte-pair encoding over cleaned text, or the word encodings of the DALL-E 1 family and of GLIDE
 *          (word_bpe.h).
 * Limits   With CLIP and GLIDE, a text may have at most as many ids as the model's context.  The encodings of the
 *          DALL-E 1 family do not limit a text; the program that draws cuts it.
 */
#ifndef UNCLIP_VOCABULARY_H
#define UNCLIP_VOCABULARY_H

#include "formats/checkpoint/model.h"
#include "lib/text/bpe.h"
#include "lib/text/word_bpe.h"

struct vocabulary {
    bool words;               /* true: `word` is the vocabulary; false: `bpe` is */
    struct bpe bpe;
    struct word_bpe word;
    size_t context;           /* the default of the greatest number of ids of a text */
    char hash[17];            /* hash of the vocabulary; records get it as the model of their field `tokens` */
    const char *path;         /* file or directory in which the vocabulary was found */
};

/* Opens the vocabulary of the first path that has a tokenizer of either kind. */
int vocabulary_open(struct vocabulary *v, const struct model_paths *p, struct arena *a, struct err *e);

/* Writes the ids of a text, including the start and end tokens, into t.  *clean receives the text that the ids stand
 * for; t->cut is a place in this text.  If `special` is true, names of special tokens in the text become these tokens
 * (only with CLIP). */
int vocabulary_encode(const struct vocabulary *v, struct span text, bool special, size_t limit, struct bpe_tokens *t,
                      struct span *clean, struct arena *a, struct err *e);

/* Cuts t to its first `limit` ids.  With CLIP, the last of these ids becomes the end of the text. */
void vocabulary_truncate(const struct vocabulary *v, struct bpe_tokens *t, size_t limit);

char *vocabulary_decode(const struct vocabulary *v, const int64_t *id, size_t n, bool special, size_t *len, struct arena *a,
                        struct err *e);

#endif
