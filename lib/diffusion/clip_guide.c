#include "lib/diffusion/clip_guide.h"

#include <string.h>

int clip_guide_gradient(void *ctx, size_t n, const float *x, int t, float *g, struct arena a, struct err *e) {
    const struct clip_guide *j = ctx;
    size_t embed = noised_clip_embed(j->clip);
    float *texts = arena_take(&a, n * embed, sizeof *texts), *z = arena_take(&a, n * embed, sizeof *z);
    float *cosines = arena_take(&a, n, sizeof *cosines);
    void *scratch = arena_take(&a, noised_clip_scratch(j->clip, j->c, n), 1);

    if (!texts || !z || !cosines || !scratch)
        return err_set(e, "out of memory");
    if (t < 0 || (size_t)t >= noised_clip_steps(j->clip))
        return err_set(e, "timestep %d: the noised CLIP knows %zu", t, noised_clip_steps(j->clip));
    for (size_t i = 0; i < n; i++)
        memcpy(texts + i * embed, j->text, embed * sizeof *texts);
    noised_clip_gradient(j->clip, j->c, n, x, (size_t)t, texts, j->scale, g, z, cosines, scratch);
    return 0;
}
