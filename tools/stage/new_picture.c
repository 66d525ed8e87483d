#include "tools/stage/new_picture.h"

enum { BY_CLIP = PICTURE_DRAWN | PICTURE_SKETCHED, ANOTHER = PICTURE_MADE | BY_CLIP };

static const struct {
    const char *field;
    unsigned changes;    /* after which the field is wrong */
} FIELDS[] = {
    {"image", PICTURE_FORETOLD},
    {"image_features", ANOTHER | PICTURE_FORETOLD},
    {"source", ANOTHER | PICTURE_FORETOLD | PICTURE_DECODED},
    {"mask", ANOTHER | PICTURE_FORETOLD | PICTURE_DECODED},
    {"svg", ANOTHER | PICTURE_FORETOLD | PICTURE_DECODED | PICTURE_ENLARGED},
    {"step", ANOTHER | PICTURE_FORETOLD | PICTURE_DECODED},    /* an enlarged partial picture is still partial */
    {"image_tokens", ANOTHER},
    {"grid", ANOTHER},
    {"logp", ANOTHER | PICTURE_CODED},
    {"cos", PICTURE_SKETCHED},
    {"logit", BY_CLIP},    /* logit, prob and rank belong to an earlier cos */
    {"prob", BY_CLIP},
    {"rank", BY_CLIP},
};

int new_picture(struct record *r, enum new_picture change, struct err *e) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (FIELDS[i].changes & change && record_drop_made(r, FIELDS[i].field, e) < 0)
            return -1;
    return 0;
}
