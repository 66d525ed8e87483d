/* base64.h - bytes as text (RFC 4648 section 4, with padding)
 *
 * Errors   Decoding is strict: no spaces, no missing padding, no stray bits in the last character,
 *          so that each string of bytes has exactly one text.
 */
#ifndef UNCLIP_BASE64_H
#define UNCLIP_BASE64_H

#include <stddef.h>

/* Characters for n bytes. */
size_t base64_length(size_t n);
void base64_encode(char *out, const void *p, size_t n);

/* out has room for n / 4 * 3 bytes: 0 and how many there are, or -1. */
int base64_decode(void *out, size_t *len, const char *s, size_t n);

#endif
