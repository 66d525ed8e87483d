/* unclip-read - print one vector of each record as text: the id, then its numbers, separated by tabs
 *
 * A reader of unclip(5) that uses no library:
 *      cc -o unclip-read unclip-read.c -lm && ./unclip-read image_embed <photos.clip
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    char kind;     /* 'm' map, 'a' array, 's' str, 'b' bin, 'x' ext, '1' number, bool or nil */
    uint64_t n;    /* pairs, elements, bytes; the bits of a number */
};

static unsigned char data[1 << 20];    /* the largest vector that is printed */

static void fail(const char *why) {
    fprintf(stderr, "unclip-read: %s\n", why);
    exit(1);
}

/* Read a number of n bytes, which is big-endian in MessagePack. */
static uint64_t number(int n) {
    uint64_t v = 0;

    for (int c; n > 0; n--, v = v << 8 | (unsigned)c)
        if ((c = getchar()) == EOF)
            fail("the stream ends inside a record");
    return v;
}

static struct item head(void) {
    unsigned c = (unsigned)number(1);

    if (c < 0x80 || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3)
        return (struct item){'1', c};
    if (c < 0xc0)
        return (struct item){c < 0x90 ? 'm' : c < 0xa0 ? 'a' : 's', c < 0xa0 ? c & 15 : c & 31};
    switch (c) {
    case 0xc4: case 0xc5: case 0xc6: return (struct item){'b', number(1 << (c - 0xc4))};
    case 0xc7: case 0xc8: case 0xc9: return (struct item){'x', number(1 << (c - 0xc7)) + 1};
    case 0xca: case 0xcb: return (struct item){'1', number(c == 0xca ? 4 : 8)};
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return (struct item){'x', (1u << (c - 0xd4)) + 1};
    case 0xd9: case 0xda: case 0xdb: return (struct item){'s', number(1 << (c - 0xd9))};
    case 0xdc: case 0xdd: return (struct item){'a', number(c == 0xdc ? 2 : 4)};
    case 0xde: case 0xdf: return (struct item){'m', number(c == 0xde ? 2 : 4)};
    case 0xc1: fail("not MessagePack");
    }
    return (struct item){'1', number(1 << (c & 3))};    /* cc to d3: uint and int of 1 to 8 bytes */
}

static void skip(int depth) {
    struct item it = head();

    if (depth > 32)
        fail("nested too deeply");
    for (uint64_t i = 0; it.kind != '1' && i < (it.kind == 'm' ? 2 * it.n : it.n); i++)
        it.kind == 'm' || it.kind == 'a' ? skip(depth + 1) : (void)number(1);
}

/* Read a str or bin into s and add a NUL.  Returns its number of bytes, which is less than room. */
static size_t text(void *s, size_t room) {
    struct item it = head();

    if ((it.kind != 's' && it.kind != 'b') || it.n >= room || fread(s, 1, it.n, stdin) != it.n)
        fail("no string, or a very long one, where a string should be");
    ((char *)s)[it.n] = 0;
    return it.n;
}

/* Read and print a tensor: {"nd": true, "type": "<f4", "kind": "", "shape": [..], "data": bytes}. */
static void print_tensor(void) {
    char key[64], type[64] = "";
    struct item map = head();
    size_t bytes = 0;

    for (uint64_t i = 0; map.kind == 'm' && i < map.n; i++) {
        text(key, sizeof key);
        if (!strcmp(key, "type"))
            text(type, sizeof type);
        else if (!strcmp(key, "data"))
            bytes = text(data, sizeof data);
        else
            skip(0);
    }
    for (unsigned char *p = data; !strcmp(type, "<f4") && p + 4 <= data + bytes; p += 4) {
        union { uint32_t u; float f; } v = {p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24};
        printf("\t%.9g", v.f);
    }
    for (unsigned char *p = data; !strcmp(type, "<f2") && p + 2 <= data + bytes; p += 2) {
        int e = p[1] >> 2 & 31, m = (p[1] & 3) << 8 | p[0];
        printf("\t%.9g", ldexp(e ? m + 1024 : m, (e ? e : 1) - 25) * (p[1] >> 7 ? -1 : 1));
    }
}

int main(int argc, char *argv[]) {
    static const unsigned char start[12] = "\x83\xa6unclip\x01\xa2id";
    char id[4096], key[4096];

    if (argc != 2)
        fail("usage: unclip-read FIELD <stream");
    for (int c; (c = getchar()) != EOF; putchar('\n')) {
        for (int i = 0; i < 12; i++, c = i < 12 ? (int)number(1) : 0)
            if (c != start[i])
                fail("not a stream of unclip records, version 1");
        fwrite(id, 1, text(id, sizeof id), stdout);
        text(key, sizeof key);    /* "data" */
        struct item map = head();
        for (uint64_t i = 0; map.kind == 'm' && i < map.n; i++) {
            text(key, sizeof key);
            strcmp(key, argv[1]) == 0 ? print_tensor() : skip(0);
        }
    }
    return 0;
}
