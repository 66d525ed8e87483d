/* GLIDE's configs from the shapes of hostile tensors, and binding what they describe: an error has a message, and what is
 * bound has the sizes of its config.  The input is a safetensors file. */
#include <stdint.h>
#include <stdlib.h>

#include "formats/checkpoint/safetensors.h"
#include "lib/kernel/kern.h"
#include "lib/net/glide_names.h"
#include "lib/net/glide_text.h"
#include "lib/net/unet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char base[64 << 20];

static void check(int r, const struct err *e) {
    if ((r < 0) != (e->msg[0] != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct arena_mem mem = {.base = base, .reserved = sizeof base};
    struct arena a = arena_open(&mem);
    const struct compute k = {&kern_c, NULL};
    struct weights all, text, unet;
    struct glide_text_config tc;
    struct unet_config uc;
    struct glide_text t;
    struct err e = {0};
    int r;

    if (safetensors_read(&all, p, n, &a, &e) < 0)
        return 0;
    glide_file(&all);
    if (glide_divide(&all, &text, &unet, &a, &e) < 0)
        abort();
    if (text.n + unet.n != all.n)
        abort();
    r = glide_text_config_from_weights(&tc, &text, &e);
    check(r, &e);
    if (r == 0) {
        r = glide_text_bind(&t, &tc, &text, &k, &a, &e);
        check(r, &e);
    }
    err_clear(&e);
    r = unet_config_from_weights(&uc, &unet, "", &e);
    check(r, &e);
    if (r < 0)
        return 0;
    if (uc.levels < 1 || uc.levels > UNET_LEVELS || !uc.layers)
        abort();
    r = unet_bind(&uc, &unet, &k, &a, &e) ? 0 : -1;
    check(r, &e);
    return 0;
}
