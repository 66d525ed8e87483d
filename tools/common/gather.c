/* Gathers labelled vectors from streams, for the programs that learn from such vectors. */
#include "tools/common/gather.h"

#include "tools/common/input.h"
#include "tools/common/progress.h"

enum { STREAMS = UINT16_MAX - 1 };    /* the most streams; all of them stay mapped (features.h) */

struct gather {
    struct tool *t;
    struct features *f;
    const struct labelling *l;
    uint64_t unlabelled;
};

/* Adds the record's vector to g->f.  Returns 1, 0 if the record has no label, or -1 for an error. */
static int take(struct gather *g, struct record *r, int mapped, struct arena a, struct err *e) {
    struct span label;
    int got = labelling_of(g->l, r, &label, &a, e);

    if (got <= 0) {
        g->unlabelled += got == 0;
        return got;
    }
    return features_add(g->f, r, label, mapped, a, e) < 0 ? -1 : 1;
}

static void take_stream(struct gather *g, const char *name, int number) {
    struct tool *t = g->t;
    struct stream *s = arena_take(&t->arena, 1, sizeof *s);
    struct record r;

    if (!s)
        die("out of memory");
    if (tool_stream(t, s, name) < 0)
        return;
    for (;;) {
        struct arena a = t->arena;
        struct err e = {0};
        int got;

        if (!tool_next(t, s, &r, &a))
            break;
        got = take(g, &r, s->map ? number : -1, a, &e);
        if (got < 0)
            tool_record_failed(t, s->name, s->number, &r, e.msg);
        t->done += got > 0;
        tool_progress(t, 0);
    }
    stream_release(s);    /* keeps the map, because the vectors of a mapped stream are used later */
}

void tool_gather(struct tool *t, struct features *f, const char *labels, const char *label_from, int n, char *name[]) {
    static const size_t budget = (size_t)2 << 30;
    struct labelling l;
    struct gather g = {t, f, &l, 0};
    const bool text = t->output.text;
    struct err e = {0};

    if (n > STREAMS)
        die("at most %d streams", STREAMS);
    if (labelling_open(&l, labels, label_from, &t->arena, &e) < 0)
        die("%s", e.msg);
    t->output.text = true;    /* so a record that fails is named in a warning, and not written among the results */
    if (n == 0)
        take_stream(&g, "-", 0);
    for (int i = 0; i < n && !tool_stopped(); i++)
        take_stream(&g, name[i], i);
    t->output.text = text;
    labelling_close(&l);
    if (tool_stopped())
        return;
    if (features_end(f, t->arena, &e) < 0)
        die("%s", e.msg);
    if (!f->n)
        die("no vector has a label (--labels FILE, --label-from REGEX, or the field label)");
    f->bounded = f->n * f->d > budget / (3 * sizeof(float));
    if (g.unlabelled && !t->quiet)
        warn("%llu records without a label were passed over", (unsigned long long)g.unlabelled);
}
