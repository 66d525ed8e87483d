#include "tools/stage/missing.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "formats/io/near.h"

const char *field_maker(const char *field) {
    static const struct { const char *field, *maker; } made[] = {
        {"text", " (clip-tok makes it of a line of text)"},
        {"tokens", " (clip-tok makes them of a text)"},
        {"text_embed", " (clip-tok | clip-embed makes it of a text)"},
        {"image_embed", " (clip-embed makes it of a picture, prior of a text)"},
        {"image_tokens", " (vq makes them of a picture, dalle of a text)"},
        {"image", " (decode64, vq -d or clip-draw makes it)"},
        {"svg", " (clip-draw makes it of strokes)"},
    };

    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (!strcmp(field, made[i].field))
            return made[i].maker;
    return "";
}

int field_missing(const struct record *r, const char *field, struct err *e) {
    char name[64], meant[64] = "";
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < r->nfield && !*field_maker(field); i++) {
        const struct span key = r->field[i].key;
        size_t changes;

        if (key.n >= sizeof name || memchr(key.p, 0, key.n))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)key.n, (const char *)key.p);
        changes = near_changes(field, name);
        if (changes < best)
            best = changes, memcpy(meant, name, sizeof meant);
    }
    return err_set(e, "no %s%s%s%s", field, *meant ? "; did you mean " : field_maker(field), meant, *meant ? "?" : "");
}
