#include "formats/checkpoint/head_file.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/safetensors.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/json_text.h"

enum { LAYER_MAX = 999, FILE_MAX = 1 << 30 };

/* ---- metadata ---- */

static int read_labels(struct head_file *f, const json_t *v, struct arena *a, struct err *e) {
    size_t i;
    json_t *x;

    if (!json_is_array(v) || !json_array_size(v))
        return err_set(e, "classes are not an array with a member");
    f->classes = json_array_size(v);
    if (!(f->label = arena_take(a, f->classes, sizeof *f->label)))
        return err_set(e, "no memory for %zu labels", f->classes);
    json_array_foreach(v, i, x) {
        char number[32];
        const char *s = json_string_value(x);
        char *copy;

        if (json_is_integer(x))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(x));
        else if (json_is_real(x))
            snprintf(number, sizeof number, "%.17g", json_real_value(x));
        else if (!s)
            return err_set(e, "class %zu is neither text nor a number", i);
        s = s ? s : number;
        if (!(copy = arena_str(a, s, strlen(s))))
            return err_set(e, "no memory for %zu labels", f->classes);
        f->label[i] = span_of(copy);
    }
    return 0;
}

/* Read a member that is a number, or a string that holds a number. */
static int read_number(const json_t *o, const char *key, double *v, struct err *e) {
    const json_t *x = json_get(o, key);
    const char *s = json_string_value(x);
    char *end;

    if (!x)
        return 0;
    if (json_is_number(x))
        *v = json_number_value(x);
    else if (s && *s)
        *v = strtod(s, &end);
    if (!(json_is_number(x) || (s && *s && !*end)) || !isfinite(*v))
        return err_set(e, "%s is not a number", key);
    return 0;
}

/* Read a member that is one of `words`, which are separated by "|".  Returns 1 with the index of the word in *v, 0 if
 * the member is absent, or -1 for another value. */
static int read_word(const json_t *o, const char *key, const char *words, int *v, struct err *e) {
    const json_t *x = json_get(o, key);
    const char *s = json_is_true(x) ? "true" : json_is_false(x) ? "false" : json_string_value(x);
    int i = 0;

    if (!x)
        return 0;
    for (const char *w = words; s && *w; i++) {
        size_t n = strcspn(w, "|");

        if (strlen(s) == n && !memcmp(w, s, n)) {
            *v = i;
            return 1;
        }
        w += n + (w[n] == '|');
    }
    return err_set(e, "%s is not one of %s", key, words);
}

static int read_metadata(struct head_file *f, const json_t *o, enum head_activation *activation, struct arena *a,
                         struct err *e) {
    const char *labels = json_string_value(json_get(o, "labels")), *model = json_string_value(json_get(o, "model"));
    const char *format = json_string_value(json_get(o, "format"));
    int normalise = f->head.normalise, features = 0, link = (int)f->head.link, act = -1;
    json_t *list;
    int r;

    if (format && !strcmp(format, "unclip-probe"))
        f->kind = "unclip-probe";
    if (labels) {
        if (!(list = json_text_load(labels, strlen(labels), e)))
            return -1;
        r = read_labels(f, list, a, e);
        json_decref(list);
        if (r < 0)
            return -1;
    }
    if ((r = read_word(o, "normalize", "false|true", &normalise, e)) < 0)
        return -1;
    f->knows_normalise = r == 1;
    if (read_word(o, "features", "embed|pre-proj", &features, e) < 0 ||
        read_word(o, "link", "identity|sigmoid|softmax", &link, e) < 0 ||
        read_word(o, "activation", "none|relu", &act, e) < 0 || read_number(o, "C", &f->c, e) < 0 ||
        read_number(o, "temperature", &f->temperature, e) < 0 || read_number(o, "n_train", &f->n_train, e) < 0 ||
        read_number(o, "accuracy", &f->accuracy, e) < 0)
        return -1;
    if (!(f->temperature > 0))
        return err_set(e, "temperature is not above 0");
    if (model) {
        if (strlen(model) != 16 || strspn(model, "0123456789abcdef") != 16)
            return err_set(e, "model is not a fingerprint of 16 hex digits");
        memcpy(f->model, model, 17);
    }
    f->head.normalise = normalise;
    f->pre_proj = features == 1;
    f->head.link = (enum head_link)link;
    if (act >= 0)
        *activation = act ? HEAD_ACT_RELU : HEAD_ACT_NONE;
    return 0;
}

