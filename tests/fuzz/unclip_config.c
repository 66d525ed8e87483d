/* The first byte says which file it is. */
#include "formats/checkpoint/unclip_config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_unet(const struct unet_config *c) {
    if (c->levels < 1 || c->levels > UNET_LEVELS || !c->layers || !c->groups || !c->head || !c->in || !c->out)
        abort();
    for (size_t l = 0; l < c->levels; l++)
        if (!c->width[l] || c->width[l] > 65536)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct unet_config u, g = {.head = 64, .mid_head = 64, .groups = 32};
    struct prior_config q = {0};
    struct ar_prior_config a = {0};
    struct sched_config s;
    struct err e = {0};
    size_t sample;
    int r;

    if (n == 0)
        return 0;
    switch (*p) {
    case 'u': r = unclip_config_unet(&u, &sample, p + 1, n - 1, &e); break;
    case 'p': r = unclip_config_prior(&q, p + 1, n - 1, &e); break;
    case 'a': r = unclip_config_ar_prior(&a, p + 1, n - 1, &e); break;
    case 'g': r = unclip_config_glide(&g, p + 1, n - 1, &e); break;
    case 's': r = unclip_config_scheduler(&s, p + 1, n - 1, &e); break;
    default: return 0;
    }
    if ((r < 0) != (e.msg[0] != 0))
        abort();
    if (r == 0 && *p == 'u')
        check_unet(&u);
    if (r == 0 && *p == 'p' && (!q.heads || !q.layers || !q.embed || !q.context || q.width % q.heads))
        abort();
    if (r == 0 && *p == 'a' && (!unclip_config_is_ar_prior(p + 1, n - 1) || !a.heads || !a.layers || !a.embed || !a.context ||
                               !a.codes || !a.buckets || a.width % a.heads))
        abort();
    if (r == 0 && *p == 'g' && (!g.head || g.mid_head != g.head || !g.groups))
        abort();
    if (r == 0 && *p == 's' && (!s.train_steps || !(s.range >= 1e-6f && s.range <= 1e6f)))
        abort();
    return 0;
}
