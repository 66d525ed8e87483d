#include "formats/record/record.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#define DATA_KEY "\xa4" "data"

/* Holds a name from a stream, shortened and without control characters, for an error message. */
struct shown {
    char s[68];
};

static struct shown show(struct span name) {
    struct shown out = {{0}};
    size_t i;

    for (i = 0; i < name.n && i < 64; i++)
        out.s[i] = (char)(name.p[i] < 0x20 || name.p[i] > 0x7e ? '?' : name.p[i]);
    if (i < name.n)
        memcpy(out.s + 61, "...", 3);
    return out;
}

/* ---- parsing ---- */

/* Checks whether the n bytes at p begin with RECORD_START.  Returns 1 if they do, 0 if they are only the beginning of
 * RECORD_START, or -1 if they differ from it. */
static int parse_start(const unsigned char *p, size_t n, struct err *e) {
    size_t have = n < RECORD_START_LEN ? n : RECORD_START_LEN;
    struct mp_item it;

    if (!memcmp(p, RECORD_START, have))
        return n >= RECORD_START_LEN;
    if (n >= 9 && !memcmp(p, RECORD_START, 8) && mp_item(p + 8, n - 8, &it) == 1 &&
        it.kind == MP_INT && it.i > 1)
        return err_set(e, "version %" PRId64 " of the format, this program reads version 1", it.i);
    return err_set(e, "not the start of a record");
}

/* Parses the str at *pos into s, and moves *pos past the str.  If `bin` is not NULL, a bin is accepted, too.  Returns 1
 * on success, 0 if bytes are missing, or -1 for a value of another kind. */
static int parse_name(const unsigned char *p, size_t n, size_t *pos, struct span *s, bool *bin,
                      unsigned char *head, struct err *e) {
    struct mp_item it;
    int rc = mp_item(p + *pos, n - *pos, &it);

    if (rc == 0)
        return 0;
    if (rc < 0 || (it.kind != MP_STR && !(bin && it.kind == MP_BIN)))
        return err_set(e, bin ? "its id is neither str nor bin" : "a field name that is not str");
    if (it.n > n - *pos - it.head)
        return 0;
    *s = span_bytes(p + *pos + it.head, (size_t)it.n);
    *head = it.head;
    if (bin)
        *bin = it.kind == MP_BIN;
    *pos += it.head + s->n;
    return 1;
}

/* Parses the key `data` and the head of its map, and sets *fields to the number of fields.  Returns 1 on success, 0 if
 * bytes are missing, or -1 for an error. */
static int parse_data(const unsigned char *p, size_t n, size_t *pos, size_t *fields, struct err *e) {
    const size_t len = sizeof DATA_KEY - 1;
    size_t have = n - *pos < len ? n - *pos : len;
    struct mp_item it;
    int rc;

    if (memcmp(p + *pos, DATA_KEY, have) != 0)
        return err_set(e, "no \"data\" after its id");
    if (have < len)
        return 0;
    if ((rc = mp_item(p + *pos + len, n - *pos - len, &it)) == 0)
        return 0;
    if (rc < 0 || it.kind != MP_MAP)
        return err_set(e, "its data is not a map");
    if (it.n > RECORD_FIELDS)
        return err_set(e, "%" PRIu64 " fields, at most %d are allowed", it.n, RECORD_FIELDS);
    *pos += len + it.head;
    *fields = (size_t)it.n;
    return 1;
}

static struct field *find(const struct record *r, struct span key) {
    for (size_t i = 0; i < r->nfield; i++)
        if (span_equal(r->field[i].key, key))
            return &r->field[i];
    return NULL;
}

