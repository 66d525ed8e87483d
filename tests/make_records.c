/* make_records - writes a stream of made-up vectors, for tests and measurements
 *
 * usage: make_records [-n RECORDS] [-d WIDTH] [-t f32|f16] [-g GROUP] [-l LEVELS] [-s SEED]
 *                     [-f FIELD] [-m MODEL] [-z INDEX] [-p PREFIX] [-i PIXELS] [-e PART] [-x FACTOR]
 *
 * The records "r0", "r1", ... (-p sets another prefix) have an image_embed (-f sets another field), as
 * clip-embed writes them.  With -g, GROUP records share a root and have its text_embed.  With -l,
 * elements are whole numbers with LEVELS different values, so equal cosines occur.  With -z, the vector of record
 * INDEX is all zeros.  With -i, each record has an image of PIXELS bytes.  With -e, a vector is one
 * that all records share, plus PART times the record's own.  With -x, elements are multiplied by
 * FACTOR.  Equal options give equal bytes on every machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/record/record.h"

struct options {
    unsigned long n, d, group, levels, seed, zero, pixels;
    float part, factor;
    bool half;
    const char *field, *model, *prefix;
};

static uint64_t mix(uint64_t x) {    /* splitmix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void fill(float *v, const struct options *o, uint64_t stream, uint64_t i) {
    uint64_t x = mix(mix(o->seed) + (stream << 40 ^ i));

    for (size_t j = 0; j < o->d; j++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        v[j] = o->levels ? (float)(x >> 20 & 0xffffff) * 0x1p-24f * (float)o->levels
                         : (float)(x >> 40) * 0x1p-23f - 1;
        if (o->levels)
            v[j] = (float)(int)v[j] + (j == 0);
        v[j] *= o->factor;
    }
}

static int make(const struct options *o, unsigned long i, float *v, float *w, struct arena a,
                struct span *out, struct err *e) {
    enum dtype dt = o->half ? DT_F16 : DT_F32;
    struct record r;
    struct mp m;
    char name[64];
    struct span id = {(unsigned char *)name, 0};
    struct span model = {(const unsigned char *)o->model, strlen(o->model)};
    size_t d = o->d;
    static unsigned char pixels[1 << 20];

    id.n = (size_t)snprintf(name, sizeof name, "%.40s%lu", o->prefix, i);
    if (record_new(&r, id, !utf8_valid(id.p, id.n), &a, e) < 0)
        return -1;
    if (o->group) {
        char root[32];
        int n = snprintf(root, sizeof root, "p%lu", i / o->group);

        fill(v, o, 1, i / o->group);
        if (record_set_text(&r, "root", span_bytes(root, (size_t)n), e) < 0 ||
            record_set_tensor(&r, "text_embed", dt, v, 1, &d, e) < 0)
            return -1;
    }
    fill(v, o, 0, i);
    if (o->part > 0) {
        fill(w, o, 2, 0);
        for (size_t j = 0; j < d; j++)
            v[j] = w[j] + o->part * v[j];
    }
    if (i == o->zero)
        memset(v, 0, d * sizeof *v);
    if (o->pixels &&
        record_set_tensor(&r, "image", DT_U8, pixels, 1, &(size_t){o->pixels}, e) < 0)
        return -1;
    mp_open(&m, &a);
    mp_map(&m, 2);
    mp_cstr(&m, "precision"), mp_cstr(&m, "f32");
    mp_cstr(&m, "version"), mp_cstr(&m, "0.1");
    if (record_set_tensor(&r, o->field, dt, v, 1, &d, e) < 0 ||
        record_set_sub_text(&r, "model", o->field, model, e) < 0 ||
        record_add_params(&r, "clip-embed", mp_span(&m), e) < 0)
        return -1;
    return record_encode(&r, out, &a, e);
}

int main(int argc, char *argv[]) {
    struct options o = {1000, 768, 0, 0, 0, -1ul, 0, 0, 1, false, "image_embed", "00112233445566aa", "r"};
    struct arena_mem mem;
    struct arena a;
    struct err e = {0};
    float *v, *w;
    int c;

    while ((c = getopt(argc, argv, "n:d:t:g:l:s:f:m:z:p:i:e:x:")) != -1)
        switch (c) {
        case 'n': o.n = strtoul(optarg, NULL, 10); break;
        case 'd': o.d = strtoul(optarg, NULL, 10); break;
        case 't': o.half = !strcmp(optarg, "f16"); break;
        case 'g': o.group = strtoul(optarg, NULL, 10); break;
        case 'l': o.levels = strtoul(optarg, NULL, 10); break;
        case 's': o.seed = strtoul(optarg, NULL, 10); break;
        case 'f': o.field = optarg; break;
        case 'm': o.model = optarg; break;
        case 'p': o.prefix = optarg; break;
        case 'z': o.zero = strtoul(optarg, NULL, 10); break;
        case 'i': o.pixels = strtoul(optarg, NULL, 10); break;
        case 'e': o.part = strtof(optarg, NULL); break;
        case 'x': o.factor = strtof(optarg, NULL); break;
        default: return 2;
        }
    if (o.pixels > 1 << 20)
        return 2;
    mem = (struct arena_mem){.base = malloc(o.d * 64 + (4 << 20)), .reserved = o.d * 64 + (4 << 20)};
    a = arena_open(&mem);
    if (!mem.base || !(v = arena_take(&a, o.d, sizeof *v)) || !(w = arena_take(&a, o.d, sizeof *w)))
        return 2;
    for (unsigned long i = 0; i < o.n; i++) {
        struct span s;

        if (make(&o, i, v, w, a, &s, &e) < 0) {
            fprintf(stderr, "make_records: %s\n", e.msg);
            return 2;
        }
        fwrite(s.p, 1, s.n, stdout);
    }
    free(mem.base);
    return fflush(stdout) || ferror(stdout) ? 2 : 0;
}
