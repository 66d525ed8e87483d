/* bpe.h - CLIP's byte-pair encoding: cleaned text to token ids, and back
 *
 * What     A text is split into contractions, runs of letters, single number characters and
 *          runs of anything else.  The last byte of each piece is marked as the end of a word.  The bytes
 *          of a piece are merged pair by pair, always by the merge that comes first in the list of merges.
 * Source   openai/CLIP @d05afc4 clip/simple_tokenizer.py: __init__, pat, bpe, encode, decode.
 * Ids      0..255      single bytes: 21..7e, a1..ac, ae..ff, then the rest in order
 *          256..511    those bytes at the end of a word
 *          512 + r     merge r
 *          512 + n     <|startoftext|>, and after it <|endoftext|>, for n merges
 *          An id is both the name of a token and the rank of its merge, so encoding needs one table only, from
 *          pairs to ids.  Added tokens (bpe_add) have the ids that their files give them, which are most often
 *          514 + n, 515 + n and so on.
 * Errors   bpe_build refuses, by its number, a merge of tokens that do not exist yet, or one whose result exists
 *          already.  bpe_decode refuses an id that the vocabulary does not have.  Text that is not UTF-8 is refused by
 *          bpe_prepare (text_clean.h).  All functions fail when memory is exhausted.
 * Memory   bpe_build keeps about 25 bytes a merge and the tokens' text.  For a text of n bytes bpe_encode takes 4 n +
 *          8 bytes, and scratch of 24 bytes for each byte of the longest piece.
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
    unsigned char id[256];      /* the id of each byte that is not at the end of a word */
    unsigned char byte[256];    /* the byte of each such id */
};

struct bpe {
    struct bpe_alphabet alphabet;
    size_t merges;
    uint32_t sot, eot, vocab;      /* ids of the two special tokens; the number of ids */
    struct bpe_pair *pair;         /* [merges + 1]: the pair that makes id 512 + i; the last is {sot, eot} */
    uint32_t *slot;                /* [mask + 1]: hash table from pair to id, open addressing; 0: free */
    size_t mask;
    unsigned char *text;           /* the bytes of all tokens, without the marks */
    uint32_t *at;                  /* the bytes of a token are text[at[id]] to text[at[id + 1] - 1] */
    unsigned char *last;           /* [512 + merges]: is the token marked as the end of a word? */
    struct bpe_added *added;       /* [nadded]: first nraw raw tokens, then the others; each part is sorted by text */
    size_t nraw, nadded;
    uint32_t *by_id;               /* [vocab - eot - 1]: index in `added` of id eot + 1 + i, or UINT32_MAX */
};

/* One merge as files spell it: a printable character stands for each byte, and "</w>" for the end of a word. */
struct bpe_merge {
    const char *left, *right;
    uint32_t nleft, nright;
};

/* Build a vocabulary from n merges, in the order of their ranks. */
int bpe_build(struct bpe *b, const struct bpe_merge *m, size_t n, struct arena *a, struct err *e);

/* A token that a tokenizer directory adds to the tokens of the merges.  Wherever the text of an added token is found,
 * it becomes this one token. */
struct bpe_added {
    const char *text;
    size_t n;
    uint32_t id;
    bool raw;        /* the text is looked for before cleaning; if false, in the cleaned text */
    bool special;    /* bpe_decode leaves out the token unless asked for special tokens */
};

enum { BPE_ADDED_MAX = 1 << 16, BPE_ADDED_TEXT_MAX = 256 };

/* Add n tokens to a vocabulary that has no added tokens yet.  The start and end tokens may be among the n, and are
 * skipped.  An added token whose id belongs to the merges must have the text of that id.  Two ids for one text, or two
 * texts for one id, are an error, whose message names the token. */
int bpe_add(struct bpe *b, const struct bpe_added *v, size_t n, struct arena *a, struct err *e);

/* Returns the id of the token that files spell s, or UINT32_MAX if the vocabulary does not have it.  This is slow,
 * because it looks at all tokens.  Added tokens are not looked at. */
uint32_t bpe_find(const struct bpe *b, const char *s, size_t n);

/* Returns the fingerprint of a vocabulary: XXH64 of all pairs, of the special ids, and of the added tokens whose ids
 * come after those of the merges.  Records carry this fingerprint as the model of their field `tokens`. */
uint64_t bpe_hash(const struct bpe *b);

/* Returns true if s, spelled as in files, is the token of this id.  For the ids sot and eot, s is compared with their
 * names. */
bool bpe_is_token(const struct bpe *b, uint64_t id, const char *s, size_t n);

struct bpe_tokens {
    int *id;       /* includes the start and end tokens; has room for the text's length + 2 */
    size_t n;
    size_t cut;    /* where in the text the first token beyond `limit` begins, in bytes; or the text's length */
};

/* A cleaned text (text_clean.h) that is ready to be encoded, and the places of the added tokens in it. */
struct bpe_text {
    char *s;    /* n bytes and a NUL */
    size_t n;
    struct bpe_mark {
        size_t at, n;
        uint32_t id;
    } *mark;    /* [marks], from left to right */
    size_t marks;
};

/* Find the added tokens in s and clean the rest of s, as the tokenizers library does.  Raw tokens are found first, and
 * the text between two of them is cleaned by itself.  Of the tokens that begin at one place, the longest is taken. */
int bpe_prepare(const struct bpe *b, const void *s, size_t n, struct bpe_text *text, struct arena *a, struct err *e);

/* Encode a text.  With `special`, <|startoftext|> and <|endoftext|> in the text are the special tokens, as in the
 * reference; otherwise they are plain text.  All tokens are returned.  limit (at least 2, start and end included) only
 * decides t->cut; bpe_truncate cuts the tokens. */
int bpe_encode(const struct bpe *b, const struct bpe_text *text, bool special, size_t limit,
               struct bpe_tokens *t, struct arena *a, struct err *e);

/* Keep the first `limit` ids, and replace the last of them by the end token. */
void bpe_truncate(const struct bpe *b, struct bpe_tokens *t, size_t limit);

/* Returns the text of n ids, with a space after each word except the last, and U+FFFD for bytes that are not UTF-8.
 * With `special` the names of special tokens are written; otherwise these tokens are left out.  Returns NULL on
 * error. */
char *bpe_decode(const struct bpe *b, const int64_t *id, size_t n, bool special, size_t *len,
                 struct arena *a, struct err *e);

#endif
