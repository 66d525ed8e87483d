/* sha256.h - SHA-256 of bytes in memory
 *
 * Source   FIPS 180-4.  tests/unit/sha256.c tests the code on the standard's vectors.
 */
#ifndef UNCLIP_SHA256_H
#define UNCLIP_SHA256_H

#include <stddef.h>

/* Writes the SHA-256 of the n bytes at p into hex, as 64 hexadecimal digits and a NUL. */
void sha256_hex(const unsigned char *p, size_t n, char hex[65]);

#endif
