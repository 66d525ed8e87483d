/* random_weights.h - writes safetensors files of random numbers, for the programs make_*.c that write models
 *
 * A program lists tensors, then writes them.  The value of an element depends only on the seed, the
 * canonical name of the tensor and the element's place in the tensor.  Tensors are written one by one,
 * in pieces, so little memory is needed.
 */
#ifndef UNCLIP_RANDOM_WEIGHTS_H
#define UNCLIP_RANDOM_WEIGHTS_H

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "lib/base/tensor.h"

enum { NAME_LEN = 96 };
/* Flags of a tensor.  PRODUCT: it is f16 with the data type `mix`.  TURN: the file has it transposed.  PAIRS: its
 * elements are -mean, mean, -mean, mean ... */
enum { PRODUCT = 1, TURN = 2, PAIRS = 4 };

struct item {
    char name[NAME_LEN];     /* name in the file */
    char canon[NAME_LEN];    /* name that is the same in every layout; the numbers depend on it */
    int nd, flags;
    size_t shape[4];         /* shape in the file */
    size_t first;            /* number of the first element within the tensor `canon` */
    double mean, std;        /* std < 0: all elements are the mean */
};

static struct item items[4096];
static size_t nitem;
static uint64_t seed = 1;
static const char *dtype_opt = "f32", *program = "make_model";

static inline _Noreturn void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s: %s\n", program, what, why);
    exit(2);
}

/* ---- the list ---- */

static inline struct item *add(const char *name, double mean, double std, int flags, int nd, size_t a,
                               size_t b, size_t c, size_t d) {
    struct item *t = &items[nitem++];

    if (nitem == sizeof items / sizeof *items)
        fail(name, "too many tensors");
    *t = (struct item){.nd = nd, .flags = flags, .shape = {a, b, c, d}, .mean = mean, .std = std};
    snprintf(t->name, NAME_LEN, "%.95s", name);
    snprintf(t->canon, NAME_LEN, "%.95s", name);
    return t;
}

static inline const char *cat(const char *a, const char *b) {
    static char s[8][NAME_LEN];
    static int i;
    char full[NAME_LEN];

    snprintf(full, sizeof full, "%s%s", a, b);    /* a copy first, because a may be what an earlier call returned */
    i = (i + 1) % 8;
    return memcpy(s[i], full, sizeof full);
}

/* ---- numbers ---- */

static inline uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static inline uint64_t key_of(const char *name) {
    uint64_t h = mix(seed + 0x9e3779b97f4a7c15);

    for (; *name; name++)
        h = mix(h ^ (unsigned char)*name);
    return h;
}

/* Returns element i of a tensor.  Its distribution is nearly normal: a sum of four uniform integers, which is exact. */
static inline float number(const struct item *t, uint64_t key, size_t i) {
    uint64_t r = mix(key + i * 0x9e3779b97f4a7c15);
    int64_t sum = (int64_t)((r & 0xffff) + (r >> 16 & 0xffff) + (r >> 32 & 0xffff) + (r >> 48)) - 2 * 0xffff;

    if (t->flags & PAIRS)
        return (float)(i % 2 ? t->mean : -t->mean);
    return t->std < 0 ? (float)t->mean : (float)(t->mean + t->std * (double)sum * (1.7320508 / 65536));
}

static inline int is_f16(const struct item *t) {
    return !strcmp(dtype_opt, "f16") || (!strcmp(dtype_opt, "mix") && t->flags & PRODUCT);
}

static inline size_t count(const struct item *t) {
    size_t n = 1;

    for (int i = 0; i < t->nd; i++)
        n *= t->shape[i];
    return n;
}

static inline size_t size_of(const struct item *t) {
    return count(t) * (is_f16(t) ? 2 : 4);
}

static inline void out(FILE *f, const void *p, size_t n) {
    if (n && fwrite(p, 1, n, f) != n)
        fail("writing", strerror(errno));
}

/* Writes all numbers of a tensor.  Returns the CRC-32 of their bytes. */
static inline uint32_t write_numbers(FILE *f, const struct item *t) {
    enum { RUN = 8192 };
    static float x[RUN];
    static unsigned short h[RUN];
    uint64_t key = key_of(t->canon);
    size_t n = count(t), k = 0;
    uLong crc = crc32(0, NULL, 0);

    for (size_t i = 0; i < n; i++) {
        size_t at = t->flags & TURN ? i % t->shape[1] * t->shape[0] + i / t->shape[1] : i;
        float v = number(t, key, t->first + at);

        x[k] = v;
        h[k++] = f32_f16(v);
        if (k == RUN || i + 1 == n) {
            const void *p = is_f16(t) ? (const void *)h : (const void *)x;
            size_t bytes = k * (is_f16(t) ? 2 : 4);

            out(f, p, bytes);
            crc = crc32(crc, p, (uInt)bytes);
            k = 0;
        }
    }
    return (uint32_t)crc;
}

/* ---- safetensors ---- */

static inline FILE *create(const char *dir, const char *name) {
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (!f)
        fail(path, strerror(errno));
    return f;
}

static inline void finish(FILE *f) {
    if (fclose(f) != 0)
        fail("writing", strerror(errno));
}

/* Returns whether the tensor's name begins with `prefix` or is `also`. */
static inline int chosen(const struct item *t, const char *prefix, const char *also) {
    return !strncmp(t->name, prefix, strlen(prefix)) || !strcmp(t->name, also);
}

static inline void safetensors(const char *dir, const char *name, const char *prefix, const char *also) {
    FILE *f = create(dir, name);
    char *head = malloc(nitem * 300 + 64), *p = head;
    unsigned char len[8];
    size_t at = 0, n;

    if (!head)
        fail(name, "out of memory");
    p += sprintf(p, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < nitem; i++) {
        const struct item *t = &items[i];

        if (!chosen(t, prefix, also))
            continue;
        p += sprintf(p, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, is_f16(t) ? "F16" : "F32");
        for (int d = 0; d < t->nd; d++)
            p += sprintf(p, "%s%zu", d ? "," : "", t->shape[d]);
        p += sprintf(p, "],\"data_offsets\":[%zu,%zu]}", at, at + size_of(t));
        at += size_of(t);
    }
    *p++ = '}';
    while ((p - head) % 8)
        *p++ = ' ';
    n = (size_t)(p - head);
    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)((uint64_t)n >> (8 * i));
    out(f, len, 8);
    out(f, head, n);
    for (size_t i = 0; i < nitem; i++)
        if (chosen(&items[i], prefix, also))
            write_numbers(f, &items[i]);
    finish(f);
    free(head);
}

static inline const char *sub(const char *dir, const char *name) {
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        fail(path, strerror(errno));
    return path;
}

#endif
