/* glide_tok.h - find GLIDE's tokenizer in the paths of a model
 *
 * What     GPT-2's files (word_bpe_files.h) are looked for in a directory and in its subdirectory tokenizer.  If a path
 *          is a file of GLIDE's weights, the directory of the file is searched.
 * Errors   The functions return -1, and err names the file.
 */
#ifndef UNCLIP_GLIDE_TOK_H
#define UNCLIP_GLIDE_TOK_H

#include "formats/checkpoint/model.h"
#include "lib/text/word_bpe.h"

/* Opens the tokenizer at one path, and sets *dir to the directory that holds it.  Returns 1, or 0 if the path does not
 * lead to these files, or -1 on an error. */
int glide_tok_at(struct word_bpe *b, const char *path, const char **dir, struct arena *a, struct err *e);

/* Opens the tokenizer of the first path that has one. */
int glide_tok_open(struct word_bpe *b, const struct model_paths *p, struct arena *a, struct err *e);

#endif
