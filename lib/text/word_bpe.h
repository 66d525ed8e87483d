/* word_bpe.h - byte-pair encodings over the characters of words: the tokenizers of the DALL-E 1 family and of GLIDE
 *
 * What     A text is normalised and split into words.  A word's characters become symbols.  Then the pair of
 *          neighbours whose rule has the lowest rank is merged, the leftmost such pair first, until no pair has a rule.
 *            WORD_YTTM     YouTokenToMe (ruDALL-E).  The text is in lower case.  ASCII white space and U+2581 separate
 *                          words, and each word is given a U+2581 in front.  A run of unknown characters is one
 *                          unknown token.
 *            WORD_CHAR     tokenizers' CharBPETokenizer with BERT's normaliser (minDALL-E).  Control and format
 *                          characters are dropped.  Each CJK or punctuation character is a word.  Words are in
 *                          lower case, and their last character is marked "</w>".  Each unknown character is an
 *                          unknown token.
 *            WORD_MINI     min-dalle (DALL-E mini).  The text is in lower case, and only its ASCII characters are kept.
 *                          Blanks separate words, and each word is given a U+0120 in front.  A symbol that is not
 *                          in the vocabulary is an unknown token.
 *            WORD_BYTES    GPT-2's encoding as GLIDE uses it (byte_bpe.h).  The characters are the bytes of the text, so
 *                          no symbol is unknown.
 * Source   VKCOM/YouTokenToMe bpe.cpp; huggingface/tokenizers CharBPETokenizer, BertNormalizer; kuprel/min-dalle 73621fb
 *          min_dalle/text_tokenizer.py.
 * Ids      The ids are those that the files give.  The caller adds the start token bos and the end token eos.  Each
 *          of the two is -1 if the vocabulary does not have it.
 * Differs  min-dalle replaces emoji by their names first.  Here emoji are dropped, as all characters outside ASCII are.
 * Errors   The functions return -1 or NULL, with a message in e, for a rule of symbols that do not exist, two rules for
 *          one pair, a text that is not UTF-8, exhausted memory.
 * Memory   About 40 bytes a symbol and 24 a rule.  Encoding takes 12 bytes for each byte of the text.  Scratch takes
 *          about 16 bytes for each byte of the text and 24 for each symbol of its longest word.
 * Time     O(n log n) for a word of n characters.
 * Threads  A built struct is read only.
 */
#ifndef UNCLIP_WORD_BPE_H
#define UNCLIP_WORD_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum word_kind { WORD_YTTM, WORD_CHAR, WORD_MINI, WORD_BYTES };
enum { WORD_SYMBOLS_MAX = 1 << 22, WORD_TEXT_MAX = 1024 };    /* most symbols, or rules; most bytes of a symbol */

struct word_symbol {
    const char *text;
    uint32_t n;
    int id;                  /* -1: not in the vocabulary */
};

struct word_rule {
    uint32_t left, right, made;    /* symbols: left and right become made */
};

struct word_bpe {
    enum word_kind kind;
    int unknown, pad, bos, eos;    /* ids; -1 if the vocabulary does not have the token */
    struct word_symbol *symbol;
    struct word_rule *rule;        /* in the order of their ranks */
    size_t symbols, rules, symbol_room, rule_room;
    uint32_t *by_text, *by_pair;   /* hash tables that hold 1 + an index into symbol or rule; 0: free */
    size_t text_mask, pair_mask;
};

/* Make an empty vocabulary with room for `symbols` symbols and `rules` rules. */
int word_bpe_open(struct word_bpe *b, enum word_kind kind, size_t symbols, size_t rules, struct arena *a, struct err *e);

/* Add a symbol and return its number, or -1 if the vocabulary is full.  The memory at text must stay valid.  With
 * `findable`, word_bpe_find finds the symbol by its text. */
int64_t word_bpe_add(struct word_bpe *b, const char *text, size_t n, int id, int findable);

/* Returns the number of the symbol with this text, or -1. */
int64_t word_bpe_find(const struct word_bpe *b, const char *text, size_t n);

/* Make symbol s findable by its text, for a symbol whose text was set after it was added. */
void word_bpe_index(struct word_bpe *b, uint32_t s);

/* Returns the number of ids, which is the greatest id + 1. */
size_t word_bpe_ids(const struct word_bpe *b);

/* A merge_find (pair_merge.h) whose table is a struct word_bpe. */
struct merge;
bool word_bpe_merge(const void *table, uint32_t left, uint32_t right, struct merge *m);

/* Returns a pointer to 1 + the number of the rule for a pair, or to 0 if the pair has no rule. */
const uint32_t *word_bpe_pair(const struct word_bpe *b, uint32_t left, uint32_t right);

/* Add a rule, whose rank is the number of rules before it.  Returns 0, or -1 if a symbol does not exist, the pair has a
 * rule already, or the vocabulary is full. */
int word_bpe_rule(struct word_bpe *b, uint32_t left, uint32_t right, uint32_t made, struct err *e);

/* Returns the fingerprint of a vocabulary: XXH64 of kind, special ids, symbols, ids and rules.  Records carry this
 * fingerprint as the model of their field `tokens`. */
uint64_t word_bpe_hash(const struct word_bpe *b);

/* Returns the symbol with this id, or NULL.  This is slow, because it looks at all symbols. */
const struct word_symbol *word_bpe_symbol(const struct word_bpe *b, int64_t id);

/* Encode a text of n bytes.  *ids receives an array of *count ids, without start and end tokens, in memory from the
 * arena a. */
int word_bpe_encode(const struct word_bpe *b, const char *text, size_t n, int **ids, size_t *count, struct arena *a,
                    struct err *e);

/* Returns the text of n ids, *len bytes and a NUL, or NULL if memory is exhausted.  bos, eos and pad are left out; an
 * unknown id gives U+FFFD. */
char *word_bpe_decode(const struct word_bpe *b, const int64_t *id, size_t n, size_t *len, struct arena *a, struct err *e);

#endif
