/* Noise: the reference vectors of Philox; our log, sin and cos against those of libm; moments; values that do not
 * depend on the number drawn; and the PyTorch CPU generator against torch 2.13. */
#include "lib/diffusion/noise.h"

#include "lib/diffusion/torch_rng.h"
#include "tests/tap.h"

static void philox(void) {
    /* kat_vectors of Random123 for philox4x32, 10 rounds */
    uint32_t a[4] = {0, 0, 0, 0}, b[4] = {~0u, ~0u, ~0u, ~0u};
    uint32_t c[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};

    philox4x32(a, 0, 0);
    ok(a[0] == 0x6627e8d5 && a[1] == 0xe169c58d && a[2] == 0xbc57ac4c && a[3] == 0x9b00dbd8, "zeros");
    philox4x32(b, ~0u, ~0u);
    ok(b[0] == 0x408f276d && b[1] == 0x41c83b0e && b[2] == 0xa20bc7c6 && b[3] == 0x6d5451fd, "ones");
    philox4x32(c, 0xa4093822, 0x299f31d0);
    ok(c[0] == 0xd16cfe09 && c[1] == 0x94fdcceb && c[2] == 0x5001e420 && c[3] == 0x24126ea1, "digits of pi");
}

static void functions(void) {
    double worst_log = 0, worst_sin = 0, s, c, s2, c2;

    for (uint32_t i = 0; i < 2000000; i++) {
        uint32_t w = i * 2147u + (i >> 3);
        double x = ((double)w + 0.5) * 0x1p-32, a = (double)w * 0x1p-32 * 6.283185307179586477;
        worst_log = fmax(worst_log, fabs(noise_log(x) - log(x)) / fmax(1e-30, fabs(log(x))));
        noise_sincos(w, &s, &c);
        worst_sin = fmax(worst_sin, fmax(fabs(s - sin(a)), fabs(c - cos(a))));
    }
    ok(worst_log < 5e-16, "log is libm's");
    printf("# log: largest relative difference %.2g (allowed 5e-16)\n", worst_log);
    ok(worst_sin < 2e-15, "sin and cos are libm's, whose argument is rounded");
    printf("# sin, cos: largest difference %.2g (allowed 2e-15)\n", worst_sin);
    noise_sincos(0, &s, &c);
    noise_sincos(0x40000000, &s2, &c2);
    ok(s == 0 && c == 1 && s2 == 1 && c2 == 0, "quarter turns are exact");
}

static void draws(void) {
    static float a[100003], b[100003];
    struct noise_key k = {.seed = 1, .id = 0x0123456789abcdef, .stage = NOISE_DECODER, .step = 3, .sample = 2};
    double sum = 0, sq = 0, cu = 0, fo = 0, cross = 0;
    size_t n = sizeof a / sizeof *a;

    noise_fill(&k, a, n);
    noise_fill(&k, b, 7);
    ok(!memcmp(a, b, 7 * sizeof *a), "a value does not depend on how many are drawn");
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i];
        sum += x, sq += x * x, cu += x * x * x, fo += x * x * x * x;
    }
    printf("# n %zu: mean %.4f, variance %.4f, skewness %.4f, kurtosis %.4f\n", n, sum / (double)n,
           sq / (double)n, cu / (double)n, fo / (double)n);
    ok(fabs(sum / (double)n) < 0.013 && fabs(sq / (double)n - 1) < 0.018 && fabs(cu / (double)n) < 0.04 &&
       fabs(fo / (double)n - 3) < 0.13, "moments of N(0, 1) within four standard errors");
    k.step = 4;
    noise_fill(&k, b, n);
    for (size_t i = 0; i < n; i++)
        cross += (double)a[i] * (double)b[i];
    ok(fabs(cross / (double)n) < 0.013, "another step is other noise");
    k.step = 3, k.sample = 3;
    noise_fill(&k, b, 8);
    ok(memcmp(a, b, 32) != 0, "another sample too");
    k.sample = 2, k.stage = NOISE_PRIOR;
    noise_fill(&k, b, 8);
    ok(memcmp(a, b, 32) != 0, "another stage too");
    k = (struct noise_key){.seed = 0, .id = 0};
    noise_fill(&k, b, 4);
    printf("# seed 0, id hash 0, stage 0, step 0, sample 0: %.9g %.9g %.9g %.9g\n", (double)b[0], (double)b[1],
           (double)b[2], (double)b[3]);
    /* from the words 6627e8d5 e169c58d bc57ac4c 9b00dbd8 by an independent Box-Muller (Python's math) */
    const float want[4] = {0.991137683f, -0.92466259f, -0.617608964f, -0.482068598f};
    ok(!memcmp(b, want, sizeof want), "the first values are pinned, bit for bit");
}

