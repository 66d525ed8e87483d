/* preprocessor_config.json and processor_config.json, the settings of transformers' image processors.  A key in
 * read_keys is read, and a key in any_keys changes no picture that comes from a file.  Any other key is refused if it
 * is set. */
#include <string.h>

#include "formats/checkpoint/clip_config.h"
#include "formats/io/json_text.h"

struct prep clip_prep_default(size_t side, enum prep_crop rule) {
    return (struct prep){
        .size = side, .crop = side, .resize = RESIZE_SHORTEST, .rule = rule,
        .filter = FILTER_BICUBIC, .normalize = true,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f},
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
        .rescale = rule == CROP_HF ? 1 / 255. : 0,
    };
}

static const char *const read_keys[] = {
    "image_processor_type", "feature_extractor_type", "do_resize", "size", "resample", "do_center_crop", "crop_size",
    "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std",
};

/* These keys are for the library itself, or for pictures that do not come from files. */
static const char *const any_keys[] = {
    "processor_class", "_processor_class", "_valid_processor_keys", "do_convert_rgb", "data_format", "input_data_format",
    "device", "return_tensors", "disable_grouping", "transformers_version", "name_or_path", "_name_or_path",
};

static bool in_list(const char *name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, list[i]))
            return true;
    return false;
}

static int check_keys(json_t *o, struct err *e) {
    const char *name;
    json_t *v;

    json_object_foreach(o, name, v)
        if (!in_list(name, read_keys, sizeof read_keys / sizeof *read_keys) &&
            !in_list(name, any_keys, sizeof any_keys / sizeof *any_keys) && !json_is_null(v) && !json_is_false(v))
            return err_set(e, "%.60s is set, which is not supported", name);
    return 0;
}

static int get_triple(const json_t *o, const char *key, float v[3], double min, double max,
                      struct err *e) {
    const json_t *x = json_get(o, key);

    if (!x)
        return 0;
    if (json_array_size(x) != 3)
        return err_set(e, "%s is not three numbers", key);
    for (size_t i = 0; i < 3; i++) {
        double f = json_number_value(json_array_get(x, i));

        if (!json_is_number(json_array_get(x, i)) || !(f >= min && f <= max))
            return err_set(e, "%s: %g is out of range", key, f);
        v[i] = (float)f;
    }
    return 0;
}

/* Holds a size, which a file may give in any of the forms that the library takes. */
struct side {
    size_t n;           /* the shortest edge, or the side of the square */
    size_t most;        /* the longest edge, or 0 if that edge is not limited */
    bool shortest;
};

static int not_a_size(const char *key, struct err *e) {
    return err_set(e, "%s is neither a shortest edge nor a square", key);
}

/* Returns the number of members that are not null. */
static size_t members(json_t *o) {
    const char *name;
    json_t *v;
    size_t n = 0;

    json_object_foreach(o, name, v)
        n += !json_is_null(v);
    return n;
}

/* Read {"shortest_edge": n}, {"shortest_edge": n, "longest_edge": m}, {"height": n, "width": n}, [n, n] or n. */
static int get_side(json_t *o, const char *key, struct side *s, struct err *e) {
    json_t *v = json_object_get(o, key);
    size_t h = 0, w = 0, most = 0, shortest = 0;

    if (!v || json_is_null(v))
        return 0;
    *s = (struct side){.shortest = true};
    if (json_is_array(v)) {
        json_int_t a = json_integer_value(json_array_get(v, 0));

        if (json_array_size(v) != 2 || a < 1 || a > JSON_SIZE_MAX || !json_equal(json_array_get(v, 0), json_array_get(v, 1)))
            return not_a_size(key, e);
        *s = (struct side){.n = (size_t)a};
        return 0;
    }
    if (!json_is_object(v))
        return json_get_size(o, key, &s->n, e);
    if (json_get_size(v, "height", &h, e) < 0 || json_get_size(v, "width", &w, e) < 0 ||
        json_get_size(v, "shortest_edge", &shortest, e) < 0 || json_get_size(v, "longest_edge", &most, e) < 0)
        return -1;
    if (shortest && members(v) == (most ? 2u : 1u))
        *s = (struct side){shortest, most, true};
    else if (h && h == w && members(v) == 2)
        *s = (struct side){.n = h};
    else
        return not_a_size(key, e);
    return 0;
}

/* If the file names the processor that wrote it, the name must be that of CLIP's processor. */
static int check_processor(const json_t *j, struct err *e) {
    static const char *const key[] = {"image_processor_type", "feature_extractor_type"};

    for (size_t i = 0; i < 2; i++) {
        const char *s = json_string_value(json_get(j, key[i]));

        if (s && strncmp(s, "CLIPImageProcessor", 18) && strcmp(s, "CLIPFeatureExtractor"))
            return err_set(e, "%s %.60s is not supported", key[i], s);
    }
    return 0;
}

static int read_prep(struct prep *p, json_t *j, struct err *e) {
    struct side size = {224, 0, true}, crop = {.n = 224};
    bool resize = true, center = true, scale = true;
    const json_t *r = json_get(j, "resample");

    *p = clip_prep_default(224, CROP_HF);
    if (check_processor(j, e) < 0 || check_keys(j, e) < 0 || json_get_bool(j, "do_resize", &resize, e) < 0 ||
        json_get_bool(j, "do_center_crop", &center, e) < 0 || json_get_bool(j, "do_rescale", &scale, e) < 0 ||
        json_get_bool(j, "do_normalize", &p->normalize, e) < 0 ||
        json_get_real(j, "rescale_factor", &p->rescale, 1e-6, 1e6, e) < 0 ||
        get_side(j, "size", &size, e) < 0 || get_side(j, "crop_size", &crop, e) < 0 ||
        get_triple(j, "image_mean", p->mean, -1e3, 1e3, e) < 0 ||
        get_triple(j, "image_std", p->std, 1e-6, 1e6, e) < 0)
        return -1;
    if (r && (!json_is_integer(r) || json_integer_value(r) < 0 || json_integer_value(r) > FILTER_HAMMING))
        return err_set(e, "resample is not one of Pillow's filters, 0 to %d", FILTER_HAMMING);
    if (r)
        p->filter = (enum prep_filter)json_integer_value(r);
    p->size = size.n;
    p->most = size.most;
    p->resize = size.shortest ? RESIZE_SHORTEST : RESIZE_SQUASH;
    if (!center && (size.shortest || !resize))
        return err_set(e, "without do_center_crop pictures would not be square");
    p->crop = center ? crop.n : p->size;
    if (!resize)
        p->size = 0;
    if (!scale)
        p->rescale = 1;
    return 0;
}

int clip_prep_hf(struct prep *p, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? read_prep(p, j, e) : -1;

    json_decref(j);
    return r;
}

int clip_prep_processor(struct prep *p, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e), *v = json_object_get(j, "image_processor");
    int r;

    if (!j)
        return -1;
    if (!v || json_is_null(v))
        r = 0;
    else if (!json_is_object(v))
        r = err_set(e, "image_processor is not an object");
    else
        r = read_prep(p, v, e) < 0 ? -1 : 1;
    json_decref(j);
    return r;
}
