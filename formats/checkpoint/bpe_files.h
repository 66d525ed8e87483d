/* bpe_files.h - CLIP's tokenizer (lib/text/bpe.h) from its published files
 *
 * What     The merges come from merges.txt, plain or gzip'd, from OpenAI's bpe_simple_vocab_16e6.txt(.gz), of which the
 *          first 48,894 merges count, or from tokenizer.json, with merges in either spelling ("a b", or ["a", "b"]).  A
 *          vocab.json next to the merges is checked: its ids must be those that the merges give.  Added tokens come
 *          from tokenizer.json's added_tokens, from tokenizer_config.json's added_tokens_decoder or else
 *          added_tokens.json.  A special token that the merges make too ("!", Stable Diffusion 2's pad_token) counts as
 *          an added token, as in transformers.
 * Source   openai/CLIP @d05afc4 clip/simple_tokenizer.py:65 for the number of merges;
 *          transformers 5.24 CLIPTokenizer and tokenization_utils_base.py for the other files.
 * Differs  An id that added_tokens.json gives is kept (transformers 5 numbers such tokens anew); a special
 *          token to which no file gives an id is not a token (transformers gives it the next free id).
 * Errors   The functions return -1, and bpe_open's message names the file.  A file above BPE_FILE_MAX bytes, packed or
 *          unpacked, is refused.  So is a vocabulary with other ids than the merges give, and an added token that is a
 *          single_word.  Of OpenAI's gzip'd file only the merges that count are read, so the rest of the file may be
 *          damaged or missing.
 * Memory   From the arena: the tables of bpe.h, and the file's text (a few MB), which stays.
 *          zlib works in the arena too.  jansson allocates by itself, at most some 20 bytes
 *          for each byte of a JSON file, and frees them before return.
 */
#ifndef UNCLIP_BPE_FILES_H
#define UNCLIP_BPE_FILES_H

#include <jansson.h>

#include "formats/checkpoint/model.h"
#include "lib/text/bpe.h"

enum { BPE_FILE_MAX = 32 << 20 };

/* Open the files that model_find_tokenizer found: the base vocabulary, then the added tokens. */
int bpe_open(struct bpe *b, const struct tok_files *f, struct arena *a, struct err *e);

/* Read a merges file (gzip'd or not) or a tokenizer.json from memory. */
int bpe_read_merges(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e);
int bpe_read_json(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e);

/* The JSON texts that can name added tokens.  A member is NULL when the model lacks that file. */
struct tok_texts {
    json_t *list;    /* tokenizer.json's added_tokens, an array */
    json_t *added_tokens, *config, *special_tokens;    /* whole files, objects */
};

/* Add the tokens that t names to b. */
int bpe_read_added(struct bpe *b, const struct tok_texts *t, struct arena *a, struct err *e);

/* Check that a vocab.json gives every token the id that the token has in b.  Returns 0, or -1 with the token in err. */
int bpe_check_vocab(const struct bpe *b, const void *s, size_t n, struct err *e);

#endif
