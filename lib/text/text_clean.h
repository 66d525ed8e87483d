/* text_clean.h - what CLIP's tokenizer does to a text before it splits the text
 *
 * What     The steps are ftfy.fix_text without the repair of mojibake, then html.unescape twice.  Then every run of
 *          white space becomes one space, and spaces at the ends are removed.  Last, the text is turned into
 *          Unicode lower case, with final sigma, and with i and U+0307 for U+0130.
 * Source   openai/CLIP @d05afc4 clip/simple_tokenizer.py: basic_clean, whitespace_clean,
 *          str.lower; ftfy 6.3.1 with fix_encoding=False; Python's html.unescape.
 * Differs  ftfy tries to repair wrongly decoded text (mojibake), but text_clean does not.  Characters that
 *          Unicode got after version 15 are unknown to utf8proc and stay as they are.
 * Errors   Text that is not UTF-8 is refused with the offset of the first bad byte.
 * Memory   The result has at most 3 bytes for each byte of the input, which U+1D160 reaches.  3 n + 1 bytes are
 *          taken from the arena, or n + 1 for plain ASCII.  Scratch takes at most 24 n + 2048 bytes.
 * Time     Linear in n, whatever the text: nested entities ("&amp;amp;amp;...") and runs of
 *          combining marks are resolved in one pass.
 * Threads  No global state.
 */
#ifndef UNCLIP_TEXT_CLEAN_H
#define UNCLIP_TEXT_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { TEXT_GROWTH = 3 };    /* the largest number of bytes of the result for each byte of the input */

/* Clean the n bytes s.  Returns a string of *len bytes and a NUL, or NULL on error. */
char *text_clean(const void *s, size_t n, size_t *len, struct arena *a, struct err *e);

/* Turn the n bytes s into Unicode lower case, without any other cleaning.  If `words` is set, a capital sigma at the end of a word
 * becomes a final one, as with Python's str.lower; otherwise each character is turned by itself, as by Rust's
 * char::to_lowercase.  Returns a string of *len bytes and a NUL, or NULL on error. */
char *text_lower(const void *s, size_t n, bool words, size_t *len, struct arena *a, struct err *e);

/* The classes of characters that the tokenizer distinguishes. */
enum text_class { TEXT_SPACE, TEXT_LETTER, TEXT_NUMBER, TEXT_OTHER };
enum text_class text_class(uint32_t c);

#endif
