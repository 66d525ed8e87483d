/* bpe.h - CLIP's byte-pair encoding: cleaned text to token ids, and back
 *
 * What     A text is split into contractions, runs of letters, single number characters and
 *          runs of anything else; the bytes of each piece, its last one marked as the end of a
 *          word, are merged pair by pair, the earliest merge of the list first.
 * Source   openai/CLIP @d05afc4 clip/simple_tokenizer.py: __init__, pat, bpe, encode, decode.
 * Ids      0..255      single bytes: 21..7e, a1..ac, ae..ff, then the rest in order
 *          256..511    those bytes at the end of a word
 *          512 + r     merge r
 *          512 + n     <|startoftext|>, and after it <|endoftext|>, for n merges
 *          So an id orders merges as well as it names tokens, and one table from pairs to
 *          ids is all that encoding takes.  Added tokens (bpe_add) have the ids that their
 *          files give them, most often 514 + n and on.
 * Errors   A merge of tokens that are not there yet, or that makes one that is there
 *          already, is refused with its number; so is an id that is out of range in decode.
 * Memory   bpe_build keeps about 25 bytes a merge and the tokens' text.  bpe_encode takes
 *          4 n + 8 bytes for n of text, and as scratch 28 bytes for each of its longest piece.
 * Time     O(n log n) for one piece of n bytes.
 * Threads  A built struct is read only.
 */
#ifndef UNCLIP_BPE_H
#define UNCLIP_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { BPE_BYTES = 512, BPE_MERGES_MAX = 1 << 22 };

struct bpe_pair {
    uint32_t left, right;
};

struct bpe_alphabet {
    unsigned char id[256];      /* of a byte, not at the end of a word */
    unsigned char byte[256];    /* of such an id */
};

struct bpe {
    struct bpe_alphabet alphabet;
    size_t merges;
    uint32_t sot, eot, vocab;      /* ids of the two special tokens; how many ids there are */
    struct bpe_pair *pair;         /* [merges + 1]: of id 512 + i; at last {sot, eot} */
    uint32_t *slot;                /* [mask + 1]: pair to id, open addressing, 0 is free */
    size_t mask;
    unsigned char *text;           /* the bytes of token id, without the mark, at */
    uint32_t *at;                  /* at[id] .. at[id + 1] */
    unsigned char *last;           /* [512 + merges]: marked as the end of a word */
    struct bpe_added *added;       /* [nadded]: the first nraw are raw; each part is sorted by text */
    size_t nraw, nadded;
    uint32_t *by_id;               /* [vocab - eot - 1]: place in added of id eot + 1 + i, or UINT32_MAX */
};

/* One merge as files spell it: printable stand-ins for bytes, "</w>" for the end of a word. */
struct bpe_merge {
    const char *left, *right;
    uint32_t nleft, nright;
};

int bpe_build(struct bpe *b, const struct bpe_merge *m, size_t n, struct arena *a, struct err *e);

/* A token that a folder adds to those of the merges: one token wherever its text is found. */
struct bpe_added {
    const char *text;
    size_t n;
    uint32_t id;
    bool raw;        /* found in the text as it was given, before it is cleaned; else in the cleaned text */
    bool special;    /* bpe_decode leaves it out, as it leaves out start and end */
};

enum { BPE_ADDED_MAX = 1 << 16, BPE_ADDED_TEXT_MAX = 256 };

/* Add n tokens to a vocabulary without added tokens.  The names of the start and end tokens are passed over.  An id
 * of the merges must be that of the same text; two ids for one text, or two texts for one id, are refused by name. */
int bpe_add(struct bpe *b, const struct bpe_added *v, size_t n, struct arena *a, struct err *e);

/* The id of a token as files spell it, UINT32_MAX if there is no such token.  Slow: it looks at all tokens. */
uint32_t bpe_find(const struct bpe *b, const char *s, size_t n);

/* XXH64 of all pairs, the special ids and the added tokens that the merges do not have: what `tokens` carry as
 * their model. */
uint64_t bpe_hash(const struct bpe *b);

/* Is s, spelled as in files, token id?  (The special tokens' names too.) */
bool bpe_is_token(const struct bpe *b, uint64_t id, const char *s, size_t n);

struct bpe_tokens {
    int *id;       /* start and end included; room for text's length + 2 */
    size_t n;
    size_t cut;    /* where in the text the first token begins that `limit` leaves out, or n */
};

/* A text ready to be encoded: cleaned (text_clean), and where added tokens are in it. */
struct bpe_text {
    char *s;    /* with a NUL behind its n bytes */
    size_t n;
    struct bpe_mark {
        size_t at, n;
        uint32_t id;
    } *mark;    /* [marks], from left to right */
    size_t marks;
};

/* Find added tokens and clean the rest, as the tokenizers library does: of those that begin at one place the
 * longest, raw ones first; what is between two raw ones is cleaned by itself. */
int bpe_prepare(const struct bpe *b, const void *s, size_t n, struct bpe_text *text, struct arena *a, struct err *e);

/* special: <|startoftext|> and <|endoftext|> in the text are the special tokens, as in the
 * reference; else they are text.  All tokens are returned whatever the limit (>= 2; it counts
 * start and end): bpe_truncate cuts. */
int bpe_encode(const struct bpe *b, const struct bpe_text *text, bool special, size_t limit,
               struct bpe_tokens *t, struct arena *a, struct err *e);

/* The first `limit` ids, the last of which becomes the end of the text. */
void bpe_truncate(const struct bpe *b, struct bpe_tokens *t, size_t limit);

/* The text of ids: a space after each word except the last, U+FFFD for bytes that are not UTF-8.
 * special: write the names of special tokens; otherwise they are left out.  NULL on error. */
char *bpe_decode(const struct bpe *b, const int64_t *id, size_t n, bool special, size_t *len,
                 struct arena *a, struct err *e);

#endif
