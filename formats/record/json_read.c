#include "formats/record/json_record.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "formats/io/base64.h"

struct in {
    struct mp *m;
    struct arena scratch;
    struct err *e;
};

static int put_value(struct in *in, json_t *v, int depth);

static int bad(struct in *in, const char *why) {
    return err_set(in->e, "%s", why);
}

static struct span text_of(const json_t *s) {
    return span_bytes(json_string_value(s), json_string_length(s));
}

/* Decodes the base64 string s into *out, which is valid until the next call. */
static int bytes_of(struct in *in, const json_t *s, struct span *out) {
    struct arena a = in->scratch;
    size_t n = json_string_length(s), len;
    unsigned char *p = arena_take(&a, n / 4 * 3, 1);

    if (!p)
        return bad(in, "out of memory");
    if (!json_is_string(s) || base64_decode(p, &len, json_string_value(s), n) < 0)
        return bad(in, "not base64");
    *out = span_bytes(p, len);
    return 0;
}

/* If v is an object with one key, and the key begins with $, like {"$bytes": ...}, sets *name to the key and returns
 * the value.  Else returns NULL. */
static json_t *special(json_t *v, const char **name) {
    void *it;

    if (!json_is_object(v) || json_object_size(v) != 1)
        return NULL;
    it = json_object_iter(v);
    *name = json_object_iter_key(it);
    return **name == '$' ? json_object_iter_value(it) : NULL;
}

static json_t *named(json_t *v, const char *want) {
    const char *name;
    json_t *in = special(v, &name);

    return in && !strcmp(name, want) ? in : NULL;
}

/* ---- the contents of arrays and maps; the caller writes their heads (kind and length) ---- */

static size_t pairs_of(json_t *v) {
    json_t *list = named(v, "$map");

    return list ? json_array_size(list) : json_object_size(v);
}

static int put_pairs(struct in *in, json_t *v, int depth) {
    json_t *list = named(v, "$map"), *pair, *val;
    const char *key;
    size_t i;

    if (!list) {
        json_object_foreach(v, key, val) {
            mp_str(in->m, key, strlen(key));
            if (put_value(in, val, depth) < 0)
                return -1;
        }
        return 0;
    }
    if (!json_is_array(list))
        return bad(in, "$map: not a list of [key, value]");
    json_array_foreach(list, i, pair) {
        if (!json_is_array(pair) || json_array_size(pair) != 2)
            return bad(in, "$map: not a list of [key, value]");
        if (put_value(in, json_array_get(pair, 0), depth) < 0 ||
            put_value(in, json_array_get(pair, 1), depth) < 0)
            return -1;
    }
    return 0;
}

static int put_elements(struct in *in, json_t *v, int depth) {
    json_t *x;
    size_t i;

    json_array_foreach(v, i, x)
        if (put_value(in, x, depth) < 0)
            return -1;
    return 0;
}

/* ---- tensors ---- */

static bool fits_int(enum dtype dt, int64_t n) {
    bool is_signed = dt != DT_U8 && dt != DT_BOOL;
    unsigned bits = 8 * (unsigned)dtype_size(dt) - is_signed;

    return bits == 63 || (n >> bits) == (n < 0 && is_signed ? -1 : 0);
}

