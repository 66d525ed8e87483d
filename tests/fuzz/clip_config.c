/* The first byte says which file it is. */
#include "formats/checkpoint/clip_config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct clip_config c = {0};
    struct err e = {0};
    struct prep prep;
    int r;

    if (n == 0)
        return 0;
    switch (*p) {
    case 'h': r = clip_config_hf(&c, p + 1, n - 1, &e); break;
    case 'p': r = clip_prep_hf(&prep, p + 1, n - 1, &e); break;
    case 'o': r = clip_config_openclip(&c, &prep, p + 1, n - 1, &e); break;
    default: return 0;
    }
    if ((r < 0) != (e.msg[0] != 0))
        abort();
    if (r == 1 && ((c.has_text && c.text.width % c.text.heads) ||
                   (c.has_vision && c.vision.width % c.vision.heads)))
        abort();
    return 0;
}