/* torch.Generator("cpu").manual_seed(seed); randn(n), randn(3), randn(3), randn(33) */
static void torch(void) {
    static const struct {
        uint64_t seed;
        size_t n;
        float want[14];    /* first and last two of the first draw, both draws of 3, first and last two of 33 */
    } t[] = {
        {7, 16, {-0.8201345205307007f, 0.39563116431236267f, 0.23039686679840088f, 1.090165138244629f, 0.13817265629768372f, -1.6821985244750977f,
                 0.317678302526474f, 0.13280697166919708f, 0.13732409477233887f, 0.2405461221933365f, -1.3032166957855225f, 0.08747837692499161f,
                 -0.14393995702266693f, -0.812004566192627f}},
        {7, 17, {-0.8201345205307007f, -0.32456663250923157f, -1.3597689867019653f, -0.866701602935791f, -1.4157475233078003f, -0.4855290949344635f,
                 0.1736421138048172f, -1.2732713222503662f, 1.0841875076293945f, 0.15805619955062866f, -1.254785180091858f, 0.8164564967155457f,
                 -0.825334370136261f, 0.16328637301921844f}},
        {7, 768, {-0.8201345205307007f, 0.39563116431236267f, 0.6489090323448181f, 0.08307138830423355f, -1.3033866882324219f, 1.6097112894058228f,
                  0.18210366368293762f, -1.5310988426208496f, -0.9706394672393799f, 1.444976568222046f, -0.4458653926849365f, -0.34974750876426697f,
                  1.3080562353134155f, -0.0533871203660965f}},
        {7, 40, {-0.8201345205307007f, 0.39563116431236267f, 0.6326820850372314f, -0.09167716652154922f, 1.6148147583007812f, 1.9301981925964355f,
                 -0.42250147461891174f, -0.08318638056516647f, -0.9837260246276855f, -1.2493537664413452f, -1.2431896924972534f, -1.7177518606185913f,
                 0.6402726173400879f, 0.6839442849159241f}},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct torch_rng g, h;
        float a[768], b[3], c[3], d[33], got[14];

        torch_rng_seed(&g, t[i].seed);
        torch_rng_normal(&g, a, t[i].n);
        h = g;
        torch_rng_normal(&g, b, 3);
        torch_rng_normal(&g, c, 3);
        torch_rng_normal(&g, d, 33);
        memcpy(got, a, 8), memcpy(got + 2, a + t[i].n - 2, 8), memcpy(got + 4, b, 12), memcpy(got + 7, c, 12);
        memcpy(got + 10, d, 8), memcpy(got + 12, d + 31, 8);
        close_to(got, t[i].want, 14, 1e-6, 0, "torch.randn, draw after draw");
        torch_rng_seed(&g, t[i].seed);
        torch_rng_discard(&g, h.used);
        ok(torch_rng_next(&g) == torch_rng_next(&h), "%zu values: discarding what was used goes on from there", t[i].n);
    }
    struct torch_rng g;
    float a[768];
    const float zero[8] = {-1.1258398294448853f, -1.152360200881958f, -0.2505785822868347f, -0.4338788092136383f,
                           0.8487103581428528f, 0.6920091509819031f, -0.31601276993751526f, -2.1152193546295166f};
    torch_rng_seed(&g, 0);
    torch_rng_normal(&g, a, 768);
    close_to(a, zero, 8, 5e-7, 0, "seed 0");
}

int main(void) {
    philox();
    functions();
    draws();
    torch();
    return done();
}
