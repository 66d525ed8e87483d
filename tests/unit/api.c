/* Each function of libunclip with what a caller does wrong, and what is left behind when a handle is freed.  tests/cli/lib.bats
 * compares the numbers with those of the programs. */
#define _GNU_SOURCE    /* mkdtemp */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/unclip.h"
#include "tests/tap.h"

#define BOX "examples/emoji"
#define FISH "examples/emoji/demo/fish.png"

enum { E = 256 };

static char dir[] = "/tmp/unclip-api-XXXXXX";

static const char *in_dir(const char *name) {
    static char path[4][256];
    static int i;

    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
    return path[i];
}

/* Copies the first n bytes of a file, or all if n is 0. */
static void copy(const char *from, const char *to, long n) {
    FILE *f = fopen(from, "rb"), *g = fopen(to, "wb");

    for (int c; f && g && (c = getc(f)) != EOF && n != 1;) {
        putc(c, g);
        n -= n > 1;
    }
    if (!f || !g)
        perror(f ? to : from), exit(1);
    fclose(f), fclose(g);
}

static int says(const struct unclip *u, const char *what) {
    if (strstr(unclip_error(u), what))
        return 1;
    printf("# it says: %s\n", unclip_error(u));
    return 0;
}

static struct unclip *box(void) {
    struct unclip *u = unclip_new();

    if (!u || unclip_open(u, BOX) < 0 || unclip_set(u, "threads", "2") < 0)
        printf("Bail out! %s\n", unclip_error(u)), exit(1);
    return u;
}

/* ---- no handle, no arguments ---- */

static void nothing(void) {
    struct unclip_record *r;
    const char *s;
    const void *p;
    size_t n;

    ok(strcmp(unclip_version(), UNCLIP_VERSION) == 0, "version");
    unclip_free(NULL), unclip_reader_free(NULL), unclip_record_free(NULL), unclip_watch(NULL, NULL, NULL), unclip_rgb(1, 1, NULL, NULL);
    ok(*unclip_error(NULL) && unclip_open(NULL, BOX) < 0 && unclip_set(NULL, "seed", "1") < 0 && !unclip_get(NULL, "kernel") &&
       !unclip_size(NULL, UNCLIP_EMBED), "no handle: handle functions");
    ok(unclip_tokens(NULL, "", 0, NULL, &n) < 0 && unclip_embed_texts(NULL, 0, NULL, NULL) < 0 && unclip_embed_files(NULL, 1, NULL, NULL) < 0 &&
       unclip_embed_bytes(NULL, 1, NULL, NULL, NULL) < 0 && unclip_embed_rgb(NULL, 1, 1, 1, NULL, NULL) < 0 &&
       unclip_embed_labels(NULL, 1, NULL, NULL) < 0 && unclip_cosines(NULL, 1, NULL, 1, NULL, NULL) < 0 &&
       unclip_classify(NULL, 1, NULL, 1, NULL, NULL) < 0, "no handle: embeddings");
    ok(unclip_prior(NULL, "", 1, NULL) < 0 && unclip_decode(NULL, "", 1, NULL, NULL) < 0 && unclip_upsample(NULL, "", 1, 8, NULL, NULL) < 0,
       "no handle: drawing");
    ok(!unclip_reader_new(NULL, "x") && unclip_reader_next(NULL, &r) < 0 && !unclip_record_new(NULL, "x") && !unclip_record_id(NULL, &n) &&
       unclip_record_text(NULL, "x", &s, &n) < 0 && unclip_record_floats(NULL, "x", 0, NULL, &n) < 0 && unclip_record_json(NULL, "x", &s, &n) < 0 &&
       unclip_record_set_text(NULL, "x", "") < 0 && unclip_record_set_number(NULL, "x", 0) < 0 &&
       unclip_record_set_floats(NULL, "x", NULL, 1, &n, NULL) < 0 && unclip_record_bytes(NULL, &p, &n) < 0, "no handle: records");
}

