#include "formats/checkpoint/vq_yaml.h"

#include <string.h>

#include "formats/io/yaml_text.h"

/* The places of the maps in a yaml.  `at` leads to the map that holds embed_dim, n_embed and, under the key `sizes`,
 * the sizes of the networks.  `class` leads to the map whose member "target" names the class. */
static const struct { const char *class, *at, *sizes; } places[] = {
    {"model", "model.params", "ddconfig"},
    {"model.params.first_stage_config", "model.params.first_stage_config.params", "ddconfig"},
    {"stage1", "stage1", "hparams"},
    {"", "params", "ddconfig"},
};

/* Returns 1 if the class is a GumbelVQ ("taming.models.vqgan.GumbelVQ"), 0 if it is a VQModel, -1 for other names. */
static int gumbel(const char *target) {
    const char *dot = target ? strrchr(target, '.') : NULL;

    if (!dot)
        return -1;
    return !strcmp(dot, ".GumbelVQ") ? 1 : !strcmp(dot, ".VQModel") ? 0 : -1;
}

static int read_sizes(struct vq_yaml *v, struct yaml_text *y, const yaml_node_t *class, const yaml_node_t *m, const yaml_node_t *sizes,
                      struct err *e) {
    size_t in = 3;
    bool two = false;
    const char *name = NULL;

    if (yaml_get_bool(y, sizes, "double_z", &two, e) < 0 || yaml_get_size(y, sizes, "in_channels", &in, e) < 0 ||
        yaml_get_size(y, sizes, "resolution", &v->resolution, e) < 0 || yaml_get_size(y, m, "n_embed", &v->codes, e) < 0 ||
        yaml_get_size(y, m, "embed_dim", &v->width, e) < 0 || yaml_get_count(y, sizes, "ch_mult", &v->levels, e) < 0)
        return -1;
    if (two)
        return err_set(e, "double_z is true: an autoencoder without codes");
    if (in != 3)
        return err_set(e, "in_channels is %zu, pictures have 3", in);
    if (yaml_get(y, m, "remap"))
        return err_set(e, "a codebook that is used in part (remap) is not supported");
    if (yaml_get_text(y, class, "target", &name, e) < 0)
        return -1;
    v->gumbel = gumbel(name);
    return 1;
}

int vq_yaml_read(struct vq_yaml *v, const void *p, size_t n, struct err *e) {
    struct yaml_text y;
    int r = 0;

    *v = (struct vq_yaml){.gumbel = -1};
    if (yaml_text_load(&y, p, n, e) < 0)
        return -1;
    for (size_t i = 0; i < sizeof places / sizeof *places && r == 0; i++) {
        const yaml_node_t *root = yaml_text_root(&y), *m = yaml_path(&y, root, places[i].at);
        const yaml_node_t *class = *places[i].class ? yaml_path(&y, root, places[i].class) : root;
        const yaml_node_t *sizes = yaml_get(&y, m, places[i].sizes);

        if (sizes)
            r = read_sizes(v, &y, class, m, sizes, e);
    }
    yaml_text_free(&y);
    return r;
}
