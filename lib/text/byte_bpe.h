/* byte_bpe.h - GPT-2's byte-pair encoding as GLIDE uses it
 *
 * What     The text is turned into lower case, but is not cleaned, and no blank is put in front.  The text is split
 *          into contractions ('s 't 're 've 'm 'll 'd), and runs of letters, of number characters and of other
 *          characters, each of which includes one blank in front of it.  The last character of a run of white space
 *          before a word goes with the word.  The bytes of a piece are merged pair by pair.  Files spell a byte as one
 *          printable character: the blank is U+0120.
 * Source   Radford et al. 2019, "Language models are unsupervised multitask learners", 2.2; openai/gpt-2 src/encoder.py;
 *          openai/glide-text2im @69b5307 tokenizer/bpe.py, which adds the lower case.
 * Errors   The functions fail only if memory is exhausted.  The text must be UTF-8.
 * Memory   As in word_bpe.h.
 */
#ifndef UNCLIP_BYTE_BPE_H
#define UNCLIP_BYTE_BPE_H

#include "lib/text/word_bpe.h"

/* Returns the character that stands for a byte in files. */
uint32_t byte_bpe_char(unsigned char byte);

/* word_bpe_encode and word_bpe_decode call these for a vocabulary of the kind WORD_BYTES. */
int byte_bpe_encode(const struct word_bpe *b, const char *text, size_t n, int **ids, size_t *count, struct arena *a,
                    struct err *e);
char *byte_bpe_decode(const struct word_bpe *b, const int64_t *id, size_t n, size_t *len, struct arena *a, struct err *e);

#endif