static void null_arguments(void) {
    struct unclip *u = box();
    const char *none[1] = {NULL}, *one[1] = {"a fish"};
    const void *file[1] = {NULL};
    const size_t length[1] = {0};
    unsigned char rgb[3] = {0};
    float v[E] = {1};
    double d[1];
    size_t n;

    ok(unclip_open(u, NULL) < 0 && says(u, "path is NULL") && unclip_set(u, NULL, "1") < 0 && !unclip_get(u, NULL), "NULL: handle functions");
    ok(unclip_tokens(u, NULL, 0, NULL, &n) < 0 && unclip_tokens(u, "x", 0, NULL, NULL) < 0 && unclip_tokens(u, "x", 1, NULL, &n) < 0, "NULL: tokens");
    ok(unclip_embed_texts(u, 1, NULL, v) < 0 && unclip_embed_texts(u, 1, one, NULL) < 0 && says(u, "embed is NULL"), "NULL: texts");
    ok(unclip_embed_texts(u, 1, none, v) < 0 && says(u, "text 1: it is NULL") && isnan(v[0]) && isnan(v[E - 1]), "NULL among the texts");
    ok(unclip_embed_files(u, 1, NULL, v) < 0 && unclip_embed_files(u, 1, none, v) < 0 && says(u, "path 1: it is NULL") &&
       unclip_embed_files(u, 1, one, NULL) < 0, "NULL: files");
    ok(unclip_embed_bytes(u, 1, NULL, length, v) < 0 && unclip_embed_bytes(u, 1, file, NULL, v) < 0 && unclip_embed_bytes(u, 1, file, length, v) < 0 &&
       says(u, "picture 1: it is NULL"), "NULL: bytes");
    ok(unclip_embed_rgb(u, 1, 1, 1, NULL, v) < 0 && unclip_embed_rgb(u, 1, 1, 1, rgb, NULL) < 0 && unclip_embed_rgb(u, 1, 0, 1, rgb, v) < 0 &&
       unclip_embed_rgb(u, 1, SIZE_MAX, SIZE_MAX, rgb, v) < 0 && says(u, "pixels"), "NULL and sizes: rgb");
    ok(unclip_embed_labels(u, 1, NULL, v) < 0 && unclip_embed_labels(u, 1, none, v) < 0 && says(u, "label 1: it is NULL") &&
       unclip_embed_labels(u, 1, (const char *[]){""}, v) < 0 && says(u, "label 1: it is empty"), "NULL: labels");
    v[0] = 1;
    ok(unclip_cosines(u, E, NULL, 1, v, d) < 0 && unclip_cosines(u, E, v, 1, NULL, d) < 0 && unclip_cosines(u, E, v, 1, v, NULL) < 0 &&
       unclip_cosines(u, 0, v, 1, v, d) < 0 && says(u, "width"), "NULL: cosines");
    ok(unclip_classify(u, 1, NULL, 1, v, d) < 0 && unclip_classify(u, 1, v, 1, NULL, d) < 0 && unclip_classify(u, 1, v, 1, v, NULL) < 0 &&
       unclip_classify(u, 1, v, 0, v, d) < 0 && says(u, "no labels"), "NULL: classify");
    ok(unclip_prior(u, NULL, 1, v) < 0 && unclip_prior(u, "x", 1, NULL) < 0 && unclip_decode(u, "x", 1, NULL, NULL) < 0 &&
       unclip_decode(u, NULL, 1, NULL, v) < 0 && says(u, "needs one of the two") && unclip_upsample(u, NULL, 1, 64, NULL, v) < 0 &&
       unclip_upsample(u, NULL, 1, 64, v, NULL) < 0, "NULL: drawing");
    ok(unclip_embed_texts(u, 0, NULL, NULL) == 0 && unclip_embed_files(u, 0, NULL, NULL) == 0 && unclip_embed_bytes(u, 0, NULL, NULL, NULL) == 0 &&
       unclip_embed_rgb(u, 0, 0, 0, NULL, NULL) == 0 && unclip_embed_labels(u, 0, NULL, NULL) == 0 && unclip_cosines(u, 1, (float[]){1}, 0, NULL, NULL) == 0 &&
       unclip_classify(u, 0, NULL, 1, (float[E]){1}, NULL) == 0 && unclip_prior(u, "x", 0, NULL) == 0 && unclip_decode(u, "x", 0, NULL, NULL) == 0 &&
       unclip_upsample(u, "x", 0, 64, NULL, NULL) == 0, "n = 0: nothing is done");
    unclip_free(u);
}