static int parse_field(struct record *r, const unsigned char *p, size_t n, size_t *pos,
                       struct err *e) {
    struct field f = {0};
    struct mp_walk w;
    int rc = parse_name(p, n, pos, &f.key, NULL, &f.key_head, e);

    if (rc <= 0)
        return rc;
    if (!utf8_valid(f.key.p, f.key.n))
        return err_set(e, "a field name that is not UTF-8");
    mp_walk_start(&w, *pos, 1, MP_DEPTH - 2);    /* two levels less, for the maps of the record and of its data */
    if ((rc = mp_walk(&w, p, n)) == 0)
        return 0;
    if (rc < 0)
        return err_set(e, "field %s: %s", show(f.key).s, w.why);
    if (find(r, f.key))
        return err_set(e, "field %s occurs twice", show(f.key).s);
    f.val = span_bytes(p + *pos, w.pos - *pos);
    *pos = w.pos;
    r->field[r->nfield++] = f;
    return 1;
}

int record_parse(struct record *r, const unsigned char *p, size_t n, size_t *used,
                 struct arena *a, struct err *e) {
    size_t pos = RECORD_START_LEN, fields = 0;
    unsigned char head;
    int rc;

    *r = (struct record){.a = a};
    *used = 0;
    if (!n)
        return 0;
    if ((rc = parse_start(p, n, e)) <= 0 ||
        (rc = parse_name(p, n, &pos, &r->id, &r->id_bin, &head, e)) <= 0)
        return rc;
    if (!r->id_bin && !utf8_valid(r->id.p, r->id.n))
        return err_set(e, "its id is a str that is not UTF-8");
    if ((rc = parse_data(p, n, &pos, &fields, e)) <= 0)
        return rc;
    r->cap = fields + 6;    /* room for what the next program adds */
    if (!(r->field = arena_take(a, r->cap, sizeof *r->field)))
        return err_set(e, "out of memory");
    while (r->nfield < fields)
        if ((rc = parse_field(r, p, n, &pos, e)) <= 0)
            return rc;
    *used = pos;
    return 1;
}

size_t record_find_start(const unsigned char *p, size_t n, size_t from) {
    const unsigned char *q;

    while (n >= RECORD_START_LEN && from <= n - RECORD_START_LEN) {
        q = memchr(p + from, 0x83, n - RECORD_START_LEN - from + 1);
        if (!q)
            break;
        from = (size_t)(q - p);
        if (!memcmp(q, RECORD_START, RECORD_START_LEN))
            return from;
        from++;
    }
    return n;
}

/* ---- changing ---- */

static int no_memory(struct err *e) {
    return err_set(e, "out of memory");
}

int record_new(struct record *r, struct span id, bool id_bin, struct arena *a, struct err *e) {
    *r = (struct record){.id = id, .id_bin = id_bin, .cap = 8, .a = a};
    r->field = arena_take(a, r->cap, sizeof *r->field);
    return r->field ? 0 : no_memory(e);
}

int record_set_id(struct record *r, struct span id, bool id_bin, struct err *e) {
    (void)e;
    r->id = id;
    r->id_bin = id_bin;
    return 0;
}

int record_copy(struct record *to, const struct record *from, struct arena *a, struct err *e) {
    *to = *from;
    to->a = a;
    to->cap = from->nfield + 8;
    to->field = arena_take(a, to->cap, sizeof *to->field);
    if (!to->field)
        return no_memory(e);
    memcpy(to->field, from->field, from->nfield * sizeof *to->field);
    return 0;
}

int record_clone(struct record *to, const struct record *from, struct arena *a, struct err *e) {
    struct span bytes;
    size_t used;

    if (record_encode(from, &bytes, a, e) < 0)
        return -1;
    return record_parse(to, bytes.p, bytes.n, &used, a, e) == 1 ? 0 : err_set(e, "a record that cannot be read back");
}

/* Encodes the name `key` in the record's arena and gives it to the field f. */
static int set_key(struct record *r, struct field *f, struct span key, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_str(&m, key.p, key.n);
    if (m.full)
        return no_memory(e);
    f->key_head = (unsigned char)(m.n - key.n);
    f->key = span_bytes(m.p + f->key_head, key.n);
    return 0;
}

/* Adds a field with the name `key` and an empty value at the end of the record.  Returns the field, or NULL for an
 * error. */
static struct field *add(struct record *r, struct span key, struct err *e) {
    struct field *f, new = {0};
    size_t cap = r->cap * 2 + 8;