/* Writes the numbers of the nested arrays v, which must have the shape given, as elements of type dt. */
static int put_numbers(struct in *in, enum dtype dt, json_t *v, int nd, const size_t *shape) {
    unsigned char raw[8];
    double d;
    float f;
    unsigned short h;
    int64_t n;

    if (nd) {
        if (!json_is_array(v) || json_array_size(v) != shape[0])
            return bad(in, "$nd: its data does not have its shape");
        for (size_t i = 0; i < shape[0]; i++)
            if (put_numbers(in, dt, json_array_get(v, i), nd - 1, shape + 1) < 0)
                return -1;
        return 0;
    }
    if (!json_is_number(v) && !json_is_boolean(v))
        return bad(in, "$nd: its data has a value that is not a number");
    d = json_number_value(v);
    f = (float)d;
    h = f32_f16(f);
    n = json_is_integer(v) ? json_integer_value(v) : json_is_true(v);
    switch (dt) {
    case DT_F64: memcpy(raw, &d, 8); break;
    case DT_F32: memcpy(raw, &f, 4); break;
    case DT_F16: memcpy(raw, &h, 2); break;
    default: memcpy(raw, &n, 8);
    }
    if (dt == DT_F32 || dt == DT_F16 ? !(f - f == 0) || (dt == DT_F16 && (h & 0x7c00) == 0x7c00) :
        dt != DT_F64 && (json_is_real(v) || !fits_int(dt, n)))
        return bad(in, "$nd: its data holds a number that its type cannot");
    mp_raw(in->m, span_bytes(raw, dtype_size(dt)));
    return 0;
}

static int read_shape(struct in *in, json_t *v, struct tensor *t) {
    if (!json_is_array(v) || json_array_size(v) > TENSOR_DIMS)
        return bad(in, "$nd: no shape of at most 8 sizes");
    t->nd = (int)json_array_size(v);
    for (int i = 0; i < t->nd; i++) {
        json_t *x = json_array_get(v, (size_t)i);

        if (!json_is_integer(x) || json_integer_value(x) < 0)
            return bad(in, "$nd: no shape of at most 8 sizes");
        t->shape[i] = (size_t)json_integer_value(x);
    }
    return 0;
}

static int put_nd(struct in *in, json_t *v) {
    json_t *type = json_object_get(v, "type"), *data = json_object_get(v, "data");
    struct tensor t = {.nd = 0};
    struct span bytes;
    size_t n;

    if (json_object_size(v) != 3 || !json_is_string(type) || mp_dtype(text_of(type), &t.dtype) < 0)
        return bad(in, "$nd: not a type, a shape and data that are known");
    if (read_shape(in, json_object_get(v, "shape"), &t) < 0)
        return -1;
    if (tensor_count(&t, &n) < 0 || __builtin_mul_overflow(n, dtype_size(t.dtype), &n))
        return bad(in, "$nd: a shape that overflows");
    if (json_is_string(data)) {
        if (bytes_of(in, data, &bytes) < 0)
            return -1;
        if (bytes.n != n)
            return bad(in, "$nd: its data does not have its shape");
        mp_tensor(in->m, t.dtype, bytes.p, t.nd, t.shape);
        return 0;
    }
    if (n > UINT32_MAX)
        return bad(in, "$nd: 4 GiB or more");
    mp_tensor_head(in->m, t.dtype, n, t.nd, t.shape);
    return put_numbers(in, t.dtype, data, t.nd, t.shape);
}

/* ---- values with "$as", whose encoding is not the smallest ---- */

/* Writes the byte `first` and then v in `width` bytes, big-endian. */
static void put_head(struct in *in, int first, uint64_t v, size_t width) {
    unsigned char raw[9] = {(unsigned char)first};

    for (size_t i = 0; i < width; i++)
        raw[1 + i] = (unsigned char)(v >> 8 * (width - 1 - i));
    mp_raw(in->m, span_bytes(raw, 1 + width));
}

static int put_integer_as(struct in *in, int first, json_t *v) {
    size_t width = (size_t)1 << ((first - 0xcc) & 3);
    bool is_signed = first >= 0xd0;
    unsigned bits = 8 * (unsigned)width - is_signed;
    uint64_t u = 0;
    int64_t n = json_integer_value(v);

    if (json_is_string(v) && first == 0xcf && json_string_length(v)) {
        for (const char *s = json_string_value(v); *s; s++)
            if (*s < '0' || *s > '9' || __builtin_mul_overflow(u, 10, &u) ||
                __builtin_add_overflow(u, (uint64_t)(*s - '0'), &u))
                return bad(in, "$as: not a number of that form");
        put_head(in, first, u, 8);
        return 0;
    }
    if (!json_is_integer(v) || (!is_signed && n < 0) || (bits < 63 && (n >> bits) != (n < 0 ? -1 : 0)))
        return bad(in, "$as: not a number of that form");
    put_head(in, first, (uint64_t)n, width);
    return 0;
}