/* ---- options, sizes, facts ---- */

static void options(void) {
    struct unclip *u = box();
    char deep[5000];
    int id[3];
    size_t n;

    memset(deep, 'x', sizeof deep - 1), deep[sizeof deep - 1] = 0;
    ok(unclip_set(u, "sed", "1") < 0 && says(u, "no option is called 'sed'"), "an unknown option");
    ok(unclip_set(u, "seed", "-1") < 0 && unclip_set(u, "seed", "1.5") < 0 && unclip_set(u, "seed", "x") < 0 && unclip_set(u, "seed", "") < 0 &&
       unclip_set(u, "seed", "9007199254740993") < 0 && says(u, "is not an integer from 0 to"), "numbers out of range");
    ok(unclip_set(u, "decode-eta", "1.5") < 0 && unclip_set(u, "decode-eta", "0.5") == 0 && unclip_set(u, "decode-eta", "1") == 0 &&
       unclip_set(u, "decode-eta", NULL) == 0, "real numbers, and back to the default");
    ok(unclip_set(u, "precision", "f16") < 0 && says(u, "'f16' is not f32, bf16"), "choices");
    ok(unclip_set(u, "noise-id", deep) < 0 && says(u, "more than 4095 bytes"), "a text that is too long");
    ok(unclip_set(u, "kernel", "fast") == 0 && !unclip_get(u, "kernel") && says(u, "no kernel is called fast"), "an unknown kernel");
    ok(unclip_set(u, "kernel", NULL) == 0 && unclip_get(u, "kernel") && !unclip_get(u, "kernels"), "the kernel as a fact");
    ok(strcmp(unclip_get(u, "version"), UNCLIP_VERSION) == 0 && strlen(unclip_get(u, "image-model")) == 16 && strlen(unclip_get(u, "vocabulary")) == 16 &&
       strlen(unclip_get(u, "prior-model")) == 16 && strlen(unclip_get(u, "decoder-model")) == 16 && strlen(unclip_get(u, "upsampler-model")) == 16 &&
       strlen(unclip_get(u, "text-model")) == 16 && atof(unclip_get(u, "logit-scale")) > 1, "facts of the model in the box");
    ok(unclip_size(u, UNCLIP_EMBED) == E && unclip_size(u, UNCLIP_CONTEXT) == 48 && unclip_size(u, UNCLIP_SIDE) == 64 && unclip_size(u, UNCLIP_RATIO) == 4,
       "sizes of the model in the box");
    ok(!unclip_size(u, (enum unclip_size)9) && says(u, "no size has the number 9"), "an unknown size");
    ok(unclip_set(u, "threads", "1") < 0 && says(u, "in use") && unclip_open(u, BOX) < 0 && says(u, "in use"), "too late for threads and paths");
    ok(unclip_tokens(u, "a fish", 3, id, &n) == 0 && n == 4 && id[0] > id[1] && *unclip_error(u) == 0, "tokens, of which three fit");
    ok(unclip_tokens(u, "\xff", 3, id, &n) < 0 && says(u, "UTF-8"), "a text that is not UTF-8");
    unclip_free(u);
}

