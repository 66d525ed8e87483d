/* bpe_files.h - a tokenizer from the files that people have
 *
 * What     merges.txt, plain or gzip'd; OpenAI's bpe_simple_vocab_16e6.txt(.gz), of which the
 *          first 48,894 merges count; tokenizer.json with merges in either spelling
 *          ("a b", or ["a", "b"]).  A vocab.json next to the merges is checked: its ids must
 *          be those that the merges give.  Added tokens come from tokenizer.json's added_tokens, from
 *          tokenizer_config.json's added_tokens_decoder or else added_tokens.json; a special token that
 *          the merges have too ("!", Stable Diffusion 2's pad_token) is one, as transformers has it.
 * Source   openai/CLIP @d05afc4 clip/simple_tokenizer.py:65 for the number of merges;
 *          transformers 5.24 CLIPTokenizer and tokenization_utils_base.py for the other files.
 * Differs  An id that added_tokens.json gives is kept (transformers 5 numbers such tokens anew); a special
 *          token that no file gives an id is not a token (transformers gives it the next free id).
 * Errors   Name the file.  A file above BPE_FILE_MAX bytes, packed or unpacked, is refused;
 *          so is a vocabulary whose ids come from elsewhere, and an added token that is a single_word.
 *          Only the merges that count are read of OpenAI's gzip'd file: the rest may be damaged or missing.
 * Memory   From the arena: the tables of bpe.h, and the file's text (a few MB), which stays.
 *          zlib works in the arena too.  jansson allocates by itself: at most some 20 bytes
 *          for each of a JSON file's, freed before return.
 */
#ifndef UNCLIP_BPE_FILES_H
#define UNCLIP_BPE_FILES_H

#include <jansson.h>

#include "formats/checkpoint/model.h"
#include "lib/text/bpe.h"

enum { BPE_FILE_MAX = 32 << 20 };

int bpe_open(struct bpe *b, const struct tok_files *f, struct arena *a, struct err *e);

/* From memory: what a merges file (gzip'd or not) or a tokenizer.json holds. */
int bpe_read_merges(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e);
int bpe_read_json(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e);

/* The added tokens that those JSON values name (NULL: there is no such file), into b. */
struct tok_texts {
    json_t *list;    /* tokenizer.json's added_tokens, an array */
    json_t *added_tokens, *config, *special_tokens;    /* whole files, objects */
};

int bpe_read_added(struct bpe *b, const struct tok_texts *t, struct arena *a, struct err *e);

/* Does vocab.json give the tokens the ids that they have in b? */
int bpe_check_vocab(const struct bpe *b, const void *s, size_t n, struct err *e);

#endif