/* Sets *s to the payload of v, which is a str, bin or ext.  Sets *ext to the type of an ext (0 to 255), or to -1 for a
 * str or bin. */
static int payload_of(struct in *in, json_t *v, struct span *s, int *ext) {
    json_t *b = named(v, "$bytes"), *x = named(v, "$ext");

    *ext = -1;
    if (json_is_string(v)) {
        *s = text_of(v);
        return 0;
    }
    if (x) {
        json_t *type = json_array_get(x, 0);

        if (json_array_size(x) != 2 || !json_is_integer(type) || json_integer_value(type) < -128 ||
            json_integer_value(type) > 127)
            return bad(in, "$ext: not [type, base64]");
        *ext = (int)json_integer_value(type) & 255;
        b = json_array_get(x, 1);
    }
    return b ? bytes_of(in, b, s) : bad(in, "$as: not a value of that form");
}

/* Writes v, a str, bin or ext, in the encoding that `form` stands for.  `form` is the first byte of the encoding, c4 to
 * c9 or d9 to db, or 0 for fixstr. */
static int put_bytes_as(struct in *in, int form, json_t *v) {
    bool ext = form >= 0xc7 && form <= 0xc9;
    size_t width = form ? (size_t)1 << (form >= 0xd9 ? form - 0xd9 : form >= 0xc7 ? form - 0xc7 : form - 0xc4) : 0;
    struct span s;
    int type;

    if (payload_of(in, v, &s, &type) < 0)
        return -1;
    if ((type >= 0) != ext || s.n > (form ? UINT32_MAX >> (32 - 8 * width) : 31))
        return bad(in, "$as: not a value of that form");
    if (form)
        put_head(in, form, s.n, width);
    else
        put_head(in, 0xa0 | (int)s.n, 0, 0);
    if (ext)
        put_head(in, type, 0, 0);
    mp_raw(in->m, s);
    return 0;
}

static int put_container_as(struct in *in, int form, json_t *v, int depth) {
    size_t width = form == 0xdc || form == 0xde ? 2 : 4;
    size_t n = form >= 0xde ? pairs_of(v) : json_array_size(v);

    if (!(form >= 0xde ? json_is_object(v) : json_is_array(v)) || n > UINT32_MAX >> (32 - 8 * width))
        return bad(in, "$as: not a value of that form");
    if (depth >= MP_DEPTH)
        return bad(in, "nested too deeply");
    put_head(in, form, n, width);
    return form >= 0xde ? put_pairs(in, v, depth + 1) : put_elements(in, v, depth + 1);
}

static int put_as(struct in *in, json_t *args, int depth) {
    json_t *name = json_array_get(args, 0), *v = json_array_get(args, 1);
    int form = json_is_string(name) ? mp_form(json_string_value(name)) : -1;
    float f;
    uint32_t u;

    if (json_array_size(args) != 2 || !json_is_string(name))
        return bad(in, "$as: not [form, value]");
    if (!strcmp(json_string_value(name), "fixstr"))
        return put_bytes_as(in, 0, v);
    if (form == 0xca && json_is_number(v)) {
        f = (float)json_number_value(v);
        memcpy(&u, &f, 4);
        put_head(in, form, u, 4);
        return 0;
    }
    if (form >= 0xcc && form <= 0xd3)
        return put_integer_as(in, form, v);
    if ((form >= 0xc4 && form <= 0xc9) || (form >= 0xd9 && form <= 0xdb))
        return put_bytes_as(in, form, v);
    if (form >= 0xdc)
        return put_container_as(in, form, v, depth);
    return bad(in, "$as: not a form that is known, and a value of it");
}