static void bad_models(void) {
    static const char *const what[] = {"text-model", "image-model", "vocabulary", "prior-model", "decoder-model", "upsampler-model"};
    struct unclip *u = unclip_new();
    float v[E];
    const char *text = "x";
    int bad = 0;

    ok(unclip_embed_texts(u, 1, &text, v) < 0 && says(u, "no model: unclip_open names it"), "no model");
    ok(unclip_open(u, "nothing/here") < 0 && says(u, "nothing/here: No such file"), "a path that is not there");
    for (int i = 0; i < 40; i++)
        bad += unclip_open(u, BOX) < 0;
    ok(bad == 8 && says(u, "more than 32 paths"), "too many paths");
    unclip_free(u);
    u = unclip_new();
    ok(unclip_open(u, FISH) == 0, "a file that is not a model can be named");
    for (size_t i = 0; i < 6; i++)
        ok(!unclip_get(u, what[i]) && says(u, FISH), "a picture has no %s", what[i]);
    unclip_free(u);
}

/* A call that found no component leaves the paths and the early options open. */
static void second_try(void) {
    const char *const text[] = {"a fish"};
    static float v[E], w[E];
    struct unclip *u = box();
    size_t n;
    int id[9];

    ok(unclip_embed_texts(u, 1, text, v) == 0, "the model in the box");
    unclip_free(u);
    u = unclip_new();
    ok(unclip_open(u, BOX "/prior_scheduler") == 0, "a path without a component");
    ok(unclip_tokens(u, "a fish", 9, id, &n) < 0 && !unclip_size(u, UNCLIP_EMBED) && !unclip_get(u, "text-model") &&
       !unclip_get(u, "prior-model") && unclip_prior(u, "a fish", 1, w) < 0, "no call finds one");
    for (int i = 0; i < 3; i++)
        ok(unclip_embed_texts(u, 1, text, w) < 0 && unclip_set(u, "threads", i ? "2" : "1") == 0 &&
           unclip_set(u, "kernel", i == 1 ? "c" : NULL) == 0, "early options can change after failure %d", i + 1);
    ok(unclip_open(u, BOX) == 0 && unclip_embed_texts(u, 1, text, w) == 0 && !memcmp(v, w, sizeof v), "with another path the same call succeeds");
    ok(unclip_open(u, BOX) < 0 && says(u, "in use") && unclip_set(u, "threads", "1") < 0 && says(u, "in use"), "then no path can be added");
    unclip_free(u);
}

/* Half a file of weights, and half a config. */
static void halves(void) {
    static const char *const files[] = {"config.json", "model.safetensors"};
    const char *const text[] = {"x"};
    float v[E];

    for (int half = 0; half < 2; half++) {
        struct unclip *u = unclip_new();
        struct stat st;
        char from[256];

        mkdir(in_dir("half"), 0777);
        for (int i = 0; i < 2; i++) {
            snprintf(from, sizeof from, BOX "/text_encoder/%s", files[i]);
            if (stat(from, &st) < 0)
                perror(from), exit(1);
            copy(from, in_dir(i ? "half/model.safetensors" : "half/config.json"), i == half ? (long)st.st_size / 2 : 0);
        }
        ok(unclip_open(u, in_dir("half")) == 0 && unclip_open(u, BOX "/tokenizer") == 0 && unclip_embed_texts(u, 1, text, v) < 0 && says(u, files[half]) &&
           unclip_embed_texts(u, 1, text, v) < 0 && says(u, files[half]) && !unclip_size(u, UNCLIP_EMBED), "half of %s, twice", files[half]);
        unclip_free(u);
    }
}

/* ---- what is computed ---- */