    if (r->nfield >= RECORD_FIELDS) {
        err_set(e, "field %s: more than %d fields", show(key).s, RECORD_FIELDS);
        return NULL;
    }
    if (r->nfield == r->cap) {
        if (!(f = arena_take(r->a, cap, sizeof *f))) {
            no_memory(e);
            return NULL;
        }
        if (r->nfield)
            memcpy(f, r->field, r->nfield * sizeof *f);
        r->field = f;
        r->cap = cap;
    }
    if (set_key(r, &new, key, e) < 0)
        return NULL;
    r->field[r->nfield] = new;
    return &r->field[r->nfield++];
}

int record_set_raw(struct record *r, const char *key, struct span val, struct err *e) {
    struct field *f = find(r, span_of(key));

    if (!f && !(f = add(r, span_of(key), e)))
        return -1;
    f->val = val;
    return 0;
}

/* Sets the field `key` to the value that was encoded into m. */
static int set_mp(struct record *r, const char *key, const struct mp *m, struct err *e) {
    if (m->full)
        return no_memory(e);
    return record_set_raw(r, key, mp_span(m), e);
}

int record_set_text(struct record *r, const char *key, struct span s, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_text(&m, s.p, s.n);
    return set_mp(r, key, &m, e);
}

int record_set_int(struct record *r, const char *key, int64_t v, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_int(&m, v);
    return set_mp(r, key, &m, e);
}

static int not_finite(const char *key, struct err *e) {
    return err_set(e, "field %s: a number that is not finite", key);
}

/* Sets the field to an array of the n floats at v, or if `array` is false to the one float at v. */
static int set_doubles(struct record *r, const char *key, const double *v, size_t n, bool array,
                       struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    if (array)
        mp_array(&m, n);
    for (size_t i = 0; i < n; i++) {
        if (!(v[i] - v[i] == 0))
            return not_finite(key, e);
        mp_float(&m, v[i]);
    }
    return set_mp(r, key, &m, e);
}

int record_set_float(struct record *r, const char *key, double v, struct err *e) {
    return set_doubles(r, key, &v, 1, false, e);
}

int record_set_bool(struct record *r, const char *key, bool v, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_bool(&m, v);
    return set_mp(r, key, &m, e);
}

int record_set_ints(struct record *r, const char *key, const int64_t *v, size_t n, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_array(&m, n);
    for (size_t i = 0; i < n; i++)
        mp_int(&m, v[i]);
    return set_mp(r, key, &m, e);
}

int record_set_floats(struct record *r, const char *key, const double *v, size_t n, struct err *e) {
    return set_doubles(r, key, v, n, true, e);
}

int record_set_texts(struct record *r, const char *key, const struct span *v, size_t n, struct err *e) {
    struct mp m;

    mp_open(&m, r->a);
    mp_array(&m, n);
    for (size_t i = 0; i < n; i++)
        mp_text(&m, v[i].p, v[i].n);
    return set_mp(r, key, &m, e);
}

/* Appends the n numbers at v to m as f32 or f16.  Returns false if a number is not finite in type dt. */
static bool put_floats(struct mp *m, enum dtype dt, const float *v, size_t n) {
    unsigned char chunk[1024];
    size_t step = dt == DT_F16 ? 512 : 256, k;
    bool finite = true;

    for (; n; n -= k, v += k) {
        k = n < step ? n : step;
        if (dt == DT_F16) {
            for (size_t i = 0; i < k; i++) {
                unsigned short h = f32_f16(v[i]);

                finite &= (h & 0x7c00) != 0x7c00;
                memcpy(chunk + 2 * i, &h, 2);
            }
        } else {
            for (size_t i = 0; i < k; i++)
                finite &= v[i] - v[i] == 0;
            memcpy(chunk, v, 4 * k);
        }
        mp_raw(m, span_bytes(chunk, k * dtype_size(dt)));
    }
    return finite;
}

