/* word_bpe_files.h - the tokenizers of the DALL-E 1 family and of GLIDE from their files
 *
 * What     YouTokenToMe's bpe.model, a text file: a line with the numbers of characters and of rules; for each
 *          character a line "code point, id"; for each rule a line "left right made" in the order of merging; and the
 *          line "unk pad bos eos".  Or vocab.json with merges.txt: minDALL-E's vocabulary has "[UNK]", DALL-E mini's
 *          has "<unk>".
 *          GPT-2's, which GLIDE uses: vocab.bpe with encoder.json, or merges.txt with vocab.json, gzip'd or not.  A
 *          vocab.bpe alone gives all ids: GPT-2 numbers the bytes, the merges, and "<|endoftext|>".
 * Source   VKCOM/YouTokenToMe utils.cpp; openai/glide-text2im tokenizer/bpe.py; minDALL-E's and min-dalle's readers.
 *          Lines of merges that begin with "#version" and empty lines do not count.
 * Errors   The functions return -1, and err names the line.  Files above WORD_FILE_MAX bytes are refused.
 * Memory   Memory is taken from the arena, and the files' text stays there.
 */
#ifndef UNCLIP_WORD_BPE_FILES_H
#define UNCLIP_WORD_BPE_FILES_H

#include "lib/base/span.h"
#include "lib/text/word_bpe.h"

enum { WORD_FILE_MAX = 64 << 20 };

/* Read a tokenizer from the text of its files. */
int word_bpe_read_yttm(struct word_bpe *b, struct span text, struct arena *a, struct err *e);
int word_bpe_read_vocab(struct word_bpe *b, struct span vocab, struct span merges, struct arena *a, struct err *e);

/* Read GPT-2's tokenizer from the text of its files.  `vocab` may be empty. */
int word_bpe_read_bytes(struct word_bpe *b, struct span merges, struct span vocab, struct arena *a, struct err *e);

/* Opens GPT-2's tokenizer in the directory dir.  Returns what word_bpe_open_dir returns. */
int word_bpe_open_bytes(struct word_bpe *b, const char *dir, struct arena *a, struct err *e);

/* Returns whether dir has min-dalle's files of DALL-E mini under the names that they have next to those of mega,
 * encoder_mini.pt and so on, and not mega's weights. */
bool word_bpe_is_mini(const char *dir);

/* Opens the tokenizer at `dir`, which is a bpe.model file, or a directory with a bpe.model, or a directory with a
 * *vocab*.json and a *merges*.txt, of several the first by name, except that word_bpe_is_mini asks for vocab_mini.json and
 * merges_mini.txt.  Returns 1 on success, 0 when `dir` does not have these files, or -1 when a file is
 * damaged (the message begins with the file's name). */
int word_bpe_open_dir(struct word_bpe *b, const char *dir, struct arena *a, struct err *e);

#endif
