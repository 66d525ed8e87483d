#include "lib/diffusion/spacing.h"

#include <math.h>
#include <string.h>

enum { SECTIONS = 1000 };

/* Reads a number from 1 to `most` at *s and moves *s past it.  Returns 0 if *s does not begin
 * with such a number. */
static size_t number(const char **s, size_t most) {
    size_t v = 0;

    for (; **s >= '0' && **s <= '9'; ++*s)
        v = v > most ? v : 10 * v + (size_t)(**s - '0');
    return v > most ? 0 : v;
}

static void turn(int *t, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        int low = t[i];

        t[i] = t[n - 1 - i];
        t[n - 1 - i] = low;
    }
}

static int ddim(const char *spec, size_t train, int *t, size_t *n, struct err *e) {
    const char *s = spec + 4;
    size_t wanted = number(&s, train);

    if (!wanted || *s)
        return err_set(e, "%.60s: ddim with a number of steps from 1 to %zu is wanted", spec, train);
    for (size_t stride = 1; stride < train; stride++) {
        if ((train + stride - 1) / stride != wanted)
            continue;
        for (*n = 0; *n < wanted; ++*n)
            t[*n] = (int)(*n * stride);
        turn(t, *n);
        return 0;
    }
    return err_set(e, "%.60s: no stride through %zu timesteps gives %zu steps", spec, train, wanted);
}

static int sections(const char *spec, const char *shown, size_t train, int *t, size_t *n, struct err *e) {
    size_t count[SECTIONS], k = 0, start = 0;

    for (const char *s = spec;; s++) {
        if (k == SECTIONS || !(count[k++] = number(&s, train)) || (*s && *s != ','))
            return err_set(e, "%.60s: \"N\", \"N,N,...\", \"ddimN\" or \"fast27\" is wanted, with N from 1 to %zu", shown, train);
        if (!*s)
            break;
    }
    *n = 0;
    for (size_t i = 0; i < k; i++) {
        size_t size = train / k + (i < train % k);
        double stride = count[i] > 1 ? (double)(size - 1) / (double)(count[i] - 1) : 1, at = 0;

        if (size < count[i])
            return err_set(e, "%.60s: %zu steps in a section of %zu timesteps", shown, count[i], size);
        for (size_t j = 0; j < count[i]; j++, at += stride)
            t[(*n)++] = (int)start + (int)nearbyint(at);
        start += size;
    }
    turn(t, *n);
    return 0;
}

int spacing_timesteps(const char *spec, size_t train, int *t, size_t *n, struct err *e) {
    if (!strncmp(spec, "ddim", 4))
        return ddim(spec, train, t, n, e);
    if (strcmp(spec, "fast27") != 0)
        return sections(spec, spec, train, t, n, e);
    if (sections("10,10,3,2,2", spec, train, t, n, e) < 0)
        return -1;
    t[0] -= 2;    /* the noisiest timesteps harm DDIM */
    return 0;
}
