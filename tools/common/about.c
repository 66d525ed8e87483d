#include "tools/common/about.h"

#include <stdio.h>

static void about(struct tool *t, unsigned want, const struct model_paths *paths, bool info, bool verify) {
    struct clip_model m = {0};
    const char *name;
    struct err e = {0};

    if (model_open_clip(&m, want, paths, &t->arena, &e) < 0)
        die("%s", e.msg);
    if (info)
        tool_print(m.about);
    if (verify && model_verify_sha256(m.file, &name, &e) == 0) {
        printf("%s: OpenAI's %s, byte for byte\n", m.file, name);
    } else if (verify) {
        warn("%s: %s", m.file, e.msg);
        t->status = 1;
    }
    if (want == MODEL_TEXT && !m.config.has_vision)    /* the image tower is in a file of its own */
        about(t, MODEL_VISION, paths, info, verify);
}

void tool_about_clip(struct tool *t, const struct model_paths *paths, bool info, bool verify) {
    about(t, MODEL_TEXT, paths, info, verify);
}
