#include "lib/diffusion/noise.h"

#include <math.h>
#include <string.h>

void philox4x32(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * c[0], b = (uint64_t)0xCD9E8D57 * c[2];
        uint32_t c1 = c[1], c3 = c[3];

        c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9;    /* Weyl sequences of the golden ratio and of sqrt(3) - 1 */
        k1 += 0xBB67AE85;
    }
}

/* Splits x into 2^e m with m in [sqrt 1/2, sqrt 2) and returns e ln 2 + ln m.  ln m is 2 atanh s with
 * s = (m - 1) / (m + 1); |s| < 0.1716, so the remainder after eleven terms of the series is below 2^-60. */
double noise_log(double x) {
    static const double ln2_hi = 0x1.62e42fee00000p-1, ln2_lo = 0x1.a39ef35793c76p-33;
    uint64_t u;
    int e;
    double m, s, z, p;

    memcpy(&u, &x, sizeof u);
    e = (int)(u >> 52) - 1023;
    u = (u & 0xfffffffffffff) | (uint64_t)1023 << 52;
    memcpy(&m, &u, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e++;
    }
    s = (m - 1) / (m + 1);
    z = s * s;
    p = 1.0 / 23;
    for (int i = 21; i >= 3; i -= 2)
        p = p * z + 1.0 / i;
    return e * ln2_hi + (2 * s + (2 * s * z * p + e * ln2_lo));
}

/* w counts the circle in 2^32 steps.  The top three bits give the octant, exactly.  The rest is an
 * angle of at most pi/4, where Taylor's series in double reach 2^-53 with eight terms. */
void noise_sincos(uint32_t w, double *s, double *c) {
    static const double pi = 3.14159265358979323846;
    uint32_t octant = w >> 29, rest = w & 0x1fffffff;
    double f = octant & 1 ? (double)(0x20000000 - rest) : (double)rest;
    double a = f * 0x1p-31 * pi, z = a * a, x, y;

    x = 1.0 / 355687428096000.0;                          /* 1 / 17! */
    x = x * z - 1.0 / 1307674368000.0;
    x = x * z + 1.0 / 6227020800.0;
    x = x * z - 1.0 / 39916800.0;
    x = x * z + 1.0 / 362880.0;
    x = x * z - 1.0 / 5040.0;
    x = x * z + 1.0 / 120.0;
    x = x * z - 1.0 / 6.0;
    x = a + a * z * x;
    y = 1.0 / 20922789888000.0;                           /* 1 / 16! */
    y = y * z - 1.0 / 87178291200.0;
    y = y * z + 1.0 / 479001600.0;
    y = y * z - 1.0 / 3628800.0;
    y = y * z + 1.0 / 40320.0;
    y = y * z - 1.0 / 720.0;
    y = y * z + 1.0 / 24.0;
    y = y * z - 0.5;
    y = 1 + y * z;
    /* (sin, cos) by octant: 0 (x, y), 1 (y, x), 2 (y, -x), 3 (x, -y); 4 to 7 are these with both signs changed */
    switch (octant & 3) {
    case 0: *s = x, *c = y; break;
    case 1: *s = y, *c = x; break;
    case 2: *s = y, *c = -x; break;
    default: *s = x, *c = -y; break;
    }
    if (octant & 4)
        *s = -*s, *c = -*c;
}

static void pair(uint32_t w0, uint32_t w1, float *out) {
    double r = sqrt(-2 * noise_log(((double)w0 + 0.5) * 0x1p-32)), s, c;

    noise_sincos(w1, &s, &c);
    out[0] = (float)(r * c);
    out[1] = (float)(r * s);
}

void noise_words(const struct noise_key *k, uint32_t block, uint32_t w[4]) {
    uint64_t at = (uint64_t)k->stage << 60 | (uint64_t)k->step << 48 | (uint64_t)k->sample << 28 | block;

    w[0] = (uint32_t)k->id, w[1] = (uint32_t)(k->id >> 32), w[2] = (uint32_t)at, w[3] = (uint32_t)(at >> 32);
    philox4x32(w, (uint32_t)k->seed, (uint32_t)(k->seed >> 32));
}

void noise_fill(const struct noise_key *k, float *out, size_t n) {
    for (size_t b = 0; 4 * b < n; b++) {
        uint32_t w[4];
        float v[4];

        noise_words(k, (uint32_t)b, w);
        pair(w[0], w[1], v);
        pair(w[2], w[3], v + 2);
        memcpy(out + 4 * b, v, (n - 4 * b < 4 ? n - 4 * b : 4) * sizeof *v);
    }
}

void noise_philox(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    struct noise_key k = *(const struct noise_key *)ctx;

    k.step = step;
    for (size_t i = 0; i < n; i++, k.sample = noise_sample(&k, 1))
        noise_fill(&k, out + i * each, each);
}
