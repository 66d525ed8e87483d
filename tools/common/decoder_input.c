#include "tools/common/decoder_input.h"

#include <stdio.h>

#include "tools/common/input.h"
#include "tools/stage/missing.h"

/* ---- unCLIP ---- */

/* Sets *c to the condition of the record's text, or to that of the empty text if the text is not wanted or the record
 * has no text. */
static int text_of(struct tool *t, struct decoder_input *d, const struct record *r, bool wanted, struct condition *c,
                   struct arena *a, struct err *e) {
    int got = wanted ? condition_of(c, r, a, e) : 0;

    if (got == 0)
        *c = d->empty;
    return got > 0 ? tool_same_clip(t, &d->clip, r, "text_embed", *a, e) : got;
}

/* Sets *v to the embedding that stands for the picture and returns 1.  Returns 0 if the record has no such
 * embedding, so the text alone guides the decoder, or -1 for an error. */
static int embed_of(struct tool *t, struct decoder_input *d, const struct record *r, const float **v, struct arena *a,
                    struct err *e) {
    static const char *const fields[] = {"image_embed", "text_embed"};
    int got;

    if (d->embed == EMBED_NONE)
        return 0;
    got = decode_embed(d->m, r, fields[d->embed], v, a, e);
    if (got > 0 && tool_same_clip(t, &d->clip, r, fields[d->embed], *a, e) < 0)
        return -1;
    if (got == 0 && !record_has(r, "text_embed"))
        return d->embed ? field_missing(r, "text_embed", e)
                        : err_set(e, "neither image_embed (prior makes it) nor text_embed (clip-tok | clip-embed)");
    if (got == 0 && d->embed == EMBED_IMAGE && !d->told && !t->quiet)
        warn("records without image_embed are drawn from their text alone (prior makes image_embed; --embed=none means this)");
    d->told = d->told || got == 0;
    return got;
}

static int unclip_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool text, struct decode_branch *b,
                         struct arena *a, struct err *e) {
    struct condition c;
    const float *image;
    int got = embed_of(t, d, r, &image, a, e);

    if (got < 0 || text_of(t, d, r, text, &c, a, e) < 0)
        return -1;
    return decode_branch(b, d->m, &t->compute, got ? image : NULL, &c, a, e);
}

/* ---- GLIDE ---- */

static int glide_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool wanted, struct decode_branch *b,
                        bool *same, struct arena *a, struct err *e) {
    struct span text = d->own;
    bool cut;

    if (wanted && record_str(r, "text", &text, e) < 0)
        return -1;
    *same = text.n == 0 && !d->uncond;
    if (*same) {
        b->b = d->uncond_branch.b;
        return 0;
    }
    if (decode_text(b, d->m->glide, d->m->unet, &t->compute, text, &cut, a, e) < 0)
        return -1;
    if (cut && !t->quiet)
        warn("%s: record %llu: the text has more than %zu tokens: its end is cut off", t->input.name,
             (unsigned long long)t->input.number, d->m->glide->text.config.places);
    return 0;
}

/* ---- both ---- */

void tool_open_decoder_input(struct tool *t, struct decoder_input *d, const struct decoder_model *m,
                             const struct model_paths *p) {
    struct err e = {0};

    d->m = m;
    d->own = SPAN("");
    if (m->glide) {
        if (decode_uncond_text(d->uncond, &d->uncond_text, &t->arena, &e) < 0 ||
            decode_text(&d->uncond_branch, m->glide, m->unet, &t->compute, d->uncond_text, NULL, &t->arena, &e) < 0)
            die("%s", e.msg);
        return;
    }
    if (condition_empty(&d->empty, d->uncond, p, &t->compute, &t->arena, &e) < 0 ||
        decode_branch(&d->uncond_branch, m, &t->compute, NULL, &d->empty, &t->arena, &e) < 0)
        die("%s", e.msg);
    d->uncond_text = d->empty.text;
    origin_open(&d->clip.origin, p, &t->arena);
    tool_same_uncond(t, &d->clip, d->uncond, &d->empty.from);
}

/* Writes a name for the text `text` of the file `file` into buf. */
static const char *name_text(struct span text, struct span file, char *buf, size_t room) {
    char quoted[150];

    if (text.p && !text.n)
        return "the empty text";
    if (text.p)
        snprintf(buf, room, "the text '%s'", tool_quote(text, quoted, sizeof quoted));
    else
        snprintf(buf, room, "the text of %s", tool_quote(file, quoted, sizeof quoted));
    return buf;
}

int tool_inverted_text(struct tool *t, struct decoder_input *d, const struct record *r, const struct decode_recipe *q,
                       struct err *e) {
    struct span text = d->uncond_text, file = span_of(d->uncond ? d->uncond : "");
    char a[180], b[180], id[300];
    struct err why = {0};

    if (d->m->glide) {    /* its text is the condition, and --uncond is for the guidance */
        if (q->other.p || span_equal(file, q->file)) {
            d->own = q->other.p ? q->other : text;
            return 0;
        }
        text = span_of(""), file = text;
    }
    if (text.p && q->other.p ? span_equal(text, q->other) : span_equal(file, q->file))
        return 0;
    err_set(&why, "its noise was inverted under %s, and it is decoded under %s (see --uncond)",
            name_text(q->other, q->file, a, sizeof a), name_text(text, file, b, sizeof b));
    if (t->input.strict)
        return err_set(e, "%s", why.msg);
    if (!t->quiet && !d->told_text)
        warn("%s: record %llu (%s): %s", t->input.name, (unsigned long long)t->input.number,
             tool_quote(r->id, id, sizeof id), why.msg);
    d->told_text = true;
    return 0;
}

int tool_decoder_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool text, struct decode_branch *b,
                        bool *same, struct arena *a, struct err *e) {
    bool unused;

    same = same ? same : &unused;
    *same = false;
    return d->m->glide ? glide_branch(t, d, r, text, b, same, a, e) : unclip_branch(t, d, r, text, b, a, e);
}
