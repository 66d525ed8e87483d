/* tap.h - the smallest harness that prove(1) understands
 *
 *      ok(cond, "what is claimed")            prints one line of TAP
 *      close_to(got, want, n, abs, rel, ...)  compares n floats, and prints the largest difference
 *      skip("why")                            prints a test that counts as skipped, never as passed
 *      return done();                         prints the plan and returns the exit status
 */
#ifndef UNCLIP_TAP_H
#define UNCLIP_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n, tap_bad;

__attribute__((format(printf, 2, 3), unused))
static int ok(int cond, const char *fmt, ...) {
    va_list ap;

    printf("%sok %d - ", cond ? "" : "not ", ++tap_n);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    tap_bad += !cond;
    return cond;
}

__attribute__((unused))
static void skip(const char *why) {
    printf("ok %d # SKIP %s\n", ++tap_n, why);
}

/* Tests that |got - want| <= abs + rel * max|want| for all n elements; NaN never passes.  Prints the largest
 * difference. */
__attribute__((unused))
static int close_to(const float *got, const float *want, size_t n, double abs_, double rel,
                    const char *what) {
    double worst = 0, top = 0;
    size_t at = 0, i;

    for (i = 0; i < n; i++)
        top = fmax(top, fabs((double)want[i]));
    for (i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= worst))
            worst = d, at = i;
    }
    ok(worst <= abs_ + rel * top, "%s", what);
    printf("# %s: largest difference %.3g at %zu of %zu, %.3g of the largest value (allowed %.3g)\n",
           what, worst, at, n, top > 0 ? worst / top : 0, abs_ + rel * top);
    return worst <= abs_ + rel * top;
}

__attribute__((unused))
static int done(void) {
    printf("1..%d\n", tap_n);
    return tap_bad != 0;
}

/* Returns memory that the leak detector finds to be in use, even if the compiler optimised main's pointer away. */
__attribute__((unused))
static void *tap_region(size_t n) {
    static void *kept[64];
    static size_t at;

    return kept[at++ % 64] = malloc(n);
}

/* Declares an arena of `mib` MiB filled with 0xff, so floats that are read before they are written are NaN. */
#define TAP_ARENA(name, mib)                                                            \
    struct arena_mem name##_mem = {.base = tap_region((size_t)(mib) << 20), .reserved = (size_t)(mib) << 20}; \
    struct arena name = (memset(name##_mem.base, 0xff, name##_mem.reserved), arena_open(&name##_mem))

#endif