/* Compare the numbers of labels and outputs, and choose the link.  One output stands for two classes. */
static int check_labels(struct head_file *f, struct err *e) {
    const size_t out = head_out(&f->head);

    if (!f->classes)
        return 0;
    if (f->classes != (out == 1 ? 2 : out))
        return err_set(e, "%zu labels for %zu outputs", f->classes, out);
    f->head.link = out == 1 ? HEAD_SIGMOID : HEAD_SOFTMAX;
    return 0;
}

/* ---- tensors ---- */

static int take(const struct weights *ws, const char *name, int nd, const float **v, size_t *n, size_t *m, struct arena *a,
                struct err *e) {
    const struct weight *w = weights_find(ws, name);
    size_t count;

    if (!w)
        return err_set(e, "no tensor %s", name);
    if (w->t.nd != nd || tensor_count(&w->t, &count) < 0 || !count)
        return err_set(e, "tensor %s does not have %d axes", name, nd);
    if (!(*v = tensor_all_f32(&w->t, a)))
        return err_set(e, "no memory for tensor %s", name);
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*v)[i]))
            return err_set(e, "tensor %s has a number that is not finite", name);
    *n = w->t.shape[0];
    if (nd == 2)
        *m = w->t.shape[1];
    return 0;
}

static int take_layer(struct head_layer *l, const struct weights *ws, const char *prefix, struct arena *a, struct err *e) {
    char weight[64], bias[64];
    size_t n = 0, m = 0;

    snprintf(weight, sizeof weight, "%sweight", prefix);
    snprintf(bias, sizeof bias, "%sbias", prefix);
    *l = (struct head_layer){.in = 0};
    if (take(ws, weight, 2, &l->weight, &l->out, &l->in, a, e) < 0)
        return -1;
    if (!weights_find(ws, bias))
        return 0;
    if (take(ws, bias, 1, &l->bias, &n, &m, a, e) < 0)
        return -1;
    if (n != l->out)
        return err_set(e, "tensor %s has %zu numbers for %zu outputs", bias, n, l->out);
    return 0;
}

/* The published heads, and which of their layers ReLU follows. */
static const struct known {
    int n, number[HEAD_LAYERS];
    unsigned relu;    /* bit i: ReLU follows layer number[i] */
    const char *kind;
} known[] = {
    {5, {0, 2, 4, 6, 7}, 0, "layers 0 2 4 6 7"},
    {5, {0, 3, 6, 9, 11}, 0xf, "layers 0 3 6 9 11"},
    {7, {0, 3, 6, 9, 12, 15, 16}, 0x1f, "layers 0 3 6 9 12 15 16"},
};

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Find the numbers N of the tensors layers.N.weight, in ascending order.  Returns how many there are, or -1. */
static int layer_numbers(const struct weights *ws, int number[HEAD_LAYERS], struct err *e) {
    int n = 0;

    for (size_t i = 0; i < ws->n; i++) {
        const char *s = ws->w[i].name;
        char *end;
        long v;

        if (strncmp(s, "layers.", 7) || !isdigit((unsigned char)s[7]))
            continue;
        v = strtol(s + 7, &end, 10);
        if (strcmp(end, ".weight"))
            continue;
        if (n == HEAD_LAYERS || v > LAYER_MAX)
            return err_set(e, "more than %d layers", HEAD_LAYERS);
        number[n++] = (int)v;
    }
    qsort(number, (size_t)n, sizeof *number, by_number);
    return n;
}

static int take_layers(struct head_file *f, const struct weights *ws, enum head_activation activation, struct arena *a,
                       struct err *e) {
    const struct known *is = NULL;
    int number[HEAD_LAYERS], n = layer_numbers(ws, number, e);
    char prefix[32];

    if (n < 0)
        return -1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].n == n && !memcmp(known[i].number, number, (size_t)n * sizeof *number))
            is = &known[i];
    if (n > 1 && !is && activation == HEAD_ACT_UNKNOWN)
        return err_set(e, "its layers are not those of a known head: say with --hidden whether ReLU follows them");
    for (int i = 0; i < n; i++) {
        struct head_layer *l = &f->head.layer[f->head.n++];

        snprintf(prefix, sizeof prefix, "layers.%d.", number[i]);
        if (take_layer(l, ws, prefix, a, e) < 0)
            return -1;
        l->relu = activation != HEAD_ACT_UNKNOWN ? activation == HEAD_ACT_RELU && i + 1 < n
                                                 : is && (is->relu >> i & 1);
    }
    f->kind = is ? is->kind : "layers";
    return 0;
}