/* ---- values ---- */

static int put_special(struct in *in, const char *name, json_t *v, json_t *whole, int depth) {
    struct span s;
    int ext;

    if (!strcmp(name, "$bytes")) {
        if (bytes_of(in, v, &s) < 0)
            return -1;
        mp_bin(in->m, s.p, s.n);
        return 0;
    }
    if (!strcmp(name, "$ext")) {
        if (payload_of(in, whole, &s, &ext) < 0)
            return -1;
        mp_ext(in->m, (signed char)ext, s.p, s.n);
        return 0;
    }
    if (!strcmp(name, "$nd"))
        return put_nd(in, v);
    if (!strcmp(name, "$as"))
        return put_as(in, v, depth);
    if (strcmp(name, "$map") != 0)
        return err_set(in->e, "%.32s is not known (an object with this one key is written {\"$map\": ...})", name);
    mp_map(in->m, pairs_of(whole));
    return put_pairs(in, whole, depth + 1);
}

static int put_value(struct in *in, json_t *v, int depth) {
    const char *name;
    json_t *inner = special(v, &name);

    if (depth > MP_DEPTH)
        return bad(in, "nested too deeply");
    if (inner)
        return put_special(in, name, inner, v, depth);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        mp_map(in->m, json_object_size(v));
        return put_pairs(in, v, depth + 1);
    case JSON_ARRAY:
        mp_array(in->m, json_array_size(v));
        return put_elements(in, v, depth + 1);
    case JSON_STRING: mp_str(in->m, json_string_value(v), json_string_length(v)); break;
    case JSON_INTEGER: mp_int(in->m, json_integer_value(v)); break;
    case JSON_REAL: mp_float(in->m, json_real_value(v)); break;
    case JSON_TRUE: mp_bool(in->m, true); break;
    case JSON_FALSE: mp_bool(in->m, false); break;
    case JSON_NULL: mp_nil(in->m); break;
    }
    return 0;
}

/* Encodes the object {"unclip": 1, "id": .., "data": {..}} as a record.  "unclip" may be absent. */
static int put_record(struct in *in, json_t *v) {
    json_t *version = json_object_get(v, "unclip"), *id = json_object_get(v, "id"),
           *data = json_object_get(v, "data");

    if (!json_is_object(v))
        return bad(in, "not an object");
    if (version && (!json_is_integer(version) || json_integer_value(version) != 1))
        return bad(in, "\"unclip\" is not 1, the version that this program reads");
    if (!id || !data || !json_is_object(data))
        return bad(in, "not a record: it needs an \"id\", and \"data\" that is an object");
    if (json_object_size(v) != 2 + (version != NULL))
        return bad(in, "not a record: it has more than \"unclip\", \"id\" and \"data\"");
    mp_raw(in->m, SPAN(RECORD_START));
    if (put_value(in, id, 1) < 0)
        return -1;
    mp_cstr(in->m, "data");
    return put_value(in, data, 1);
}

int json_read(struct record *r, const char *text, size_t n, struct arena *a, struct arena scratch,
              struct err *e) {
    json_error_t why = {.line = 0};
    json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    struct mp m;
    struct in in = {&m, scratch, e};
    size_t used;
    int rc;

    if (!v) {
        for (char *s = why.text; *s; s++)    /* replace the control characters of the text that the message quotes */
            *s = *s < 0x20 || *s == 0x7f ? '?' : *s;
        return err_set(e, "column %d: %s", why.column, why.text);
    }
    mp_open(&m, a);
    rc = put_record(&in, v);
    json_decref(v);
    if (rc < 0)
        return -1;
    if (m.full)
        return err_set(e, "out of memory");
    rc = record_parse(r, m.p, m.n, &used, a, e);
    return rc == 1 && used == m.n ? 0 : err_set(e, "not a record");
}
