/* base64.h - bytes as text (RFC 4648 section 4, with padding)
 *
 * Errors   base64_decode refuses spaces, missing padding and stray bits in the last character.  So each string of
 *          bytes has exactly one text.
 */
#ifndef UNCLIP_BASE64_H
#define UNCLIP_BASE64_H

#include <stddef.h>

/* Returns the number of base64 characters, padding included, that n bytes take. */
size_t base64_length(size_t n);

/* Writes base64_length(n) characters into out, without a NUL. */
void base64_encode(char *out, const void *p, size_t n);

/* Decodes n characters into out, which must have room for n / 4 * 3 bytes.  Returns 0 with the number of bytes in *len,
 * or -1 if the text is not valid. */
int base64_decode(void *out, size_t *len, const char *s, size_t n);

#endif
