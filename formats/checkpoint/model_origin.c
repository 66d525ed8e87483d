/* Tell whether a vector comes from a given CLIP: model_origin of model.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/model.h"

static bool is(const void *fp, size_t n, uint64_t h) {
    char hex[17];

    snprintf(hex, sizeof hex, "%016" PRIx64, h);
    return n == 16 && !memcmp(fp, hex, 16);
}

enum model_origin model_origin(const struct clip_model *m, const void *fp, size_t n, struct arena scratch) {
    static const enum clip_tower tower[] = {TOWER_TEXT, TOWER_VISION};

    if (n == strlen(m->fingerprint) && !memcmp(fp, m->fingerprint, n))
        return ORIGIN_SAME;
    if (!m->config.has_text || !m->config.has_vision)
        return ORIGIN_UNKNOWN;
    for (int i = 0; i < 4; i++) {
        uint64_t h = clip_fingerprint_tower(&m->config, &m->weights, tower[i / 2], i % 2, scratch);

        if (!h)
            return ORIGIN_UNKNOWN;
        if (is(fp, n, h))
            return ORIGIN_SAME;
    }
    return ORIGIN_OTHER;
}