static void embeddings(void) {
    const char *text[40], *label[] = {"fish", "red heart"}, *file[] = {FISH, in_dir("half.png"), "nothing.png", FISH};
    static float v[40 * E], w[4 * E], one[E], words[2 * E];
    struct unclip *u = box();
    double c[40], p[4];
    const void *bytes[2];
    size_t length[2];
    static unsigned char png[1 << 20];
    FILE *f = fopen(FISH, "rb");
    int same = 1;

    length[0] = fread(png, 1, sizeof png, f), length[1] = length[0] / 2, bytes[0] = bytes[1] = png;
    fclose(f);
    copy(FISH, in_dir("half.png"), (long)length[1]);
    for (int i = 0; i < 40; i++)
        text[i] = i == 35 ? "\xff" : "a fish";
    ok(unclip_embed_texts(u, 40, text, v) < 0 && says(u, "text 36: ") && isnan(v[35 * E]), "40 texts, of which one is not UTF-8");
    for (int i = 1; i < 40; i++)
        same &= i == 35 || !memcmp(v, v + i * E, E * sizeof *v);
    ok(same && isfinite(v[0]), "the others are computed, and are equal");
    ok(unclip_embed_files(u, 4, file, w) < 0 && says(u, "half.png: ") && isnan(w[E]) && isnan(w[2 * E]) && !memcmp(w, w + 3 * E, sizeof one) && isfinite(w[0]),
       "four files, of which one is cut and one is missing");
    ok(unclip_embed_bytes(u, 2, bytes, length, v) < 0 && says(u, "picture 2: ") && !memcmp(v, w, sizeof one) && isnan(v[E]),
       "the bytes of a file and of half a file");
    ok(unclip_embed_labels(u, 2, label, words) == 0 && unclip_classify(u, 1, w, 2, words, p) == 0 && p[0] > p[1] && fabs(p[0] + p[1] - 1) < 1e-12,
       "labels and probabilities");
    ok(unclip_classify(u, 2, w, 2, words, p) < 0 && says(u, "row 2 has a value that is not finite") && isnan(p[2]) && p[0] > p[1],
       "probabilities of a row that is NaN");
    ok(unclip_cosines(u, E, words, 2, words, c) == 0 && c[0] == 1 && c[1] < 1 && unclip_cosines(u, E, words, 4, w, c) < 0 && says(u, "row 2") &&
       isnan(c[1]) && c[0] == c[3] && unclip_cosines(u, E, w + E, 1, words, c) < 0 && says(u, "the query"), "cosines");
    memset(png, 'a', 2000), png[2000] = 0;
    for (int i = 1; i < 2000; i += 2)
        png[i] = ' ';
    text[0] = (const char *)png;
    ok(unclip_embed_texts(u, 1, text, v) < 0 && says(u, "it has 1002 tokens, the model takes 48") && unclip_set(u, "truncate", "yes") == 0 &&
       unclip_embed_texts(u, 1, text, v) == 0, "a text that is too long, and cut");
    ok(unclip_set(u, "templates", "nothing.txt") == 0 && unclip_embed_labels(u, 2, label, words) < 0 && says(u, "nothing.txt: No such file") &&
       unclip_set(u, "templates", "none") == 0 && unclip_embed_labels(u, 1, label, words) == 0, "templates");
    unclip_free(u);
}

static int stop(void *ctx, size_t done, size_t steps) {
    size_t *seen = ctx;

    seen[0] = done, seen[1] = steps;
    return done == 2;
}

