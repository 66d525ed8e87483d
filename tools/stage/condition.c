#include "tools/stage/condition.h"

#include <string.h>

#include "formats/record/stream.h"
#include "tools/stage/encode.h"

/* Reads r's text_states as f32 [n, W] into *c.  Returns 1, or -1 for an error. */
static int states_of(struct condition *c, const struct record *r, struct arena *a, struct err *e) {
    struct tensor t;
    int got = record_tensor(r, "text_states", &t, e);
    size_t n;

    if (got < 0)
        return -1;
    if (!got)
        return err_set(e, "text_embed without text_states (clip-embed -S leaves them out, and embed-mix does where it cannot mix them)");
    if (t.nd != 2 || !t.shape[0] || !t.shape[1])
        return err_set(e, "field text_states is not a matrix of numbers");
    if (record_numbers(r, "text_states", &c->states, &n, a, e) < 0)
        return -1;
    c->n = t.shape[0];
    c->w = t.shape[1];
    return 1;
}

int condition_of(struct condition *c, const struct record *r, struct arena *a, struct err *e) {
    int got;

    *c = (struct condition){.n = 0};
    got = record_floats(r, "text_embed", &c->embed, &c->d, a, e);
    if (got <= 0)
        return got;
    c->from = origin_mark(r, "text_embed");
    if (record_str(r, "text", &c->text, NULL) <= 0)
        c->text = (struct span){NULL, 0};
    return states_of(c, r, a, e);
}

static int from_stream(struct condition *c, const char *file, struct arena *keep, struct err *e) {
    struct err inner = {0};
    struct record r;
    int got;

    if (stream_first(file, &r, keep, e) < 0)
        return -1;
    got = condition_of(c, &r, keep, &inner);
    if (got == 0)
        err_set(&inner, "its first record has no text");
    return got == 1 ? 0 : err_at(e, file, &inner);
}

int condition_empty(struct condition *c, const char *uncond, const struct model_paths *p, const struct compute *k,
                    struct arena *keep, struct err *e) {
    struct encoder n;
    float *embed, *states;

    if (uncond)
        return from_stream(c, uncond, keep, e);
    if (encode_open(&n, MODEL_TEXT, 1, p, k, keep, e) < 0 ||
        encode_states(&n, SPAN(""), &embed, &states, &c->n, keep, e) < 0)
        return -1;
    c->embed = embed, c->states = states;
    c->d = n.d, c->w = n.model->config.text.width;
    c->text = SPAN("");
    return 0;
}

int condition_fits(const struct condition *c, size_t d, size_t w, size_t most, struct err *e) {
    if (c->d != d || c->w != w)
        return err_set(e, "a text embedding of %zu with states of %zu, the model takes %zu and %zu", c->d, c->w, d, w);
    if (c->n > most)
        return err_set(e, "%zu text states, the model takes %zu", c->n, most);
    return 0;
}
