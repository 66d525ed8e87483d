/* Tell whether a vector comes from a given CLIP: model_origin of model.h. */
#include <inttypes.h>
#include <stdio.h>

#include "formats/checkpoint/model.h"

enum model_origin model_origin(const struct clip_model *text, const struct clip_model *vision, struct span fp,
                               const float *logit_scale, struct arena scratch) {
    struct clip_part t, v;

    if ((text && span_is(fp, text->fingerprint)) || (vision && span_is(fp, vision->fingerprint)))
        return ORIGIN_SAME;
    if (text)
        t = (struct clip_part){&text->config, &text->weights};
    if (vision)
        v = (struct clip_part){&vision->config, &vision->weights};
    for (int i = 2; i < 8; i++) {    /* the bits of i: logit_scale, the text tower, the image tower */
        bool scale = i & 1, has_text = i & 2, has_vision = i & 4;
        char hex[17];
        uint64_t h;

        if ((scale && !logit_scale) || (has_text && !text) || (has_vision && !vision))
            continue;
        h = clip_fingerprint_joint(has_text ? &t : NULL, has_vision ? &v : NULL, scale ? logit_scale : NULL, scratch);
        if (!h)
            return ORIGIN_UNKNOWN;
        snprintf(hex, sizeof hex, "%016" PRIx64, h);
        if (span_is(fp, hex))
            return ORIGIN_SAME;
    }
    return text && vision ? ORIGIN_OTHER : ORIGIN_UNKNOWN;
}
