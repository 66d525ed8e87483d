#include "tools/stage/embed.h"

#include <string.h>

#include "formats/image/record_image.h"
#include "formats/record/params.h"

static const char *const FIELD[] = {"text_embed", "image_embed"};

static struct span fingerprint(const struct clip_model *m) {
    return span_of(m->fingerprint);
}

void embed_fingerprints(const struct towers *w, const struct record *r, unsigned todo, struct span fp[2]) {
    struct err none = {0};

    for (int i = 0; i < 2; i++)
        if (!r || record_sub_str(r, "model", FIELD[i], &fp[i], &none) <= 0)
            fp[i] = (struct span){0};
    if (todo & EMBED_TEXT)
        fp[0] = fingerprint(w->text_model);
    if (todo & EMBED_IMAGE)
        fp[1] = fingerprint(w->vision_model);
}

static void pair(struct mp *m, const char *key, const char *value) {
    mp_cstr(m, key);
    mp_cstr(m, value);
}

static void put_overlay(struct mp *m, const struct overlay *o) {
    pair(m, "overlay", o->text);
    mp_cstr(m, "overlay_at"), mp_array(m, 2), mp_float(m, o->at_x), mp_float(m, o->at_y);
    pair(m, "overlay_font", typeface_name(o->font));
    mp_cstr(m, "overlay_size"), mp_float(m, o->size);
}

int embed_params(const struct embed_options *o, const struct towers *w, unsigned todo, bool kept,
                 const struct overlay *overlay, struct span *map, struct arena *a, struct err *e) {
    bool f16 = o->dtype == DT_F16, image = todo & EMBED_IMAGE;
    bool dropped = todo & EMBED_TEXT && !o->states, turned = image && o->exif;
    const struct clip_model *m_of = image ? w->vision_model : w->text_model;
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    pair(&m, "version", UNCLIP_VERSION);
    pair(&m, "kernel", w->compute->kern->name);
    pair(&m, "precision", precision_name(w->compute->kern->precision));
    if (f16)
        pair(&m, "dtype", "f16");
    if (w->paths.activation >= 0)
        pair(&m, "activation", w->paths.activation == ACT_GELU ? "gelu" : "quick_gelu");
    if (m_of && m_of->config.has_scale)    /* the factor from cosines to logits, for rank */
        mp_cstr(&m, "logit_scale"), mp_float(&m, (double)m_of->config.scale);
    if (dropped)
        mp_cstr(&m, "states"), mp_bool(&m, false);
    if (image)
        pair(&m, "crop", w->vision_model->prep.rule == CROP_HF ? "hf" : "torchvision");
    if (image && o->features)
        mp_cstr(&m, "features"), mp_bool(&m, true);
    if (turned)
        mp_cstr(&m, "exif"), mp_bool(&m, true);
    if (kept)
        mp_cstr(&m, "keep_image"), mp_uint(&m, o->keep);
    if (overlay && *overlay->text)
        put_overlay(&m, overlay);
    mp_map_end(&m, begin);
    *map = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

void embed_crops(const struct embed_options *o, const struct towers *w, struct image_queue_options *q) {
    q->prep = w->vision_model->prep;
    if (!o->keep)
        return;
    q->keep = q->prep;
    q->keep.size = q->keep.size * o->keep / q->keep.crop;
    q->keep.crop = o->keep;
}

/* ---- what is to be done ---- */

static int open_towers(unsigned todo, const struct embed_options *o, struct towers *w, struct err *e) {
    if (todo & EMBED_TEXT && towers_text(w, e) < 0)
        return -1;
    if (todo & EMBED_IMAGE && towers_vision(w, e) < 0)
        return -1;
    if (todo & EMBED_IMAGE && o->rule >= 0)
        w->vision_model->prep.rule = (enum prep_crop)o->rule;
    if (todo & EMBED_IMAGE && o->features && !clip_image_features(w->vision))
        return err_set(e, "--features: the image tower is a ResNet, whose image_embed is that feature");
    return 0;
}

int embed_plan(struct embed_item *it, const struct embed_options *o, struct towers *w, struct err *e) {
    const struct record *r = &it->r;
    bool text = o->sides & EMBED_TEXT && !record_has(r, "text_embed");

    if (text && record_has(r, "tokens"))
        it->todo |= EMBED_TEXT;
    if (it->file || (o->sides & EMBED_IMAGE && record_has(r, "image")))
        it->todo |= EMBED_IMAGE;
    if (!it->todo && text && record_has(r, "text") && !(o->sides & EMBED_IMAGE && record_has(r, "image_embed")))
        err_set(&it->err, "text without tokens: clip-tok makes them");
    return open_towers(it->todo, o, w, e);
}

static int load_tokens(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e) {
    const struct clip_text_config *c = &w->text_model->config.text;
    bool ended = c->eos < 0;
    int64_t *id;
    int *out;

    if (record_ints(&it->r, "tokens", &id, &it->ntokens, a, &it->err) < 0)
        return 0;
    if (!it->ntokens || it->ntokens > c->context) {
        err_set(&it->err, "%zu tokens, the model takes 1 to %zu", it->ntokens, c->context);
        return 0;
    }
    it->tokens = out = arena_take(a, it->ntokens, sizeof *out);
    if (!out)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < it->ntokens; i++) {
        if (id[i] < 0 || (uint64_t)id[i] >= c->vocab)
            err_set(&it->err, "token %lld, the model knows 0 to %zu", (long long)id[i], c->vocab - 1);
        out[i] = (int)id[i];
        ended |= out[i] == c->eos;
    }
    if (!ended)
        err_set(&it->err, "its tokens have no end, which is %d for this model", c->eos);
    return 0;
}

