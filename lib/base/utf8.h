/* utf8.h - converts code points to UTF-8 and back
 *
 * Source   Unicode 15, chapter 3.9, table 3-7: no surrogates, no overlong forms, nothing
 *          above U+10FFFF.
 * Errors   An ill-formed sequence is reported by the length of its maximal subpart: the bytes
 *          that most decoders (Python's "replace" among them) replace by one U+FFFD.
 */
#ifndef UNCLIP_UTF8_H
#define UNCLIP_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the code point at p, where n > 0 bytes may be read, into *c and returns its length in bytes, 1..4.  If the
 * bytes are ill-formed, returns minus the length of the ill-formed sequence, -1..-3. */
int utf8_get(const unsigned char *p, size_t n, uint32_t *c);

/* Writes c, which must be a scalar value, to p, which has room for 4 bytes.  Returns the number of bytes written. */
int utf8_put(uint32_t c, unsigned char *p);

/* Returns the length of the control character at p, where n > 0 bytes may be read: 1 for C0 and DEL, 2 for C1.
 * Returns 0 for other characters.  A terminal may take a control character as a command. */
size_t utf8_control(const unsigned char *p, size_t n);

/* Overwrites the control characters in `text`, except tabs and line ends, with question marks, so that a terminal can
 * show the text safely. */
void utf8_tame(void *text, size_t n);

/* Returns true if all n bytes are well-formed UTF-8. */
bool utf8_valid(const void *s, size_t n);

#endif
