/* The yaml next to a VQGAN: as the projects write it, as nobody should, and what libyaml is asked for. */
#include "formats/checkpoint/vq_yaml.h"

#include "formats/io/yaml_text.h"
#include "tests/tap.h"

static int file(struct vq_yaml *v, const char *path, struct err *e) {
    static char text[65536];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;

    if (f)
        fclose(f);
    e->msg[0] = 0;
    return vq_yaml_read(v, text, n, e);
}

static void good(const char *what, const char *text, struct vq_yaml want) {
    struct err e = {0};
    struct vq_yaml v;
    int r = vq_yaml_read(&v, text, strlen(text), &e);

    ok(r == 1 && v.resolution == want.resolution && v.codes == want.codes && v.width == want.width && v.levels == want.levels &&
       v.gumbel == want.gumbel, "%s%s", what, e.msg);
}

static void other(const char *text) {
    struct err e = {0};
    struct vq_yaml v;

    ok(vq_yaml_read(&v, text, strlen(text), &e) == 0 && !e.msg[0], "something else: %.*s", (int)strcspn(text, "\n"), text);
}

static void bad(const char *text, const char *why) {
    struct err e = {0};
    struct vq_yaml v;

    ok(vq_yaml_read(&v, text, strlen(text), &e) < 0 && strstr(e.msg, why), "refused: %s (%s)", why, e.msg);
}

int main(void) {
    struct vq_yaml v;
    struct err e = {0};
    char *long_text = malloc(YAML_TEXT_MAX + 2);

    ok(file(&v, "tests/golden/dalle/vqgan/vq/config.yaml", &e) == 1 && v.resolution == 64 && v.codes == 96 && v.width == 24 &&
       v.levels == 3 && v.gumbel == 0, "taming's VQModel %s", e.msg);
    ok(file(&v, "tests/golden/dalle/vqgan/gumbel/config.yaml", &e) == 1 && v.resolution == 32 && v.codes == 80 && v.gumbel == 1,
       "taming's GumbelVQ %s", e.msg);
    ok(file(&v, "tests/golden/dalle/mindalle/config.yaml", &e) == 1 && v.resolution == 16 && v.codes == 96 && v.gumbel == -1,
       "minDALL-E's first stage %s", e.msg);
    good("inline lists, comments, anchors", "model: {target: taming.models.vqgan.VQModel, # what\n params: {n_embed: &n 1024, embed_dim: *n,\n"
         " ddconfig: {double_z: False, resolution: 256, ch_mult: [ 1,1,2,2,4]}}}\n", (struct vq_yaml){256, 1024, 1024, 5, 0});
    good("a transformer's first stage", "model:\n  target: taming.models.cond_transformer.Net2NetTransformer\n  params:\n"
         "    first_stage_config:\n      target: taming.models.vqgan.GumbelVQ\n      params:\n        n_embed: 8192\n"
         "        ddconfig:\n          ch_mult:\n          - 1\n          - 2\n", (struct vq_yaml){0, 8192, 0, 2, 1});
    good("null is absent, the last of two keys counts", "params: {n_embed: 5, n_embed: 7, remap: ~, ddconfig: {resolution: null, ch_mult: }}",
         (struct vq_yaml){0, 7, 0, 0, -1});
    other("");
    other("# nothing\n");
    other("- a\n- b\n");
    other("model: {params: [1, 2]}\n");
    other("just a text\n");
    bad("model: {params: {ddconfig: {double_z: true}}}", "double_z is true: an autoencoder without codes");
    bad("model: {params: {ddconfig: {double_z: perhaps}}}", "double_z is neither true nor false");
    bad("model: {params: {ddconfig: {in_channels: 4}}}", "in_channels is 4, pictures have 3");
    bad("model: {params: {n_embed: 1.5, ddconfig: {a: 1}}}", "n_embed is not a number from 1 to 16777216");
    bad("model: {params: {n_embed: 16777217, ddconfig: {a: 1}}}", "n_embed is not a number from 1 to 16777216");
    bad("model: {params: {n_embed: '12', ddconfig: {a: 1}}}", "n_embed is not a number");
    bad("model: {params: {n_embed: -3, ddconfig: {a: 1}}}", "n_embed is not a number");
    bad("model: {params: {n_embed: [3], ddconfig: {a: 1}}}", "n_embed is not a number");
    bad("model: {params: {ddconfig: {ch_mult: 4}}}", "ch_mult is not a list");
    bad("model: {params: {remap: x, ddconfig: {a: 1}}}", "(remap) is not supported");
    bad("model: {target: [1], params: {ddconfig: {a: 1}}}", "target is not a text");
    bad("model: {target: \"a\\0b.VQModel\", params: {ddconfig: {a: 1}}}", "target is not a text");
    bad("model: {params: {\n  ddconfig: [\n}", "not valid YAML: line 3: ");
    bad("a: *nowhere\n", "not valid YAML: line 1: found undefined alias");
    bad("\xff\xfe\xfd", "not valid YAML: line ");
    if (long_text) {
        memset(long_text, '[', YAML_TEXT_MAX + 1);
        long_text[YAML_TEXT_MAX + 1] = 0;
        bad(long_text, "262145 bytes are too long for a config");
        long_text[YAML_TEXT_MAX] = 0;    /* half an hour of libyaml's */
        bad(long_text, "more than 1000 brackets in a config");
        long_text[1000] = 0;
        bad(long_text, "not valid YAML: line ");
        free(long_text);
    }
    return done();
}