static void drawing(void) {
    static float e[2 * E], x[2][3 * 64 * 64], large[3 * 64 * 64];
    static unsigned char rgb[3 * 64 * 64];
    struct unclip *u = box();
    size_t seen[2];

    ok(unclip_set(u, "prior-steps", "2") == 0 && unclip_set(u, "decode-steps", "1") == 0 && unclip_set(u, "upsample-steps", "1") == 0 &&
       unclip_prior(u, "a fish", 2, e) == 0 && memcmp(e, e + E, sizeof e / 2) != 0, "two candidates of the prior");
    ok(unclip_set(u, "sample", "1") == 0 && unclip_prior(u, "a fish", 1, e) == 0 && !memcmp(e, e + E, sizeof e / 2), "the second one alone");
    ok(unclip_decode(u, "a fish", 1, e, x[0]) == 0 && unclip_set(u, "seed", "1") == 0 && unclip_decode(u, "a fish", 1, e, x[1]) == 0 &&
       memcmp(x[0], x[1], sizeof x[0]) != 0, "a picture, and another seed");
    ok(unclip_decode(u, NULL, 1, e, x[1]) == 0 && unclip_decode(u, "a fish", 1, NULL, x[1]) == 0, "a picture of an embedding alone, and of a text alone");
    ok(unclip_upsample(u, NULL, 1, 16, x[0], large) == 0 && isfinite(large[0]) && isfinite(large[3 * 64 * 64 - 1]), "enlarged");
    ok(unclip_upsample(u, NULL, 1, 63, x[0], large) < 0 && says(u, "63 x 63") && unclip_upsample(u, NULL, 1, SIZE_MAX / 2, x[0], large) < 0 &&
       unclip_upsample(u, NULL, 1, 0, x[0], large) < 0, "sides that the upsampler does not take");
    unclip_rgb(64, 64, x[0], rgb);
    ok(rgb[0] > 0, "bytes");
    unclip_watch(u, stop, seen);
    ok(unclip_set(u, "decode-steps", "4") == 0 && unclip_decode(u, "a fish", 1, e, x[0]) < 0 && says(u, "stopped by unclip_watch") && seen[0] == 2 &&
       seen[1] == 4, "a drawing that is stopped");
    unclip_watch(u, NULL, NULL);
    ok(unclip_prior(u, "a fish", 1024, e) < 0 && says(u, "samples 1 to 1024") && unclip_prior(u, "a fish", SIZE_MAX, e) < 0, "too many samples");
    e[3] = NAN, x[0][7] = INFINITY;
    ok(unclip_decode(u, "a fish", 1, e, x[0]) < 0 && says(u, "embed: number 4 is not finite"), "an embedding that is not finite");
    ok(unclip_upsample(u, NULL, 1, 64, x[0], large) < 0 && says(u, "image: number 8 is not finite"), "a picture that is not finite");
    unclip_free(u);
}

/* ---- records ---- */

static void write_records(const char *file, struct unclip *u) {
    FILE *f = fopen(file, "wb");
    const size_t shape[2] = {2, 3};
    const float v[6] = {1, 2, 3, -4, 5e-3f, 6};
    const void *bytes;
    size_t n;

    for (int i = 0; i < 2; i++) {
        struct unclip_record *r = unclip_record_new(u, i ? "two" : "one");

        if (!r || unclip_record_set_text(r, "text", "h\xc3\xa9llo") < 0 || unclip_record_set_number(r, "cos", 0.25) < 0 ||
            unclip_record_set_floats(r, "image_embed", "0123456789abcdef", 2, shape, v) < 0 || unclip_record_bytes(r, &bytes, &n) < 0)
            printf("Bail out! %s\n", unclip_error(u)), exit(1);
        fwrite(bytes, 1, n, f);
        unclip_record_free(r);
    }
    fclose(f);
}

