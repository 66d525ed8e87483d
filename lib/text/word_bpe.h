/* word_bpe.h - byte-pair encodings over the characters of words: the tokenizers of the DALL-E 1 family
 *
 * What     A text is normalised and split into words; a word's characters become symbols, and the pair of neighbours
 *          with the lowest rank is merged, leftmost first, until no pair has a rule.
 *            WORD_YTTM     YouTokenToMe (ruDALL-E): lower case; words are separated by ASCII white space and U+2581,
 *                          and begin with U+2581; a run of unknown characters is one unknown token.
 *            WORD_CHAR     tokenizers' CharBPETokenizer with BERT's normaliser (minDALL-E): control and format
 *                          characters are dropped, CJK characters and punctuation stand alone, lower case; a word's last
 *                          character is marked "</w>"; each unknown character is an unknown token.
 *            WORD_MINI     min-dalle (DALL-E mini): lower case, ASCII alone; words are separated by blanks and begin
 *                          with U+0120; a symbol that is not in the vocabulary is an unknown token.
 * Source   VKCOM/YouTokenToMe bpe.cpp; huggingface/tokenizers CharBPETokenizer, BertNormalizer; kuprel/min-dalle 73621fb
 *          min_dalle/text_tokenizer.py.
 * Ids      What the files say.  Starts and ends are the caller's to add: bos, eos; -1 where there is none.
 * Differs  min-dalle spells emoji as words first; here they are dropped, like all that is not ASCII.
 * Errors   A rule of symbols that are not there, two rules for one pair, a text that is not UTF-8.
 * Memory   About 40 bytes a symbol and 24 a rule.  Encoding takes 4 bytes for each byte of the text, and as scratch 60
 *          for each of its longest word.
 * Time     O(n log n) for a word of n characters.
 * Threads  A built struct is read only.
 */
#ifndef UNCLIP_WORD_BPE_H
#define UNCLIP_WORD_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum word_kind { WORD_YTTM, WORD_CHAR, WORD_MINI };
enum { WORD_SYMBOLS_MAX = 1 << 22, WORD_TEXT_MAX = 1024 };    /* symbols, rules; bytes of a symbol */

struct word_symbol {
    const char *text;
    uint32_t n;
    int id;                  /* -1: not in the vocabulary */
};

struct word_rule {
    uint32_t left, right, made;    /* symbols */
};

struct word_bpe {
    enum word_kind kind;
    int unknown, pad, bos, eos;
    struct word_symbol *symbol;
    struct word_rule *rule;        /* in the order of their ranks */
    size_t symbols, rules, symbol_room, rule_room;
    uint32_t *by_text, *by_pair;   /* hash tables: 1 + an index, 0 is free */
    size_t text_mask, pair_mask;
};

/* Room for so many symbols and rules. */
int word_bpe_open(struct word_bpe *b, enum word_kind kind, size_t symbols, size_t rules, struct arena *a, struct err *e);

/* A new symbol, which characters find by its text if `findable`; its number.  -1: full. */
int64_t word_bpe_add(struct word_bpe *b, const char *text, size_t n, int id, int findable);

/* The symbol of that text, or -1. */
int64_t word_bpe_find(const struct word_bpe *b, const char *text, size_t n);

/* Symbol s, whose text was set since it was added, is found by its text from now on. */
void word_bpe_index(struct word_bpe *b, uint32_t s);

/* 1 + the number of the rule for a pair, or 0. */
const uint32_t *word_bpe_pair(const struct word_bpe *b, uint32_t left, uint32_t right);

/* The next rule.  -1 where a symbol is not there or the pair has a rule. */
int word_bpe_rule(struct word_bpe *b, uint32_t left, uint32_t right, uint32_t made, struct err *e);

/* XXH64 of kind, symbols, ids and rules: what `tokens` carry as their model. */
uint64_t word_bpe_hash(const struct word_bpe *b);

/* The ids of a text, without start and end. */
int word_bpe_encode(const struct word_bpe *b, const char *text, size_t n, int **ids, size_t *count, struct arena *a,
                    struct err *e);

/* The text of ids; ids without text (starts, pads) give nothing. */
char *word_bpe_decode(const struct word_bpe *b, const int64_t *id, size_t n, size_t *len, struct arena *a, struct err *e);

#endif
