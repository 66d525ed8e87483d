#include "tools/common/same_clip.h"

#include "tools/common/input.h"

/* Returns 0, or -1 with the reason in e if the vector in `field` was made by another CLIP. */
static int check(struct same_clip *s, const struct origin_mark *mark, const char *field, struct arena scratch, struct err *e) {
    char theirs[40];
    struct span ours;

    if (origin_of(&s->origin, mark, field, &ours, scratch) != ORIGIN_OTHER)
        return 0;
    return err_set(e, "its %s is of the CLIP %s, the model has %.*s (see unclip(7))", field,
                   tool_quote(mark->fingerprint, theirs, sizeof theirs), (int)ours.n, (const char *)ours.p);
}

int tool_same_clip(struct tool *t, struct same_clip *s, const struct record *r, const char *field, struct arena scratch,
                   struct err *e) {
    const struct origin_mark mark = origin_mark(r, field);
    struct err why = {0};
    char id[300];

    if ((s->told && !t->input.strict) || check(s, &mark, field, scratch, &why) == 0)
        return 0;
    s->told = true;
    if (t->input.strict)
        return err_set(e, "%s", why.msg);
    if (!t->quiet)
        warn("%s: record %llu (%s): %s", t->input.name, (unsigned long long)t->input.number,
             tool_quote(r->id, id, sizeof id), why.msg);
    return 0;
}

void tool_same_uncond(struct tool *t, struct same_clip *s, const char *file, const struct origin_mark *mark) {
    struct err why = {0};

    if (!file || check(s, mark, "text_embed", t->arena, &why) == 0)
        return;
    if (t->input.strict)
        die("%s: %s", file, why.msg);
    if (!t->quiet)
        warn("%s: %s", file, why.msg);
}
