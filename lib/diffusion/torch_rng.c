#include "lib/diffusion/torch_rng.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

void torch_rng_seed(struct torch_rng *g, uint64_t seed) {
    g->mt[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < 624; i++)
        g->mt[i] = 1812433253u * (g->mt[i - 1] ^ (g->mt[i - 1] >> 30)) + i;
    g->at = 624;
    g->kept = false;
    g->mate = 0;
    g->used = 0;
}

static void twist(uint32_t mt[624]) {
    for (unsigned i = 0; i < 624; i++) {
        uint32_t y = (mt[i] & 0x80000000u) | (mt[(i + 1) % 624] & 0x7fffffffu);
        mt[i] = mt[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

uint32_t torch_rng_next(struct torch_rng *g) {
    uint32_t y;

    if (g->at == 624) {
        twist(g->mt);
        g->at = 0;
    }
    y = g->mt[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    g->used++;
    return y ^ y >> 18;
}

void torch_rng_discard(struct torch_rng *g, uint64_t n) {
    while (n--)
        torch_rng_next(g);
}

/* Replaces sixteen uniforms by sixteen normals, rounded to f32 where torch rounds. */
static void block(float *u) {
    for (int j = 0; j < 8; j++) {
        double u1 = 1 - (double)u[j], u2 = (double)u[j + 8];
        float r = (float)sqrt(-2 * log(u1)), a = (float)(two_pi * u2);

        u[j] = (float)((double)r * cos((double)a));
        u[j + 8] = (float)((double)r * sin((double)a));
    }
}

static void uniforms(struct torch_rng *g, float *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(torch_rng_next(g) & 0xffffff) * 0x1p-24f;
}

static double uniform53(struct torch_rng *g) {
    uint64_t hi = torch_rng_next(g), lo = torch_rng_next(g);

    return (double)((hi << 32 | lo) & (((uint64_t)1 << 53) - 1)) * 0x1p-53;
}

static float single(struct torch_rng *g) {
    double u1, u2, r;

    if (g->kept) {
        g->kept = false;
        return (float)g->mate;
    }
    u1 = uniform53(g);
    u2 = uniform53(g);
    r = sqrt(-2 * log1p(-u2));
    g->mate = r * sin(two_pi * u1);
    g->kept = true;
    return (float)(r * cos(two_pi * u1));
}

void torch_rng_normal(struct torch_rng *g, float *out, size_t n) {
    if (n < 16) {
        for (size_t i = 0; i < n; i++)
            out[i] = single(g);
        return;
    }
    uniforms(g, out, n);
    for (size_t i = 0; i + 16 <= n; i += 16)
        block(out + i);
    if (n % 16) {
        uniforms(g, out + n - 16, 16);
        block(out + n - 16);
    }
}
