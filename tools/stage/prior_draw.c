#include "tools/stage/prior_draw.h"

#include "lib/base/size.h"

int prior_draw_prefix(const struct prior_draw *d, const struct condition *c, struct transformer_cache *prefix, struct arena *a,
                      struct err *e) {
    const struct prior_model *m = d->m;
    struct arena s;
    void *scratch;

    if (condition_fits(c, m->config.embed, m->config.embed, m->config.context, e) < 0)
        return -1;
    if ((m->ar ? ar_prior_cache(m->ar, c->n, prefix, a) : prior_cache(m->prior, c->n, prefix, a)) < 0)
        return err_set(e, "out of memory");
    s = *a;
    scratch = arena_take(&s, m->ar ? ar_prior_scratch(m->ar, c->n, 1) : prior_scratch(m->prior, c->n, 1), 1);
    if (!scratch)
        return err_set(e, "out of memory");
    if (m->ar)
        ar_prior_prefill(m->ar, d->c, c->n, c->states, c->embed, prefix, scratch);
    else
        prior_prefill(m->prior, d->c, c->n, c->states, c->embed, prefix, scratch);
    return 0;
}

int prior_draw_noise(const struct prior_draw *d, const struct record *r, const struct sample *s, bool torch, uint64_t seed, size_t n,
                     struct sample_noise *z, struct err *e) {
    const struct prior_model *m = d->m;

    if (m->ar)
        return sample_tokens_open(z, r, s, torch, seed, n, 1 + m->codes.codes, m->codes.buckets, e);
    return sample_noise_open(z, r, s, torch, seed, NOISE_PRIOR, n, d->steps, m->config.embed, e);
}

static int diffuse(const struct prior_draw *d, size_t texts, struct prior_want *const want[], float *v, const struct sampler_watch *w,
                   struct arena a, struct err *e) {
    struct prior_text *text = arena_take(&a, texts, sizeof *text);
    const struct prior_job j = {.prior = d->m->prior, .sched = &d->m->sched, .steps = d->steps, .ntexts = texts, .text = text,
                                .guidance = (float)d->guidance, .empty = &d->empty};

    if (!text)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < texts; i++)
        text[i] = (struct prior_text){.n = want[i]->n, .prefix = &want[i]->prefix, .noise = want[i]->noise.source};
    return sample_prior(&j, d->c, d->m->config.embed, v, w, a, e);
}

/* Draws the candidates in groups.  A group takes the candidates that are left of a text, then some of the next
 * texts. */
static int draw_codes(const struct prior_draw *d, size_t texts, struct prior_want *const want[], float *v,
                      const struct sampler_watch *w, struct arena a, struct err *e) {
    struct ar_prior_text *part = arena_take(&a, d->group, sizeof *part);
    struct token_rows *state = arena_take(&a, d->group, sizeof *state);
    struct ar_prior_job j = {.prior = d->m->ar, .text = part, .guidance = d->guidance, .temperature = d->temperature,
                             .quantile = d->quantile, .empty = &d->empty};
    size_t text = 0, first = 0;

    if (!part || !state)
        return err_set(e, "out of memory");
    while (text < texts) {
        size_t n = 0;

        for (j.ntexts = 0; text < texts && n < d->group; j.ntexts++) {
            const struct prior_want *t = want[text];
            const size_t take = size_min(t->n - first, d->group - n);

            part[j.ntexts] = (struct ar_prior_text){take, &t->prefix, sample_tokens(&t->noise, &state[j.ntexts], first, take)};
            n += take, first += take;
            if (first == t->n)
                text++, first = 0;
        }
        if (sample_ar_prior(&j, d->c, v, NULL, w, a, e) < 0)
            return -1;
        v += n * d->m->config.embed;
    }
    return 0;
}

int prior_draw_run(const struct prior_draw *d, size_t texts, struct prior_want *const want[], float *v, const struct sampler_watch *w,
                   struct arena a, struct err *e) {
    return (d->m->ar ? draw_codes : diffuse)(d, texts, want, v, w, a, e);
}
