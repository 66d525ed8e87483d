#include "lib/net/clip_bind.h"

#include <string.h>

/* Each limit is larger than in any published network.  A product of three such numbers is far from overflow. */
enum { MOST_WIDTH = 1 << 16, MOST_ROWS = 1 << 20, MOST_LAYERS = 1 << 10, MOST_SIDE = 1 << 13 };

struct range { const char *what; size_t value, most; };

static int check_ranges(const struct range *r, size_t n, const char *tower, struct err *e) {
    for (size_t i = 0; i < n; i++)
        if (r[i].value == 0 || r[i].value > r[i].most)
            return err_set(e, "%s tower: %s is %zu, expected 1 to %zu", tower, r[i].what, r[i].value,
                           r[i].most);
    return 0;
}

static int check_heads(size_t width, size_t heads, const char *tower, struct err *e) {
    if (width % heads)
        return err_set(e, "%s tower: width %zu is not a multiple of %zu heads", tower, width, heads);
    return 0;
}

int clip_check_text(const struct clip_config *c, struct err *e) {
    const struct clip_text_config *t = &c->text;
    const struct range r[] = {
        {"context", t->context, MOST_ROWS}, {"vocabulary", t->vocab, (size_t)1 << 30},
        {"width", t->width, MOST_WIDTH},    {"heads", t->heads, MOST_WIDTH},
        {"layers", t->layers, MOST_LAYERS}, {"mlp width", t->mlp, MOST_WIDTH},
        {"embedding", t->embed, MOST_WIDTH},
    };

    if (!c->has_text)
        return err_set(e, "the checkpoint has no text tower");
    if (check_ranges(r, sizeof r / sizeof *r, "text", e) < 0)
        return -1;
    return check_heads(t->width, t->heads, "text", e);
}

int clip_check_vision(const struct clip_config *c, struct err *e) {
    const struct clip_vision_config *v = &c->vision;
    const struct range both[] = {
        {"image side", v->image, MOST_SIDE}, {"width", v->width, MOST_WIDTH},
        {"heads", v->heads, MOST_WIDTH},     {"embedding", v->embed, MOST_WIDTH},
    };
    const struct range vit[] = {
        {"patch", v->patch, v->image}, {"layers", v->layers, MOST_LAYERS},
        {"mlp width", v->mlp, MOST_WIDTH},
    };
    const struct range resnet[] = {
        {"blocks of layer1", v->blocks[0], MOST_LAYERS}, {"blocks of layer2", v->blocks[1], MOST_LAYERS},
        {"blocks of layer3", v->blocks[2], MOST_LAYERS}, {"blocks of layer4", v->blocks[3], MOST_LAYERS},
        {"width", v->width, MOST_WIDTH / 32},
    };

    if (!c->has_vision)
        return err_set(e, "the checkpoint has no image tower");
    if (check_ranges(both, sizeof both / sizeof *both, "image", e) < 0)
        return -1;
    if (v->kind == VISION_RESNET) {
        if (check_ranges(resnet, sizeof resnet / sizeof *resnet, "image", e) < 0)
            return -1;
        if (v->width % 2 || v->image % 32)
            return err_set(e, "image tower: a ResNet needs an even width and a side that is a multiple of 32, "
                           "not width %zu and side %zu", v->width, v->image);
        return check_heads(32 * v->width, v->heads, "image", e);
    }
    if (check_ranges(vit, sizeof vit / sizeof *vit, "image", e) < 0)
        return -1;
    if (v->image % v->patch)
        return err_set(e, "image tower: side %zu is not a multiple of patch %zu", v->image, v->patch);
    return check_heads(v->width, v->heads, "image", e);
}

void clip_refuse_unused(struct bind *b, const struct clip_family *family, enum clip_tower tower) {
    for (size_t i = 0; i < b->ws->n && !b->bad; i++) {
        const struct weight *w = &b->ws->w[i];
        struct clip_name name;

        if (w->used || (clip_name_parse(&name, family, w->name) && name.tower != tower))
            continue;
        b->bad = true;
        err_set(b->e, "tensor %.200s is not part of the %s tower that its config describes",
                w->name, tower == TOWER_VISION ? "image" : "text");
    }
}

void clip_bind_projection(struct bind *b, struct linear *l, const struct clip_family *family, const char *name,
                          size_t embed, size_t width) {
    struct tensor w;

    if (family->transposed) {
        w = bind_matrix(b, name, width, embed);
        if (!b->bad)
            w = tensor_transposed(&w);
    } else {
        w = bind_matrix(b, name, embed, width);
    }
    bind_parts(b, l, 1, &w, NULL);
}