static int load_image(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e) {
    const struct prep *p = &w->vision_model->prep;
    unsigned char *crop = arena_take(a, p->crop, 3 * p->crop);
    struct arena scratch = *a;
    struct record_image im;

    if (!crop)
        return err_set(e, "out of memory");
    it->crop = crop;
    if (record_image(&it->r, "image", &im, &scratch, &it->err) > 0)
        prep_crop(p, im.rgb, im.h, im.w, crop, scratch, &it->err);
    return 0;
}

int embed_load(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e) {
    if (it->todo & EMBED_TEXT && load_tokens(it, w, a, e) < 0)
        return -1;
    return it->todo & EMBED_IMAGE && !it->err.msg[0] ? load_image(it, w, a, e) : 0;
}

/* ---- a batch ---- */

static bool wants(const struct embed_item *it, unsigned side) {
    return it->todo & side && !it->err.msg[0];
}

static int run_texts(struct embed_item *it, size_t n, bool keep_states, const struct towers *w,
                     struct arena *a) {
    size_t embed = w->text_model->config.text.embed, width = w->text_model->config.text.width, k = 0;
    const int **tokens = arena_take(a, n, sizeof *tokens);
    size_t *len = arena_take(a, n, sizeof *len);
    float **states = arena_take(a, n, sizeof *states), *out = arena_take(a, n, embed * sizeof *out);

    if (!tokens || !len || !states || !out)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!wants(&it[i], EMBED_TEXT))
            continue;
        it[i].text = out + k * embed;
        if (keep_states && !(it[i].states = arena_take(a, it[i].ntokens, width * sizeof *out)))
            return -1;
        tokens[k] = it[i].tokens;
        len[k] = it[i].ntokens;
        states[k++] = it[i].states;
    }
    if (k)
        towers_texts(w, k, tokens, len, out, keep_states ? states : NULL);
    return 0;
}

static int run_images(struct embed_item *it, size_t n, const struct embed_options *o, const struct towers *w,
                      struct arena *a) {
    size_t embed = w->vision_model->config.vision.embed, k = 0, width = o->features ? clip_image_features(w->vision) : 0;
    const unsigned char **crop = arena_take(a, n, sizeof *crop);
    float *out = arena_take(a, n, embed * sizeof *out), *features = arena_take(a, n, width * sizeof *features);

    if (!crop || !out || !features)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (wants(&it[i], EMBED_IMAGE)) {
            it[i].image = out + k * embed;
            it[i].features = width ? features + k * width : NULL;
            crop[k++] = it[i].crop;
        }
    if (k)
        towers_images(w, k, crop, out, width ? features : NULL);
    return 0;
}

