#include "formats/io/base64.h"

#include <stdint.h>
#include <string.h>

static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_length(size_t n) {
    return (n + 2) / 3 * 4;
}

void base64_encode(char *out, const void *p, size_t n) {
    const unsigned char *s = p;
    uint32_t w;

    for (; n >= 3; s += 3, n -= 3) {
        w = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
        *out++ = digit[w >> 18];
        *out++ = digit[w >> 12 & 63];
        *out++ = digit[w >> 6 & 63];
        *out++ = digit[w & 63];
    }
    if (!n)
        return;
    w = (uint32_t)s[0] << 16 | (n > 1 ? (uint32_t)s[1] << 8 : 0);
    *out++ = digit[w >> 18];
    *out++ = digit[w >> 12 & 63];
    *out++ = n > 1 ? digit[w >> 6 & 63] : '=';
    *out = '=';
}

/* Returns the value of a base64 digit, 0 to 63, or 64 if c is not a base64 digit. */
static uint32_t value(char c) {
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int base64_decode(void *out, size_t *len, const char *s, size_t n) {
    unsigned char *to = out;
    size_t pad = n && s[n - 1] == '=' ? (n > 1 && s[n - 2] == '=' ? 2 : 1) : 0;
    uint32_t w = 0, v, bad = 0;

    if (n % 4)
        return -1;
    *len = n / 4 * 3 - pad;
    for (size_t i = 0; i < n; i++) {
        v = i >= n - pad ? 0 : value(s[i]);
        bad |= v & 64;
        w = w << 6 | (v & 63);
        if (i % 4 != 3)
            continue;
        for (size_t j = 0; j < 3; j++) {
            if ((size_t)(to - (unsigned char *)out) < *len)
                *to++ = (unsigned char)(w >> (16 - 8 * j));
            else
                bad |= w >> (16 - 8 * j) & 255;
        }
        w = 0;
    }
    return bad ? -1 : 0;
}