int record_set_tensor(struct record *r, const char *key, enum dtype dt, const void *data, int nd,
                      const size_t *shape, struct err *e) {
    struct tensor t = {.dtype = dt, .nd = nd};
    size_t n, bytes;
    struct mp m;

    mp_open(&m, r->a);
    if (nd < 0 || nd > TENSOR_DIMS || !mp_dtype_name(dt))
        return err_set(e, "field %s: not a tensor that a record can hold", key);
    memcpy(t.shape, shape, (size_t)nd * sizeof *shape);
    if (tensor_count(&t, &n) < 0 || __builtin_mul_overflow(n, dtype_size(dt), &bytes) ||
        bytes > UINT32_MAX)
        return err_set(e, "field %s: 4 GiB or more", key);
    if (dt != DT_F32 && dt != DT_F16) {
        mp_tensor(&m, dt, data, nd, shape);
        return set_mp(r, key, &m, e);
    }
    mp_tensor_head(&m, dt, bytes, nd, shape);
    if (!put_floats(&m, dt, data, n))
        return not_finite(key, e);
    return set_mp(r, key, &m, e);
}

void record_drop(struct record *r, const char *key) {
    struct field *f = find(r, span_of(key));

    if (!f)
        return;
    r->nfield--;
    memmove(f, f + 1, (size_t)(r->field + r->nfield - f) * sizeof *f);
}

void record_keep(struct record *r, const struct span *key, size_t n) {
    size_t kept = 0;

    for (size_t i = 0; i < r->nfield; i++)
        for (size_t k = 0; k < n; k++)
            if (span_equal(r->field[i].key, key[k])) {
                r->field[kept++] = r->field[i];
                break;
            }
    r->nfield = kept;
}

/* ---- changing what is inside a field ---- */

/* Describes a change of one entry of a map.  The key `from` is renamed to `to`, and its value is replaced by val, if
 * val is not empty.  An entry that had the key `to` before is dropped.  If `drop` is set, so is the entry `from`. */
struct edit {
    struct span from, to, val;
    bool drop;
    bool hit;    /* the map had the key `from` */
};

/* Copies the pairs of the map v to m, and makes the change `ed` on the way. */
static void edit_pairs(struct mp *m, struct span v, struct edit *ed) {
    struct mp_item it, k;
    size_t pos;

    mp_item(v.p, v.n, &it);
    pos = it.head;
    for (uint64_t i = 0; i < it.n; i++) {
        size_t key = mp_size(v.p + pos, v.n - pos);
        size_t val = mp_size(v.p + pos + key, v.n - pos - key);
        struct span name;

        mp_item(v.p + pos, key, &k);
        name = span_bytes(v.p + pos + k.head, key - k.head);
        if (k.kind == MP_STR && span_equal(name, ed->from)) {
            ed->hit = true;
            if (!ed->drop) {
                mp_str(m, ed->to.p, ed->to.n);
                mp_raw(m, ed->val.n ? ed->val : span_bytes(v.p + pos + key, val));
            }
        } else if (k.kind != MP_STR || !span_equal(name, ed->to)) {
            mp_raw(m, span_bytes(v.p + pos, key + val));
        }
        pos += key + val;
    }
}

/* Makes the change `ed` in the map in the field `key`.  If the map has no key `from` and add_new is set, the entry `to`
 * with the value ed->val is added last. */
static int edit_map(struct record *r, const char *key, struct edit *ed, bool add_new, struct err *e) {
    struct field *f = find(r, span_of(key));
    struct span old = f ? f->val : SPAN("\x80");
    struct mp_item it;
    struct mp m;
    size_t begin;

    if (mp_item(old.p, old.n, &it) != 1 || it.kind != MP_MAP)
        return err_set(e, "field %s is not a map", key);
    mp_open(&m, r->a);
    begin = mp_map_begin(&m);
    edit_pairs(&m, old, ed);
    if (!ed->hit && !add_new)
        return 0;
    if (!ed->hit) {
        mp_str(&m, ed->to.p, ed->to.n);
        mp_raw(&m, ed->val);
    }
    mp_map_end(&m, begin);
    return set_mp(r, key, &m, e);
}