int embed_run(struct embed_item *it, size_t n, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e) {
    if ((w->text && run_texts(it, n, o->states, w, a) < 0) ||
        (w->vision && run_images(it, n, o, w, a) < 0))
        return err_set(e, "out of memory for a batch of %zu", n);
    return 0;
}

/* ---- what is written ---- */

/* Returns whether the last run of embed-mix made another image_embed. */
static bool mixed_image(const struct record *r) {
    struct span mode = {0}, field;

    params_last_text(r, "embed-mix", "mode", &mode);
    return !span_is(mode, "pca-project") && (!params_last_text(r, "embed-mix", "field", &field) || span_is(field, "image_embed"));
}

/* Returns whether one of the n programs at `name` ran after `program` last did.  embed-mix counts if it made an image_embed. */
static bool ran_since(const struct record *r, const char *program, const char *const *name, size_t n) {
    struct span all, own = {0}, map;

    if (record_raw(r, "params", &all) <= 0)
        return false;
    mp_last_pair(all, program, &own);
    for (size_t i = 0; i < n; i++)
        if (mp_last_pair(all, name[i], &map) > 0 && (!own.p || map.p > own.p) && (strcmp(name[i], "embed-mix") || mixed_image(r)))
            return true;
    return false;
}

/* Renames image_embed, the vector that the picture was made from, to prior_embed.  But if `program` computed it of the
 * picture, or of the same picture before it was enlarged or coded, it keeps its name, and the caller replaces it.  A
 * prior_embed is replaced only by the vector of a later prior. */
static int put_aside(struct record *r, const char *program, struct err *e) {
    static const char *const made_by[] = {"prior", "embed-mix"}, *const made_into[] = {"decode64", "clip-draw"};
    struct span all, own;
    bool ours = record_raw(r, "params", &all) > 0 && mp_last_pair(all, program, &own) > 0;

    if (!ran_since(r, program, made_by, 2) &&
        (record_has(r, "prior_embed") || (ours && !ran_since(r, program, made_into, 2))))
        return 0;
    return record_rename(r, "image_embed", "prior_embed", e);
}

static int set_vector(struct record *r, const char *key, const struct embed_options *o, const float *v,
                      size_t n, const struct clip_model *m, struct err *e) {
    return record_set_tensor(r, key, o->dtype, v, 1, &n, e) < 0 ||
           record_set_sub_text(r, "model", key, fingerprint(m), e) < 0 ? -1 : 0;
}

static int set_text(struct embed_item *it, const struct embed_options *o, const struct towers *w,
                    struct err *e) {
    const struct clip_text_config *c = &w->text_model->config.text;
    const size_t shape[2] = {it->ntokens, c->width};

    if (set_vector(&it->r, FIELD[0], o, it->text, c->embed, w->text_model, e) < 0)
        return -1;
    return it->states ? record_set_tensor(&it->r, "text_states", DT_F32, it->states, 2, shape, e) : 0;
}

static int set_image(struct embed_item *it, const struct embed_options *o, const struct towers *w,
                     struct err *e) {
    const size_t shape[3] = {o->keep, o->keep, 3};

    if (it->kept && record_set_tensor(&it->r, "image", DT_U8, it->kept, 3, shape, e) < 0)
        return -1;
    if (put_aside(&it->r, o->program, e) < 0)
        return -1;
    if ((it->features ? set_vector(&it->r, "image_features", o, it->features, clip_image_features(w->vision), w->vision_model, e)
                      : record_drop_made(&it->r, "image_features", e)) < 0)
        return -1;
    return set_vector(&it->r, FIELD[1], o, it->image, w->vision_model->config.vision.embed,
                      w->vision_model, e);
}

int embed_set(struct embed_item *it, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e) {
    struct span map;

    if (!it->todo)
        return 0;
    if ((it->todo & EMBED_TEXT && set_text(it, o, w, e) < 0) ||
        (it->todo & EMBED_IMAGE && set_image(it, o, w, e) < 0) ||
        embed_params(o, w, it->todo, it->kept != NULL, it->overlay, &map, a, e) < 0)
        return -1;
    return record_add_params(&it->r, o->program, map, e);
}
