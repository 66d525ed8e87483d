/* utf8.h - code points in and out of UTF-8
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

/* *c: the code point at p, of which n > 0 bytes may be read.  Returns its length 1..4, or -1..-3 when it
 * is ill-formed. */
int utf8_get(const unsigned char *p, size_t n, uint32_t *c);

/* Write c, which must be a scalar value, to p, which has room for 4 bytes.  Returns its length. */
int utf8_put(uint32_t c, unsigned char *p);

/* Is the character at p, of which n > 0 bytes may be read, a control that a terminal may take for an order?  Its length:
 * 1 for C0 and DEL, 2 for C1; else 0. */
size_t utf8_control(const unsigned char *p, size_t n);

/* Text on its way to a terminal: controls that are not a tab or a line's end become question marks. */
void utf8_tame(void *text, size_t n);

/* Are all n bytes well-formed? */
bool utf8_valid(const void *s, size_t n);

#endif
