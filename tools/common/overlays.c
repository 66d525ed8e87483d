#include "tools/common/overlays.h"

#include <stdio.h>
#include <string.h>

void tool_overlays(struct tool *t, struct overlays *o) {
    static const char *const others[] = {"overlay-at", "overlay-font", "overlay-size"};
    const struct typeface *font = NULL;
    double at[2] = {0.5, 0.5};
    struct err e = {0};

    for (size_t i = 0; !o->text.n && i < OPT_MAX && t->given[i]; i++)
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            if (!strcmp(t->given[i], others[k]))
                die("--%s: there is no --overlay", others[k]);
    if (o->at && tool_numbers("overlay-at", o->at, 1, at, 2) != 2)
        die("--overlay-at: '%s' is not two numbers from 0 to 1", o->at);
    for (size_t i = 0; i < o->text.n && !font; i++)
        if (*o->text.v[i] && !(font = typeface_open(o->font, &e)))
            die("--overlay: %s", e.msg);
    o->n = o->text.n ? o->text.n : 1;
    for (size_t i = 0; i < o->n; i++) {
        o->v[i] = (struct overlay){o->text.n ? o->text.v[i] : "", o->size, at[0], at[1], font};
        if (*o->v[i].text && overlay_check(&o->v[i], &e) < 0)
            die("--overlay: '%s': %s", o->v[i].text, e.msg);
    }
}

const char *overlay_name(const struct overlay *o, const char *name, struct arena *a) {
    const size_t n = strlen(name) + strlen(o->text) + 2;
    char *s = *o->text ? arena_take(a, n, 1) : NULL;

    if (!*o->text)
        return name;
    if (s)
        snprintf(s, n, "%s+%s", name, o->text);
    return s;
}