static void getters(struct unclip *u, struct unclip_record *r) {
    const char *s, *t;
    float v[6];
    size_t n;

    ok(strcmp(unclip_record_id(r, &n), "one") == 0 && n == 3 && unclip_record_text(r, "text", &s, &n) == 1 && n == 6 && !strcmp(s, "h\xc3\xa9llo"),
       "id and text");
    ok(unclip_record_floats(r, "image_embed", 0, NULL, &n) == 1 && n == 6 && unclip_record_floats(r, "image_embed", 2, v, &n) == 1 && v[1] == 2, "numbers");
    ok(unclip_record_json(r, "cos", &t, NULL) == 1 && !strcmp(t, "0.25") && unclip_record_json(r, "model", &t, &n) == 1 &&
       !strcmp(t, "{\"image_embed\":\"0123456789abcdef\"}") && n == strlen(t), "JSON of fields");
    ok(unclip_record_json(r, NULL, &t, NULL) == 1 && strstr(t, "[[1.0,2.0,3.0],[-4.0,0.005,6.0]]") && t[strlen(t) - 1] == '}' && !strcmp(s, "h\xc3\xa9llo"),
       "JSON of the record; the text is still there");
    ok(unclip_record_text(r, "none", &s, NULL) == 0 && unclip_record_floats(r, "none", 0, NULL, &n) == 0 && unclip_record_json(r, "none", &s, NULL) == 0,
       "fields that the record does not have");
    ok(unclip_record_text(r, "cos", &s, NULL) < 0 && says(u, "field cos") && unclip_record_floats(r, "text", 0, NULL, &n) < 0 && says(u, "field text"),
       "fields of other types");
    ok(unclip_record_text(r, NULL, &s, NULL) < 0 && unclip_record_text(r, "x", NULL, NULL) < 0 && unclip_record_floats(r, "image_embed", 1, NULL, &n) < 0 &&
       unclip_record_floats(r, "image_embed", 0, NULL, NULL) < 0 && unclip_record_json(r, "x", NULL, NULL) < 0, "NULL: getters");
}

static void records(void) {
    struct unclip *u = unclip_new();
    struct unclip_reader *s;
    struct unclip_record *r = NULL;
    const void *bytes;
    const size_t shape[1] = {1}, huge[2] = {SIZE_MAX, 2};
    const float one[1] = {1};
    const char *json;
    float nan[1] = {NAN};
    struct stat st;
    size_t n;

    write_records(in_dir("two.clip"), u);
    stat(in_dir("two.clip"), &st);
    s = unclip_reader_new(u, in_dir("two.clip"));
    ok(s && unclip_reader_next(s, &r) == 1, "a stream without a model");
    getters(u, r);
    ok(unclip_record_set_text(r, "label", "new") == 0 && unclip_record_bytes(r, &bytes, &n) == 0 && n > (size_t)st.st_size / 2, "a record that was read is changed");
    ok(unclip_record_set_floats(r, "image_embed", NULL, 1, shape, one) == 0 && unclip_record_floats(r, "image_embed", 0, NULL, &n) == 1 && n == 1 &&
       unclip_record_json(r, "model", &json, NULL) == 1 && !strcmp(json, "{}"), "a tensor without a model has no fingerprint");
    unclip_record_free(r);
    ok(unclip_reader_next(s, &r) == 1 && !strcmp(unclip_record_id(r, NULL), "two") && unclip_reader_next(s, &r) == 0 && !r && unclip_reader_next(s, &r) == 0 &&
       unclip_reader_next(s, NULL) < 0, "to the end and further");
    unclip_reader_free(s);
    copy(in_dir("two.clip"), in_dir("half.clip"), (long)st.st_size * 3 / 4);
    s = unclip_reader_new(u, in_dir("half.clip"));
    ok(unclip_reader_next(s, &r) == 1 && unclip_reader_next(s, &r) < 0 && says(u, "half.clip: ") && !r && unclip_reader_next(s, &r) == 0, "a stream that was cut");
    unclip_reader_free(s);
    s = unclip_reader_new(u, FISH);
    ok(s && unclip_reader_next(s, &r) < 0 && says(u, "fish.png: ") && unclip_reader_next(s, &r) == 0, "a picture is not a stream");
    unclip_reader_free(s);
    ok(!unclip_reader_new(u, "nothing.clip") && says(u, "nothing.clip: No such file") && !unclip_reader_new(u, ".") && !unclip_reader_new(u, NULL), "no stream");
    ok(!unclip_record_new(u, NULL), "no id");
    r = unclip_record_new(u, "x");
    ok(unclip_record_set_text(r, NULL, "") < 0 && unclip_record_set_text(r, "x", NULL) < 0 && unclip_record_set_text(r, "\xff", "") < 0 && says(u, "UTF-8") &&
       unclip_record_set_number(r, "x", (double)INFINITY) < 0 && unclip_record_set_number(r, NULL, 0) < 0, "wrong texts and numbers");
    ok(unclip_record_set_floats(r, "x", NULL, 0, shape, nan) < 0 && unclip_record_set_floats(r, "x", NULL, 9, shape, nan) < 0 &&
       unclip_record_set_floats(r, "x", NULL, 1, shape, nan) < 0 && says(u, "not finite") && unclip_record_set_floats(r, "x", NULL, 2, huge, nan) < 0 &&
       unclip_record_set_floats(r, "x", NULL, 1, NULL, nan) < 0 && unclip_record_set_floats(r, "x", NULL, 1, shape, NULL) < 0, "wrong tensors");
    ok(unclip_record_bytes(r, NULL, &n) < 0 && unclip_record_bytes(r, &bytes, NULL) < 0 && unclip_record_bytes(r, &bytes, &n) == 0 && n == 20,
       "a record without fields");
    unclip_record_free(r);
    unclip_free(u);
}

