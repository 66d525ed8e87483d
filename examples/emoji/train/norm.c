/* norm.c - GroupNorm, scale and shift, SiLU in one pass each way, for training on a CPU
 *
 * torch's own GroupNorm backward took a quarter of a training step.  Arrays are NHWC, bf16 as its 16 upper bits:
 *   z = a x + b,  a[n,c] = rstd w (1 + scale),  b[n,c] = (bias - mean rstd w)(1 + scale) + shift;  y = z sigmoid(z), or z
 * Built by norm.py with cc -Ofast -march=native -fopenmp.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

static inline float up(bf16 h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline bf16 down(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return (bf16)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Sum and sum of squares per channel: [n][2][c]. */
void norm_sums(const bf16 *x, float *sums, long n, long hw, long c) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        float *s = sums + 2 * i * c, *q = s + c;
        memset(s, 0, 2 * (size_t)c * sizeof *s);
        for (long p = 0; p < hw; p++) {
            const bf16 *r = x + (i * hw + p) * c;
            for (long k = 0; k < c; k++) {
                float v = up(r[k]);
                s[k] += v;
                q[k] += v * v;
            }
        }
    }
}

void norm_apply(const bf16 *restrict x, bf16 *restrict y, const float *a, const float *b, long n, long hw, long c, int act) {
#pragma omp parallel for
    for (long i = 0; i < n; i++)
        for (long p = 0; p < hw; p++) {
            const bf16 *restrict r = x + (i * hw + p) * c;
            bf16 *restrict o = y + (i * hw + p) * c;
            const float *restrict A = a + i * c, *restrict B = b + i * c;
            if (act)
                for (long k = 0; k < c; k++) {
                    float z = A[k] * up(r[k]) + B[k];
                    o[k] = down(z / (1 + expf(-z)));
                }
            else
                for (long k = 0; k < c; k++)
                    o[k] = down(A[k] * up(r[k]) + B[k]);
        }
}

/* dz into d (bf16), and per channel the sums of dz and dz x: [n][2][c]. */
void norm_back(const bf16 *restrict x, const bf16 *restrict dy, bf16 *restrict d, const float *a, const float *b, float *sums, long n, long hw, long c, int act) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        float *restrict s = sums + 2 * i * c, *restrict q = s + c;
        memset(s, 0, 2 * (size_t)c * sizeof *s);
        for (long p = 0; p < hw; p++) {
            long at = (i * hw + p) * c;
            const bf16 *restrict r = x + at, *restrict g = dy + at;
            bf16 *restrict o = d + at;
            const float *restrict A = a + i * c, *restrict B = b + i * c;
            for (long k = 0; k < c; k++) {
                float v = up(r[k]), h = up(g[k]);
                if (act) {
                    float z = A[k] * v + B[k], e = 1 / (1 + expf(-z));
                    h *= e * (1 + z * (1 - e));
                }
                s[k] += h;
                q[k] += h * v;
                o[k] = down(h);
            }
        }
    }
}

/* dx = a dz - u - v x, in place of dz. */
void norm_finish(const bf16 *restrict x, bf16 *restrict d, const float *a, const float *u, const float *v, long n, long hw, long c) {
#pragma omp parallel for
    for (long i = 0; i < n; i++)
        for (long p = 0; p < hw; p++) {
            long at = (i * hw + p) * c;
            const bf16 *restrict r = x + at;
            bf16 *restrict o = d + at;
            const float *restrict A = a + i * c, *restrict U = u + i * c, *restrict V = v + i * c;
            for (long k = 0; k < c; k++)
                o[k] = down(A[k] * up(o[k]) - U[k] - V[k] * up(r[k]));
        }
}
