#include "lib/net/clip_vision.h"

#include "lib/net/clip_bind.h"

struct clip_vision *clip_bind_vision(const struct clip_config *config, const struct weights *ws,
                                     const struct compute *k, struct arena *keep, struct err *e) {
    const struct clip_family *names = config->family;
    struct bind b = {.ws = ws, .c = k, .keep = keep, .e = e};
    struct clip_vision *v;

    if (clip_check_vision(config, e) < 0)
        return NULL;
    if (config->vision.kind == VISION_RESNET && !names->resnet) {
        err_set(e, "image tower: a ResNet under %s names is not supported", names->name);
        return NULL;
    }
    if (!(v = bind_take(&b, 1, sizeof *v)))
        return NULL;
    v->c = k;
    v->kind = config->vision.kind;
    if (v->kind == VISION_RESNET)
        resnet_bind(&v->of.resnet, &config->vision, names->resnet, &b);
    else
        vit_bind(&v->of.vit, &config->vision, names, &b);
    clip_refuse_unused(&b, names, TOWER_VISION);
    return b.bad ? NULL : v;
}

size_t clip_image_features(const struct clip_vision *v) {
    return v->kind == VISION_RESNET ? 0 : v->of.vit.width;
}

size_t clip_image_scratch(const struct clip_vision *v, size_t n) {
    return v->kind == VISION_RESNET ? resnet_scratch(&v->of.resnet, v->c, n)
                                    : vit_scratch(&v->of.vit, v->c, n);
}

void clip_image_run(const struct clip_vision *v, const struct compute *k, size_t n,
                    const float *images, float *embed, float *features, void *scratch) {
    if (v->kind == VISION_RESNET)
        resnet_run(&v->of.resnet, k, n, images, embed, scratch);
    else
        vit_run(&v->of.vit, k, n, images, embed, features, scratch);
}