/* A pipe: the reader has a buffer of its own, which ends with it. */
static void pipes(void) {
    struct unclip *u = unclip_new();
    struct unclip_reader *s;
    struct unclip_record *r;
    char name[32];
    int fd[2], from, seen = 0;
    static char all[4096];
    ssize_t n;

    if (pipe(fd) < 0)
        exit(1);
    from = open(in_dir("two.clip"), O_RDONLY);
    n = read(from, all, sizeof all);
    close(from);
    if (write(fd[1], all, (size_t)n) != n)
        exit(1);
    close(fd[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
    s = unclip_reader_new(u, name);
    close(fd[0]);
    while (s && unclip_reader_next(s, &r) > 0)
        seen++;
    ok(seen == 2, "records of a pipe");
    unclip_reader_free(s);
    unclip_free(u);
}

/* ---- what is left ---- */

static int count(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int lines(const char *file) {
    FILE *f = fopen(file, "r");
    int n = 0;

    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static void use(void) {
    static float e[E];
    const char *text = "a fish", *file = FISH;
    struct unclip *u = box();
    struct unclip_record *r = unclip_record_new(u, "x");

    unclip_set(u, "prior-steps", "1");
    if (unclip_embed_texts(u, 1, &text, e) < 0 || unclip_embed_files(u, 1, &file, e) < 0 || unclip_prior(u, text, 1, e) < 0 || !unclip_get(u, "decoder-model"))
        printf("Bail out! %s\n", unclip_error(u)), exit(1);
    unclip_record_free(r);
    unclip_free(u);
}

static void nothing_is_left(void) {
    int maps, files, tasks;

    use();
    maps = lines("/proc/self/maps"), files = count("/proc/self/fd"), tasks = count("/proc/self/task");
    for (int i = 0; i < 3; i++)
        use();
    ok(count("/proc/self/fd") == files && count("/proc/self/task") == tasks, "neither descriptors nor threads are left");
    ok(lines("/proc/self/maps") <= maps + 8, "no files are left mapped (%d lines, then %d)", maps, lines("/proc/self/maps"));
}

/* Prints the processor time of a group of tests. */
static void timed(const char *name, void (*group)(void)) {
    clock_t before = clock();

    group();
    printf("# %s: %.2f s\n", name, (double)(clock() - before) / CLOCKS_PER_SEC);
}
#define group(f) timed(#f, f)

int main(void) {
    if (!mkdtemp(dir))
        return 1;
    group(nothing);
    group(null_arguments);
    group(options);
    group(bad_models);
    group(second_try);
    group(halves);
    group(embeddings);
    group(drawing);
    group(records);
    group(pipes);
    group(nothing_is_left);
    if (fork() == 0)
        execlp("rm", "rm", "-r", dir, (char *)NULL);
    return done();
}
