/* Write the files that head_file.c reads: head_file_write of head_file.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/head_file.h"
#include "formats/io/file_replace.h"
#include "formats/io/json_text.h"
#include "formats/io/pathname.h"
#include "lib/base/little64.h"

enum { DIGITS = 17 };    /* digits of a number in JSON, enough for a reader to get every f64 exactly */

static json_t *labels(const struct head_file *f) {
    json_t *list = json_array();

    for (size_t i = 0; list && i < f->classes; i++)
        if (json_array_append_new(list, json_stringn((const char *)f->label[i].p, f->label[i].n)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int set_text(json_t *o, const char *key, const char *s) {
    return json_object_set_new(o, key, json_string(s));
}

/* Set the metadata that both kinds of file have.  If `text` is set, the values are strings, else JSON's own types. */
static int set_metadata(json_t *o, const struct head_file *f, size_t k, bool text) {
    const struct {
        const char *key;
        double v;
        bool given;
    } number[] = {
        {"C", f->c, f->c > 0}, {"temperature", f->temperature, f->temperature != 1}, {"n_train", f->n_train, f->n_train > 0},
        {"accuracy", f->accuracy, f->accuracy >= 0},
    };
    int bad = set_text(o, "format", "unclip-probe") | set_text(o, "features", f->pre_proj ? "pre-proj" : "embed") |
              set_text(o, "link", k == 1 ? "sigmoid" : "softmax");

    bad |= text ? set_text(o, "normalize", f->head.normalise ? "true" : "false")
                : json_object_set_new(o, "normalize", json_boolean(f->head.normalise));
    if (f->model[0])
        bad |= set_text(o, "model", f->model);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        char s[40];

        snprintf(s, sizeof s, "%.*g", DIGITS, number[i].v);
        if (number[i].given)
            bad |= text ? set_text(o, number[i].key, s) : json_object_set_new(o, number[i].key, json_real(number[i].v));
    }
    return bad;
}

/* ---- safetensors ---- */

static json_t *entry(size_t n, size_t m, size_t begin) {
    size_t end = begin + n * (m ? m : 1) * sizeof(float);

    return m ? json_pack("{s:s, s:[I,I], s:[I,I]}", "dtype", "F32", "shape", (json_int_t)n, (json_int_t)m, "data_offsets",
                         (json_int_t)begin, (json_int_t)end)
             : json_pack("{s:s, s:[I], s:[I,I]}", "dtype", "F32", "shape", (json_int_t)n, "data_offsets",
                         (json_int_t)begin, (json_int_t)end);
}

static char *header(const struct head_file *f, size_t k, size_t d) {
    json_t *o = json_object(), *meta = json_object(), *list = labels(f);
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL, *s = NULL;
    int bad = !o || !meta || !text || set_metadata(meta, f, k, true) || set_text(meta, "labels", text);

    if (!bad && json_object_set(o, "__metadata__", meta) == 0 && json_object_set_new(o, "bias", entry(k, 0, 0)) == 0 &&
        json_object_set_new(o, "weight", entry(k, d, k * sizeof(float))) == 0)
        s = json_dumps(o, JSON_COMPACT);
    free(text);
    json_decref(list);
    json_decref(meta);
    json_decref(o);
    return s;
}

static int write_safetensors(const char *path, const struct head_file *f, const double *theta, size_t k, size_t d,
                             struct arena scratch, struct err *e) {
    char *head = header(f, k, d);
    size_t n = head ? strlen(head) : 0, pad = (8 - n % 8) % 8, bytes = 8 + n + pad + k * (d + 1) * sizeof(float);
    unsigned char *out = head ? arena_take(&scratch, bytes, 1) : NULL;
    float v;

    if (!out) {
        free(head);
        return err_set(e, "no memory for the file");
    }
    little64_put(out, n + pad);
    memcpy(out + 8, head, n);
    memset(out + 8 + n, ' ', pad);
    free(head);
    for (size_t j = 0; j < k; j++) {
        unsigned char *bias = out + 8 + n + pad + j * sizeof v, *row = out + 8 + n + pad + (k + j * d) * sizeof v;

        v = (float)theta[j * (d + 1) + d];
        memcpy(bias, &v, sizeof v);
        for (size_t i = 0; i < d; i++) {
            v = (float)theta[j * (d + 1) + i];
            memcpy(row + i * sizeof v, &v, sizeof v);
        }
    }
    return file_replace(path, out, bytes, e);
}

/* ---- JSON ---- */

static int write_json(const char *path, const struct head_file *f, const double *theta, size_t k, size_t d, struct err *e) {
    json_t *o = json_object(), *coef = json_array(), *intercept = json_array();
    char *text = NULL;
    int bad = !o || set_metadata(o, f, k, false) || json_object_set_new(o, "classes", labels(f)), r = -1;

    for (size_t j = 0; !bad && j < k; j++) {
        json_t *row = json_array();

        for (size_t i = 0; i < d && !bad; i++)
            bad = json_array_append_new(row, json_real(theta[j * (d + 1) + i]));
        bad |= json_array_append_new(coef, row) | json_array_append_new(intercept, json_real(theta[j * (d + 1) + d]));
    }
    if (!bad && json_object_set(o, "coef", coef) == 0 && json_object_set(o, "intercept", intercept) == 0 &&
        json_object_set_new(o, "n_features_in", json_integer((json_int_t)d)) == 0)
        text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(coef);
    json_decref(intercept);
    json_decref(o);
    if (text)
        r = file_replace(path, text, strlen(text), e);
    else
        err_set(e, "no memory for the file");
    free(text);
    return r;
}

int head_file_write(const char *path, const struct head_file *f, const double *theta, size_t k, size_t d,
                    struct arena scratch, struct err *e) {
    if (path_ends(path, ".json"))
        return write_json(path, f, theta, k, d, e);
    return write_safetensors(path, f, theta, k, d, scratch, e);
}
