#include "lib/base/utf8.h"

#include <string.h>

int utf8_get(const unsigned char *p, size_t n, uint32_t *c) {
    unsigned lo = 0x80, hi = 0xbf, b = p[0];
    int len, i;

    if (b < 0x80) {
        *c = b;
        return 1;
    }
    if (b < 0xc2 || b > 0xf4)
        return -1;
    len = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    /* the second byte excludes overlong forms, surrogates and code points above U+10FFFF */
    if (b == 0xe0)
        lo = 0xa0;
    else if (b == 0xed)
        hi = 0x9f;
    else if (b == 0xf0)
        lo = 0x90;
    else if (b == 0xf4)
        hi = 0x8f;
    *c = b & (0x7fu >> len);
    for (i = 1; i < len; i++, lo = 0x80, hi = 0xbf) {
        if ((size_t)i >= n || p[i] < lo || p[i] > hi)
            return -i;
        *c = *c << 6 | (p[i] & 0x3fu);
    }
    return len;
}

int utf8_put(uint32_t c, unsigned char *p) {
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (unsigned char)(0xc0 | c >> 6);
        p[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (unsigned char)(0xe0 | c >> 12);
        p[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        p[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | c >> 18);
    p[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    p[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    p[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}

bool utf8_valid(const void *s, size_t n) {
    const unsigned char *p = s;
    uint32_t c;
    int step;

    for (size_t i = 0; i < n; i += (size_t)step) {
        step = p[i] < 0x80 ? 1 : utf8_get(p + i, n - i, &c);
        if (step < 0)
            return false;
    }
    return true;
}

size_t utf8_control(const unsigned char *p, size_t n) {
    if (p[0] < 0x20 || p[0] == 0x7f)
        return 1;
    return n > 1 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

void utf8_tame(void *text, size_t n) {
    unsigned char *p = text;

    for (size_t i = 0, k; i < n; i += k + !k) {
        k = utf8_control(p + i, n - i);
        if (k == 2 || (k == 1 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r'))
            memset(p + i, '?', k);
    }
}
