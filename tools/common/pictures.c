#include "tools/common/pictures.h"

int tool_next_picture(struct tool *t, struct picture_source *s, struct picture *p, struct err *e) {
    const int got = picture_source_next(s, p, e);

    if (s->warning[0] && !t->quiet)
        warn("%s", s->warning);
    if (got == 0 || tool_stopped())
        return 0;
    if (got == -2)
        die("%s: %s", s->files0, e->msg);
    return got;
}

int tool_load_picture(struct tool *t, struct picture_source *s, struct picture *p, struct err *e) {
    const int got = picture_source_load(s, p, e);

    if (got > 0 && p->note[0] && !t->quiet)
        warn("%s: no caption from its %s", p->name, p->note);
    return got;
}