int record_set_sub_text(struct record *r, const char *key, const char *sub, struct span s,
                        struct err *e) {
    struct edit ed = {.from = span_of(sub), .to = span_of(sub)};
    struct mp m;

    mp_open(&m, r->a);
    mp_text(&m, s.p, s.n);
    if (m.full)
        return no_memory(e);
    ed.val = mp_span(&m);
    return edit_map(r, key, &ed, true, e);
}

int record_drop_sub(struct record *r, const char *key, const char *sub, struct err *e) {
    struct edit ed = {.from = span_of(sub), .to = span_of(sub), .drop = true};

    return record_has(r, key) ? edit_map(r, key, &ed, false, e) : 0;
}

int record_drop_made(struct record *r, const char *key, struct err *e) {
    record_drop(r, key);
    return record_drop_sub(r, "model", key, e);
}

int record_rename(struct record *r, const char *from, const char *to, struct err *e) {
    struct edit ed = {.from = span_of(from), .to = span_of(to)};

    if (!find(r, ed.from) || !strcmp(from, to))
        return 0;
    record_drop(r, to);
    if (set_key(r, find(r, ed.from), ed.to, e) < 0)
        return -1;
    return record_has(r, "model") ? edit_map(r, "model", &ed, false, e) : 0;
}

int record_add_params(struct record *r, const char *program, struct span map, struct err *e) {
    struct field *f = find(r, span_of("params"));
    struct span old = f ? f->val : SPAN("\x90");
    struct mp_item it;
    struct mp m;

    if (mp_item(old.p, old.n, &it) != 1 || it.kind != MP_ARRAY)
        return err_set(e, "field params is not an array");
    mp_open(&m, r->a);
    mp_array(&m, (size_t)it.n + 1);
    mp_raw(&m, span_bytes(old.p + it.head, old.n - it.head));
    mp_array(&m, 2);
    mp_cstr(&m, program);
    mp_raw(&m, map);
    return set_mp(r, "params", &m, e);
}

/* ---- writing ---- */

int record_encode(const struct record *r, struct span *out, struct arena *a, struct err *e) {
    size_t n = r->id.n + 32;
    struct mp m;

    for (size_t i = 0; i < r->nfield; i++)
        n += r->field[i].key_head + r->field[i].key.n + r->field[i].val.n;
    mp_open(&m, a);
    if (!(m.p = arena_take(a, n, 1)))
        return no_memory(e);
    m.cap = n;    /* enough for the whole record: RECORD_START and the heads of id and data need less than 32 bytes */
    mp_raw(&m, SPAN(RECORD_START));
    if (r->id_bin)
        mp_bin(&m, r->id.p, r->id.n);
    else
        mp_str(&m, r->id.p, r->id.n);
    mp_raw(&m, SPAN(DATA_KEY));
    mp_map(&m, r->nfield);
    for (size_t i = 0; i < r->nfield; i++) {
        const struct field *f = &r->field[i];

        mp_raw(&m, span_bytes(f->key.p - f->key_head, f->key_head + f->key.n));
        mp_raw(&m, f->val);
    }
    *out = mp_span(&m);
    return m.full ? no_memory(e) : 0;
}

int record_id(struct span text, struct span *id, bool *bin, struct arena *a, struct err *e) {
    static const char digit[] = "0123456789abcdef", ellipsis[] = "\xe2\x80\xa6";
    uint64_t h;
    size_t n = 200;
    char *p;

    *bin = !utf8_valid(text.p, text.n);
    if (text.n <= RECORD_ID_MAX) {
        *id = arena_span(a, text);
        return id->p ? 0 : no_memory(e);
    }
    while (!*bin && (text.p[n] & 0xc0) == 0x80)
        n--;
    if (!(p = arena_take(a, n + 20, 1)))
        return no_memory(e);
    memcpy(p, text.p, n);
    memcpy(p + n, ellipsis, 3);
    h = XXH64(text.p, text.n, 0);
    for (size_t i = 0; i < 16; i++)
        p[n + 3 + i] = digit[h >> (60 - 4 * i) & 15];
    p[n + 19] = 0;
    *id = span_bytes(p, n + 19);
    *bin = !utf8_valid(p, n + 19);
    return 0;
}
