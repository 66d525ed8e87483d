/* base64.h - bytes as text (RFC 4648 section 4, with padding)
 *
 * Errors   base64_decode refuses spaces, missing padding and stray bits in the last character.  So each string of
 *          bytes has exactly one text.
 */
#ifndef UNCLIP_BASE64_H
#define UNCLIP_BASE64_H

#include <stddef.h>

/* The number of characters for n bytes. */
size_t base64_length(size_t n);
void base64_encode(char *out, const void *p, size_t n);

/* out has room for n / 4 * 3 bytes.  Returns 0 with the number of bytes in *len, or -1. */
int base64_decode(void *out, size_t *len, const char *s, size_t n);

#endif
