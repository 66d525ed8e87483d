/* word_bpe_files.h - the tokenizers of the DALL-E 1 family from their files
 *
 * What     YouTokenToMe's bpe.model (text): "characters rules", lines "code point, id", lines "left right made" in the
 *          order of merging, and "unk pad bos eos"; or vocab.json with merges.txt, where "[UNK]" in the vocabulary tells
 *          minDALL-E's from DALL-E mini's, which has "<unk>".
 * Source   VKCOM/YouTokenToMe utils.cpp; minDALL-E's and min-dalle's readers: lines of merges that begin with
 *          "#version" and empty ones do not count.
 * Errors   Name the line.  Files above WORD_FILE_MAX bytes are refused.
 * Memory   From the arena; the files' text stays.
 */
#ifndef UNCLIP_WORD_BPE_FILES_H
#define UNCLIP_WORD_BPE_FILES_H

#include "lib/base/span.h"
#include "lib/text/word_bpe.h"

enum { WORD_FILE_MAX = 64 << 20 };

/* The text stays where it is. */
int word_bpe_read_yttm(struct word_bpe *b, struct span text, struct arena *a, struct err *e);
int word_bpe_read_vocab(struct word_bpe *b, struct span vocab, struct span merges, struct arena *a, struct err *e);

/* A file, or a directory that holds bpe.model, or a *vocab*.json and a *merges*.txt: 1 opened, 0: not there. */
int word_bpe_open_dir(struct word_bpe *b, const char *dir, struct arena *a, struct err *e);

#endif