static int from_weights(struct head_file *f, const struct weights *ws, enum head_activation activation, struct arena *a,
                        struct err *e) {
    size_t n = 0, m = 0, v = 0;
    bool linear = weights_find(ws, "weight");

    if (linear) {
        if (!f->kind)
            f->kind = "linear";
        if (take_layer(&f->head.layer[f->head.n++], ws, "", a, e) < 0)
            return -1;
    } else {
        const char *kind = f->kind;

        if (take_layers(f, ws, activation, a, e) < 0)
            return -1;
        if (kind)
            f->kind = kind;
    }
    if (!f->head.n)
        return err_set(e, "neither weight nor layers.N.weight is in it");
    if (head_fold(&f->head, a, e) < 0)
        return -1;
    if (!weights_find(ws, "mean") && !weights_find(ws, "variance"))
        return 0;
    if (take(ws, "mean", 1, &f->head.mean, &n, &m, a, e) < 0 || take(ws, "variance", 1, &f->head.variance, &v, &m, a, e) < 0)
        return -1;
    if (n != head_in(&f->head) || v != n)
        return err_set(e, "mean and variance have %zu and %zu numbers for an input of %zu", n, v, head_in(&f->head));
    for (size_t i = 0; i < n; i++)
        if (f->head.variance[i] < 0)
            return err_set(e, "variance %zu is negative", i);
    return 0;
}

/* ---- JSON ---- */

static int json_floats(const json_t *v, size_t n, float *out, const char *what, struct err *e) {
    if (!json_is_array(v) || json_array_size(v) != n)
        return err_set(e, "%s is not an array of %zu numbers", what, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(v, i);

        out[i] = (float)json_number_value(x);
        if (!json_is_number(x) || !isfinite(out[i]))
            return err_set(e, "%s: member %zu is not a finite number", what, i);
    }
    return 0;
}

static int from_json(struct head_file *f, const json_t *o, struct arena *a, struct err *e) {
    const json_t *coef = json_get(o, "coef"), *intercept = json_get(o, "intercept");
    size_t k = json_array_size(coef), d = json_array_size(json_array_get(coef, 0));
    enum head_activation unused = HEAD_ACT_UNKNOWN;
    float *w, *b;

    f->kind = "scikit-learn";
    f->head.normalise = false;
    if (!k || !d)
        return err_set(e, "coef is not an array of arrays of numbers");
    w = arena_take(a, k * d, sizeof *w);
    b = arena_take(a, k, sizeof *b);
    if (!w || !b)
        return err_set(e, "no memory for %zu x %zu coefficients", k, d);
    for (size_t i = 0; i < k; i++)
        if (json_floats(json_array_get(coef, i), d, w + i * d, "coef", e) < 0)
            return -1;
    if (json_floats(intercept, k, b, "intercept", e) < 0)
        return -1;
    f->head.layer[0] = (struct head_layer){d, k, w, b, false};
    f->head.n = 1;
    if (read_metadata(f, o, &unused, a, e) < 0)
        return -1;
    if (json_get(o, "classes") && read_labels(f, json_get(o, "classes"), a, e) < 0)
        return -1;
    return check_labels(f, e);
}

/* ---- the whole ---- */

static bool looks_like_json(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n && i < 64; i++)
        if (!isspace(p[i]))
            return p[i] == '{';
    return false;
}

int head_file_parse(struct head_file *f, const unsigned char *p, size_t n, enum head_activation activation,
                    struct arena *a, struct err *e) {
    enum weights_kind kind;
    struct weights ws;
    json_t *j;
    int r;

    *f = (struct head_file){.temperature = 1, .accuracy = -1, .head.normalise = true};
    if (n > FILE_MAX)
        return err_set(e, "%zu bytes are too many for a head", n);
    if (!weights_sniff(p, n) && looks_like_json(p, n)) {
        if (!(j = json_object_load(p, n, e)))
            return -1;
        r = from_json(f, j, a, e);
        json_decref(j);
        return r;
    }
    if (n > 1 && p[0] == 0x80 && !weights_sniff(p, n))
        return err_set(e, "a pickle of another program is not read: no code is run");
    if (weights_read(&ws, &kind, p, n, a, e) < 0)
        return -1;
    if (kind == WEIGHTS_SAFETENSORS) {
        if (safetensors_metadata(p, n, &j, e) < 0)
            return -1;
        r = read_metadata(f, j, activation == HEAD_ACT_UNKNOWN ? &activation : &(enum head_activation){activation}, a, e);
        json_decref(j);
        if (r < 0)
            return -1;
    }
    if (from_weights(f, &ws, activation, a, e) < 0)
        return -1;
    return check_labels(f, e);
}
