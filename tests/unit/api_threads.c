/* threads */
/* Handles of libunclip in several threads, and the signals of the program that uses it. */
#include <pthread.h>
#include <signal.h>

#include "api/unclip.h"
#include "tests/tap.h"

enum { E = 256, THREADS = 3 };

static void *own_handle(void *out) {
    const char *text = "a red heart", *file[] = {"examples/emoji/demo/fish.png", "examples/emoji/demo/sun.png", "nothing.png"};
    struct unclip *u = unclip_new();
    float *v = out;

    if (unclip_open(u, "examples/emoji") < 0 || unclip_set(u, "threads", "2") < 0 || unclip_embed_texts(u, 1, &text, v) < 0 ||
        unclip_embed_files(u, 3, file, v + E) == 0 || !isnan(v[3 * E]))
        printf("# %s\n", unclip_error(u)), v[0] = NAN;
    unclip_free(u);
    return NULL;
}

int main(void) {
    static float v[THREADS + 1][4 * E];
    sigset_t before, after;
    struct sigaction had[32], has;
    pthread_t t[THREADS];
    int same = 1;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &had[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, own_handle, v[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    own_handle(v[THREADS]);
    for (int i = 0; i < THREADS; i++)
        ok(isfinite(v[i][0]) && !memcmp(v[i], v[THREADS], 3 * E * sizeof **v), "handle %d of %d, each in its thread", i + 1, THREADS);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++)
        same &= sigismember(&before, i) == sigismember(&after, i);
    ok(same, "the mask of signals is as it was");
    for (int i = 1; i < 32; i++)
        same &= sigaction(i, NULL, &has) == 0 && has.sa_handler == had[i].sa_handler;
    ok(same, "no handler of a signal was set");
    return done();
}
