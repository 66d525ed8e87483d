/* Opening GLIDE's files: directories, single files, which of two networks is taken, a tokenizer elsewhere, and what is
 * refused.  The weights are made by glide_weights.h. */
#define _DEFAULT_SOURCE
#include "formats/checkpoint/unclip_model.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/glide_weights.h"
#include "tests/tap.h"

static const struct compute one_thread = {&kern_c, NULL};
static char dir[] = "/tmp/glide-model.XXXXXX";

static const char *in(const char *name) {
    static char path[4][300];
    static int i;

    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
    return path[i];
}

static struct model_paths paths(const char *const *v, size_t n) {
    return (struct model_paths){.v = v, .n = n, .activation = -1};
}

static void decoder(const char *const *v, size_t n, bool inpaint, size_t channels, struct arena a) {
    const struct model_paths p = paths(v, n);
    struct decoder_model m;
    struct err e = {0};

    ok(unclip_open_decoder(&m, &p, inpaint, &one_thread, &a, &e) == 0 && m.glide && m.config.in == channels && m.side == 16 &&
       m.steps == 100 && m.guidance == 3 && m.sched.c.guided && m.sched.c.betas == BETAS_COSINE, "%s: %zu channels %s", v[0],
       channels, e.msg);
}

static void upsampler(const char *const *v, size_t n, size_t channels, struct arena a) {
    const struct model_paths p = paths(v, n);
    struct upsampler_model m;
    struct err e = {0};

    ok(unclip_open_upsampler(&m, &p, &one_thread, &a, &e) == 0 && m.glide && m.first == m.last && m.ratio == 4 && m.unit == 4 &&
       unet_config(m.first)->in == channels && m.ddim && !strcmp(m.spacing, "fast27") && m.sched.c.betas == BETAS_LINEAR,
       "%s: %zu channels %s", v[0], channels, e.msg);
}

static void refused(const char *const *v, size_t n, const char *why, struct arena a) {
    const struct model_paths p = paths(v, n);
    struct decoder_model m;
    struct err e = {0};

    ok(unclip_open_decoder(&m, &p, false, &one_thread, &a, &e) < 0 && strstr(e.msg, why), "refused: %s", e.msg);
}

/* What config.json says of the heads and groups counts, for the directory and for a file in it. */
static void config(const char *const *v, size_t n, struct arena a) {
    static const struct { const char *json, *why; size_t head, groups; } cases[] = {
        {"{\"num_head_channels\": 32, \"num_groups\": 16}", NULL, 32, 16},
        {"{\"num_groups\": 8, \"xf_width\": 128}", NULL, 64, 8},
        {"{\"image_size\": 64}", NULL, 64, 32},
        {"{\"num_groups\": 7}", "channels do not fit 7 groups", 0, 0},
        {"{\"num_head_channels\": 48}", "channels do not fit heads of 48", 0, 0},
        {"{\"num_head_channels\": -1}", "config.json: num_head_channels is not a number from 1 to ", 0, 0},
        {"{\"num_groups\": \"16\"}", "config.json: num_groups is not a number from 1 to ", 0, 0},
        {"[16]", "config.json: ", 0, 0},
    };

    char file[300];

    snprintf(file, sizeof file, "%s/config.json", dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct model_paths p = paths(v, n);
        struct decoder_model m;
        struct err e = {0};
        struct arena b = a;
        FILE *f = fopen(file, "w");

        ok(f && fputs(cases[i].json, f) >= 0 && fclose(f) == 0, "%s", cases[i].json);
        if (cases[i].why)
            refused(v, n, cases[i].why, a);
        else
            ok(unclip_open_decoder(&m, &p, false, &one_thread, &b, &e) == 0 && m.config.head == cases[i].head &&
               m.config.mid_head == cases[i].head && m.config.groups == cases[i].groups, "heads of %zu channels, %zu groups %s", m.config.head, m.config.groups, e.msg);
    }
    unlink(file);
}

static void remove_all(void) {
    static const char *const names[] = {"base.safetensors", "base_inpaint.safetensors", "upsample.safetensors",
                                        "upsample_inpaint.safetensors", "base.pt", "vocab.bpe"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in(names[i]));
}

int main(void) {
    TAP_ARENA(a, 512);
    const char *const gpt2 = "tests/golden/glide", *whole[] = {dir, gpt2};
    char here[1000], vocab[1100];

    ok(mkdtemp(dir) != NULL && getcwd(here, sizeof here), "%s", dir);
    for (size_t i = 0; i < 4; i++)
        glide_write(dir, &glide_networks[i], &glide_tiny[glide_networks[i].upsampler], 0);
    decoder(whole, 2, false, 3, a);
    decoder(whole, 2, true, 7, a);
    upsampler(whole, 2, 6, a);
    {
        const struct model_paths p = paths(whole, 2);
        struct upsampler_model m;
        struct err e = {0};
        struct arena b = a;

        ok(unclip_open_painter(&m, &p, &one_thread, &b, &e) == 0 && unet_config(m.first)->in == 10, "the network that inpaints %s", e.msg);
    }
    refused(whole, 1, "no tokenizer of GLIDE (vocab.bpe, or merges.txt and vocab.json) in ", a);
    snprintf(vocab, sizeof vocab, "%.1000s/%s/vocab.bpe", here, gpt2);
    ok(symlink(vocab, in("vocab.bpe")) == 0, "a tokenizer next to the files");
    decoder(whole, 1, false, 3, a);
    {
        const char *const single[] = {in("base.safetensors")}, *const two[] = {in("base.safetensors"), in("base_inpaint.safetensors")};
        const char *const only[] = {in("upsample.safetensors")};

        decoder(single, 1, false, 3, a);
        decoder(single, 1, true, 3, a);
        decoder(two, 2, false, 3, a);
        decoder(two, 2, true, 7, a);
        config(single, 1, a);
        config(whole, 1, a);
        upsampler(only, 1, 6, a);
        refused(only, 1, "no decoder in ", a);
    }
    unlink(in("base.safetensors"));
    unlink(in("upsample.safetensors"));
    decoder(whole, 1, false, 7, a);
    upsampler(whole, 1, 10, a);
    {   /* a text transformer with fewer tokens than the tokenizer */
        struct shape s = glide_tiny[0];
        const char *const v[] = {dir};

        unlink(in("base_inpaint.safetensors"));
        s.vocab = 100;
        glide_write(dir, &glide_networks[0], &s, 0);
        refused(v, 1, "base.safetensors: the text transformer has 100 tokens, the tokenizer 320", a);
        ok(truncate(in("base.safetensors"), 5000) == 0, "a file that was cut");
        refused(v, 1, "base.safetensors: ", a);
    }
    remove_all();
    rmdir(dir);
    free(a_mem.base);
    return done();
}
