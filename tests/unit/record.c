/* Records: fields that are not changed stay byte for byte, changed fields keep their places, and no input makes the
 * reader read outside its bytes.  Results are compared with msgpack-c's. */
#include "formats/record/record.h"

#include <msgpack.h>

#include "tests/tap.h"

#define HEAD RECORD_START "\xa1x\xa4" "data"

/* Parse bytes at the very end of their own allocation, so that a sanitizer sees a read beyond them. */
static int parse(struct record *r, struct span s, struct arena *a, struct err *e) {
    unsigned char *p = arena_take(a, s.n, 1);
    size_t used;
    int rc;

    memcpy(p, s.p, s.n);
    e->msg[0] = 0;
    rc = record_parse(r, p, s.n, &used, a, e);
    return rc == 1 && used != s.n ? -2 : rc;
}

static void refuses(struct span s, const char *why, struct arena a) {
    struct record r;
    struct err e;
    int rc = parse(&r, s, &a, &e);

    ok(rc == -1 && !strcmp(e.msg, why), "refused: %s", rc == -1 ? e.msg : "not at all");
}

/* A record as a program writes it, with a field of each kind. */
static struct span sample(struct arena *a) {
    static const float vec[3] = {1, -2.5f, 0x1p-20f};
    const int64_t tok[4] = {49406, 320, -1, INT64_MIN};
    const double probs[2] = {0.5, 1e300};
    struct span names[2] = {SPAN("a"), SPAN("\xff")}, out = {0};
    struct record r;
    struct err e = {0};
    struct mp m;
    int bad = 0;

    bad |= record_new(&r, SPAN("R#1"), false, a, &e);
    bad |= record_set_text(&r, "root", SPAN("R"), &e);
    bad |= record_set_text(&r, "path", SPAN("\xff\xfe"), &e);
    bad |= record_set_ints(&r, "tokens", tok, 4, &e);
    bad |= record_set_bool(&r, "truncated", true, &e);
    bad |= record_set_tensor(&r, "image_embed", DT_F32, vec, 1, (size_t[]){3}, &e);
    bad |= record_set_tensor(&r, "text_embed", DT_F16, vec, 1, (size_t[]){3}, &e);
    bad |= record_set_tensor(&r, "image", DT_U8, "abcdef", 3, (size_t[]){1, 2, 3}, &e);
    bad |= record_set_float(&r, "cos", 0.25, &e);
    bad |= record_set_floats(&r, "prob", probs, 2, &e);
    bad |= record_set_texts(&r, "label", names, 2, &e);
    bad |= record_set_int(&r, "rank", 7, &e);
    bad |= record_set_sub_text(&r, "model", "image_embed", SPAN("0123456789abcdef"), &e);
    bad |= record_set_sub_text(&r, "model", "text_embed", SPAN("fedcba9876543210"), &e);
    mp_open(&m, a);
    mp_map(&m, 2);
    mp_cstr(&m, "seed");
    mp_uint(&m, UINT64_MAX);
    mp_cstr(&m, "eta");
    mp_float(&m, 0);
    bad |= record_add_params(&r, "prior", mp_span(&m), &e);
    bad |= record_add_params(&r, "prior", SPAN("\x81\xa1n\x02"), &e);
    bad |= record_encode(&r, &out, a, &e);
    ok(!bad && out.n > 100, "a record is made%s%s", e.msg[0] ? ": " : "", e.msg);
    return out;
}

static void getters(struct arena a) {
    struct span bytes = sample(&a), s, params, again;
    struct record r;
    struct err e = {0};
    struct tensor t;
    const float *v;
    int64_t *ints, i;
    double f;
    size_t n;

    ok(parse(&r, bytes, &a, &e) == 1 && span_equal(r.id, SPAN("R#1")) && !r.id_bin && r.nfield == 13, "and read");
    ok(record_str(&r, "path", &s, &e) == 1 && span_equal(s, SPAN("\xff\xfe")), "a name that is not UTF-8");
    ok(span_equal(record_root(&r), SPAN("R")), "its root");
    ok(record_ints(&r, "tokens", &ints, &n, &a, &e) == 1 && n == 4 && ints[0] == 49406 && ints[2] == -1 &&
       ints[3] == INT64_MIN, "its tokens");
    ok(record_raw(&r, "truncated", &s) == 1 && span_equal(s, SPAN("\xc3")), "a bool");
    ok(record_floats(&r, "image_embed", &v, &n, &a, &e) == 1 && n == 3 && v[1] == -2.5f && v[2] == 0x1p-20f, "f32");
    ok(record_floats(&r, "text_embed", &v, &n, &a, &e) == 1 && n == 3 && v[1] == -2.5f && v[2] == 0x1p-20f, "f16");
    ok(record_tensor(&r, "image", &t, &e) == 1 && t.nd == 3 && t.dtype == DT_U8 && t.shape[2] == 3 &&
       !memcmp(t.data, "abcdef", 6), "a picture");
    ok(record_floats(&r, "image", &v, &n, &a, &e) == -1 && !strcmp(e.msg, "field image: not a vector of floats"),
       "which is not a vector: %s", e.msg);
    ok(record_float(&r, "cos", &f, &e) == 1 && f == 0.25 && record_float(&r, "rank", &f, &e) == 1 && f == 7, "numbers");
    ok(record_int(&r, "rank", &i, &e) == 1 && i == 7 && record_int(&r, "none", &i, &e) == 0, "an int; an absent one");
    e.msg[0] = 0;
    ok(record_int(&r, "cos", &i, &e) == -1 && !strcmp(e.msg, "field cos is not an integer"), "%s", e.msg);
    ok(record_sub_str(&r, "model", "text_embed", &s, &e) == 1 && span_equal(s, SPAN("fedcba9876543210")) &&
       record_sub_str(&r, "model", "noise", &s, &e) == 0, "fingerprints");
    ok(record_raw(&r, "params", &params) == 1 && mp_last_pair(params, "prior", &s) == 1 &&
       span_equal(s, SPAN("\x81\xa1n\x02")) && !mp_last_pair(params, "prio", &s), "the last parameters of a program");
    ok(record_encode(&r, &again, &a, &e) == 0 && span_equal(again, bytes), "written again: the same bytes");
}

static int name_is(const struct record *r, size_t i, const char *name) {
    return i < r->nfield && span_equal(r->field[i].key, span_of(name));
}

static void changes(struct arena a) {
    /* wide heads everywhere, which our encoder does not write */
    static const char foreign[] = HEAD "\xde\x00\x04\xd9\x01" "a\xd2\x00\x00\x00\x05\xda\x00\x01" "b\xca\x3f\x80\x00\x00"
                                  "\xdb\x00\x00\x00\x01" "c\xdd\x00\x00\x00\x01\xc0\xa1" "d\xc7\x03\x05xyz";
    static const char want[] = HEAD "\x84\xd9\x01" "a\xd2\x00\x00\x00\x05\xda\x00\x01" "b\x03"
                               "\xa1" "d\xc7\x03\x05xyz\xa1" "e\xc3";
    struct record r;
    struct err e = {0};
    struct span out, s;

    ok(parse(&r, span_bytes(foreign, sizeof foreign - 1), &a, &e) == 1 && r.nfield == 4, "every width of head is read");
    record_set_int(&r, "b", 3, &e);
    record_set_bool(&r, "e", true, &e);
    record_drop(&r, "c");
    record_drop(&r, "nothing");
    record_encode(&r, &out, &a, &e);
    ok(span_equal(out, span_bytes(want, sizeof want - 1)), "the rest byte for byte, a replaced field in its place, a new one last");
    parse(&r, sample(&a), &a, &e);
    ok(record_rename(&r, "image_embed", "prior_embed", &e) == 0 && name_is(&r, 4, "prior_embed") && r.nfield == 13 &&
       record_sub_str(&r, "model", "prior_embed", &s, &e) == 1 && span_equal(s, SPAN("0123456789abcdef")) &&
       record_sub_str(&r, "model", "image_embed", &s, &e) == 0, "renamed in place, its fingerprint too");
    ok(record_rename(&r, "text_embed", "prior_embed", &e) == 0 && r.nfield == 12 && name_is(&r, 4, "prior_embed") &&
       record_sub_str(&r, "model", "prior_embed", &s, &e) == 1 && span_equal(s, SPAN("fedcba9876543210")),
       "onto a name that is taken: the old one goes");
    ok(record_rename(&r, "nothing", "cos", &e) == 0 && record_has(&r, "cos"), "an absent field: nothing happens");
    ok(record_drop_made(&r, "prior_embed", &e) == 0 && r.nfield == 11 && !record_has(&r, "prior_embed") &&
       record_sub_str(&r, "model", "prior_embed", &s, &e) == 0 && record_drop_made(&r, "nothing", &e) == 0 && r.nfield == 11 &&
       record_drop_made(&r, "noise", &e) == 0 && record_has(&r, "model"), "dropped, its fingerprint too");
    ok(record_set_sub_text(&r, "cos", "x", SPAN("y"), &e) == -1, "a number is not a map: %s", e.msg);
    e.msg[0] = 0;
    ok(record_set_float(&r, "cos", (double)NAN, &e) == -1, "NaN is not written: %s", e.msg);
    e.msg[0] = 0;
    ok(record_set_tensor(&r, "noise", DT_F16, (float[]){65520}, 1, (size_t[]){1}, &e) == -1 &&
       !record_has(&r, "noise"), "nor what f16 cannot hold: %s", e.msg);
}

static void hostile(struct arena a) {
    unsigned char deep[128] = HEAD "\x81\xa1" "a", wide[RECORD_START_LEN + 64 + 4 * 1025];
    size_t n = sizeof HEAD - 1 + 3, k;
    struct record r, again;
    struct span out;
    struct err e;

    memset(deep + n, 0x91, 40);
    deep[n + 30] = 0xc0;
    ok(parse(&r, span_bytes(deep, n + 31), &a, &e) == 1, "32 containers deep");
    deep[n + 30] = 0x90;
    refuses(span_bytes(deep, n + 31), "field a: nested too deeply", a);
    deep[n + 30] = 0x91;
    refuses(span_bytes(deep, n + 40), "field a: nested too deeply", a);
    refuses(SPAN("\x83\xa6unclip\x02\xa2id\xa1x\xa4" "data\x80"), "version 2 of the format, this program reads version 1", a);
    refuses(SPAN("\x83\xa6unclip\xcd\x01\x00\xa2id"), "version 256 of the format, this program reads version 1", a);
    refuses(SPAN("\x82\xa6unclip\x01"), "not the start of a record", a);
    refuses(SPAN("\x83\xa6unclip\x01\xa2ix"), "not the start of a record", a);
    refuses(SPAN(RECORD_START "\x01"), "its id is neither str nor bin", a);
    refuses(SPAN(RECORD_START "\xa1\xff\xa4" "data\x80"), "its id is a str that is not UTF-8", a);
    refuses(SPAN(RECORD_START "\xa1x\xa4" "dat\xe1"), "no \"data\" after its id", a);
    refuses(SPAN(HEAD "\x90"), "its data is not a map", a);
    refuses(SPAN(HEAD "\xdf\xff\xff\xff\xff"), "4294967295 fields, at most 1024 are allowed", a);
    refuses(SPAN(HEAD "\x81\xc4\x01" "a\x01"), "a field name that is not str", a);
    refuses(SPAN(HEAD "\x81\xa2\xc3\x28\x01"), "a field name that is not UTF-8", a);
    refuses(SPAN(HEAD "\x82\xa1" "a\x01\xd9\x01" "a\x01"), "field a occurs twice", a);
    refuses(SPAN(HEAD "\x81\xa3" "\x1b[2\x81\xc1"), "field ?[2: the byte 0xc1, which MessagePack never uses", a);
    refuses(SPAN(HEAD "\x81\xa1" "a\x91\xcb\x7f\xf0\0\0\0\0\0\0"), "field a: a number that is not finite", a);
    refuses(SPAN(HEAD "\x81\xa1" "a\xca\xff\xc0\0\0"), "field a: a number that is not finite", a);
    ok(parse(&r, SPAN(HEAD "\x81\xa1" "a\xca\x7f\x7f\xff\xff"), &a, &e) == 1, "the largest float is finite");
    ok(parse(&r, SPAN(HEAD "\x81\xa1" "a\xc6\xff\xff\xff\xff"), &a, &e) == 0, "4 GiB announced: waits, takes nothing");
    ok(parse(&r, SPAN(HEAD "\x81\xa1" "a\xdd\xff\xff\xff\xff"), &a, &e) == 0, "4 G elements too");
    memcpy(wide, HEAD "\xde\x04\x00", k = sizeof HEAD - 1 + 3);
    for (unsigned i = 0; i < 1024; i++, k += 4)
        memcpy(wide + k, (unsigned char[]){0xa2, (unsigned char)('0' + i / 64), (unsigned char)('0' + i % 64), 0xc0}, 4);
    ok(parse(&r, span_bytes(wide, k), &a, &e) == 1 && r.nfield == 1024, "1024 fields");
    ok(record_set_int(&r, "zz", 1, &e) == -1, "and no more: %s", e.msg);
    e.msg[0] = 0;
    ok(record_set_int(&r, "0o", 1, &e) == 0 && record_rename(&r, "0o", "renamed", &e) == 0 && r.nfield == 1024 && record_has(&r, "renamed"),
       "a full record: its fields are set and renamed %s", e.msg);
    ok(record_add_params(&r, "p", SPAN("\x80"), &e) == -1 && r.nfield == 1024 && record_encode(&r, &out, &a, &e) == 0 &&
       record_parse(&again, out.p, out.n, &k, &a, &e) == 1, "and what does not fit leaves it whole: %s", e.msg);
}

/* params of any length take one more pair; params of another form are refused. */
static void long_params(struct arena a) {
    static const size_t count[] = {0, 1022, 1023, 1024, 65535, 65536};
    size_t right = 0;
    struct err e = {0};
    struct record r;

    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        struct arena b = a;
        struct mp_item it;
        struct span s, map;
        struct mp m;

        mp_open(&m, &b);
        mp_array(&m, count[i]);
        for (size_t k = 0; k < count[i]; k++)
            mp_array(&m, 2), mp_cstr(&m, "p"), mp_map(&m, 0);
        record_new(&r, SPAN("x"), false, &b, &e);
        record_set_raw(&r, "params", mp_span(&m), &e);
        right += record_add_params(&r, "q", SPAN("\x81\xa1n\x02"), &e) == 0 && record_raw(&r, "params", &s) == 1 &&
                 mp_item(s.p, s.n, &it) == 1 && it.n == count[i] + 1 && mp_size(s.p, s.n) == s.n && mp_last_pair(s, "q", &map) == 1;
    }
    ok(right == sizeof count / sizeof *count && !e.msg[0], "one more pair for params of 0 to 65,536 %s", e.msg);
    record_new(&r, SPAN("x"), false, &a, &e);
    record_set_raw(&r, "params", SPAN("\x81\xa1n\x02"), &e);
    ok(record_add_params(&r, "q", SPAN("\x80"), &e) == -1 && !strcmp(e.msg, "field params is not an array"), "params that are a map: %s", e.msg);
}

/* Every beginning of a record is "not enough", and the whole record is read at any alignment. */
static void cuts(struct arena a) {
    struct span s = sample(&a);
    struct arena was = a;
    int bad = 0;
    struct record r;
    struct err e;

    for (size_t n = 0; n < s.n; n++, a = was)
        bad += parse(&r, span_bytes(s.p, n), &a, &e) != 0;
    ok(!bad, "cut at any of %zu bytes: more is wanted", s.n);
}

/* Wherever memory runs out, the result is an error and nothing else. */
static void little_memory(struct arena a) {
    struct span s = sample(&a), out;
    int bad = 0, failed = 0;
    struct record r;
    struct tensor t;
    size_t used;

    for (size_t room = 0; room < 4096; room += 64) {
        struct err e = {0};
        struct arena few = a;

        few.end = few.at + room;
        if (record_parse(&r, s.p, s.n, &used, &few, &e) == 1 && record_set_text(&r, "new", SPAN("x"), &e) == 0 &&
            record_set_sub_text(&r, "model", "new", SPAN("x"), &e) == 0 && record_rename(&r, "new", "newer", &e) == 0 &&
            record_add_params(&r, "p", SPAN("\x80"), &e) == 0 && record_encode(&r, &out, &few, &e) == 0)
            bad += record_tensor(&r, "image", &t, &e) != 1 || e.msg[0];
        else
            failed++, bad += !!strcmp(e.msg, "out of memory");
    }
    ok(!bad && failed > 5, "with too little memory: %d errors, and then none", failed);
}

/* ---- all numbers, against msgpack-c ---- */

static int unpack_equal(struct span s, const struct mp_item *it) {
    msgpack_unpacked u;
    size_t off = 0;
    int good = 0;

    msgpack_unpacked_init(&u);
    if (msgpack_unpack_next(&u, (const char *)s.p, s.n, &off) == MSGPACK_UNPACK_SUCCESS && off == s.n)
        switch (u.data.type) {
        case MSGPACK_OBJECT_POSITIVE_INTEGER:
            good = (it->kind == MP_INT || it->kind == MP_UINT) && it->u == u.data.via.u64;
            break;
        case MSGPACK_OBJECT_NEGATIVE_INTEGER: good = it->kind == MP_INT && it->i == u.data.via.i64; break;
        case MSGPACK_OBJECT_FLOAT32: case MSGPACK_OBJECT_FLOAT64:
            good = it->kind == MP_FLOAT && !memcmp(&it->f, &u.data.via.f64, 8);
            break;
        case MSGPACK_OBJECT_STR: good = it->kind == MP_STR && it->n == u.data.via.str.size; break;
        case MSGPACK_OBJECT_BIN: good = it->kind == MP_BIN && it->n == u.data.via.bin.size; break;
        case MSGPACK_OBJECT_EXT:
            good = it->kind == MP_EXT && it->n == u.data.via.ext.size && it->ext == u.data.via.ext.type;
            break;
        case MSGPACK_OBJECT_ARRAY: good = it->kind == MP_ARRAY && it->n == u.data.via.array.size; break;
        case MSGPACK_OBJECT_MAP: good = it->kind == MP_MAP && it->n == u.data.via.map.size; break;
        case MSGPACK_OBJECT_NIL: good = it->kind == MP_NIL; break;
        case MSGPACK_OBJECT_BOOLEAN: good = it->kind == MP_BOOL && it->b == u.data.via.boolean; break;
        default: break;
        }
    msgpack_unpacked_destroy(&u);
    return good;
}

static void heads(void) {
    static const unsigned char fill[] = {0, 1, 0x7f, 0x80, 0xff};
    unsigned char p[300];
    int bad = 0, seen = 0;

    for (unsigned c = 0; c < 256; c++)
        for (size_t f = 0; f < sizeof fill; f++) {
            struct mp_item it;
            struct mp_walk w;
            size_t n;

            memset(p, fill[f], sizeof p);
            p[0] = (unsigned char)c;
            mp_walk_start(&w, 0, 1, MP_DEPTH);
            if (mp_walk(&w, p, sizeof p) != 1)
                continue;
            n = w.pos;
            seen++;
            bad += mp_item(p, n, &it) != 1 || !unpack_equal(span_bytes(p, n), &it) || mp_size(p, n) != n;
            for (size_t cut = 0; cut < n; cut++) {
                mp_walk_start(&w, 0, 1, MP_DEPTH);
                bad += mp_walk(&w, p, cut) != 0 || mp_walk(&w, p, n) != 1 || w.pos != n;
            }
        }
    ok(!bad && seen > 1000, "%d items of every first byte are what msgpack-c says, and walked in two pieces", seen);
}

static void integers(struct arena a) {
    int bad = 0;

    for (int bit = 0; bit < 64; bit++)
        for (int64_t d = -2; d <= 2; d++)
            for (int sign = 0; sign < 2; sign++) {
                struct arena b = a;
                int64_t v = (int64_t)(((uint64_t)1 << bit) + (uint64_t)d), got;
                struct record r;
                struct err e = {0};
                struct span out;
                msgpack_sbuffer ref;
                msgpack_packer pk;

                v = sign ? (int64_t)(0 - (uint64_t)v) : v;
                record_new(&r, SPAN("x"), false, &b, &e);
                record_set_int(&r, "v", v, &e);
                record_encode(&r, &out, &b, &e);
                msgpack_sbuffer_init(&ref);
                msgpack_packer_init(&pk, &ref, msgpack_sbuffer_write);
                msgpack_pack_int64(&pk, v);
                bad += r.field[0].val.n != ref.size || !!memcmp(r.field[0].val.p, ref.data, ref.size);
                msgpack_sbuffer_destroy(&ref);
                bad += parse(&r, out, &b, &e) != 1 || record_int(&r, "v", &got, &e) != 1 || got != v;
            }
    ok(!bad, "integers around every power of two, as msgpack-c packs them");
}

/* ---- tensors of other programs ---- */

static int tensor_of(struct span val, struct tensor *t, struct arena a, struct err *e) {
    struct record r;

    record_new(&r, SPAN("x"), false, &a, e);
    record_set_raw(&r, "t", val, e);
    e->msg[0] = 0;
    return record_tensor(&r, "t", t, e);
}

static void tensors(struct arena a) {
    struct tensor t;
    struct err e = {0};
    struct record r;
    double f;
    int64_t i, *v;
    size_t n;

    ok(tensor_of(SPAN("\x83\xa4" "data\xc4\x08\0\0\0\0\0\0\xf8\x3f\xa2nd\xc2\xa4type\xc4\x03<f8"), &t, a, &e) == 1 &&
       t.nd == 0 && t.dtype == DT_F64, "a numpy scalar with str keys, in another order");
    record_new(&r, SPAN("x"), false, &a, &e);
    record_set_raw(&r, "f", SPAN("\x83\xc4\x02nd\xc2\xc4\x04type\xa3<f4\xc4\x04" "data\xc4\x04\0\0\xc0\x3f"), &e);
    record_set_raw(&r, "i", SPAN("\x83\xc4\x02nd\xc2\xc4\x04type\xa3<i2\xc4\x04" "data\xc4\x02\xfe\xff"), &e);
    record_set_raw(&r, "v", SPAN("\x84\xc4\x02nd\xc3\xc4\x04type\xa3<i4\xc4\x05shape\x91\x02\xc4\x04" "data\xc4\x08\x01\0\0\0\xff\xff\xff\xff"), &e);
    ok(record_float(&r, "f", &f, &e) == 1 && f == 1.5 && record_int(&r, "i", &i, &e) == 1 && i == -2,
       "numpy scalars are numbers");
    ok(record_ints(&r, "v", &v, &n, &a, &e) == 1 && n == 2 && v[0] == 1 && v[1] == -1, "a numpy vector is a list of ints");
#define T(type, shape, data) SPAN("\x85\xc4\x02nd\xc3\xc4\x04type\xa3" type "\xc4\x04kind\xc4\x00\xc4\x05shape" shape "\xc4\x04" "data\xc4" data)
#define NO(val, why) ok(tensor_of(val, &t, a, &e) == -1 && !strcmp(e.msg, "field t: " why), "refused: %s", e.msg)
    ok(tensor_of(T("<f4", "\x91\x00", "\x00"), &t, a, &e) == 1 && t.shape[0] == 0, "an empty tensor");
    NO(T(">f4", "\x91\x01", "\x04" "abcd"), "a tensor of unknown type (big-endian)");
    NO(T("|O8", "\x91\x01", "\x04" "abcd"), "a tensor of unknown type");
    NO(T("<f4", "\x91\x02", "\x04" "abcd"), "a tensor whose data does not fit its shape");
    NO(T("<f4", "\x91\x01", "\x05" "abcde"), "a tensor whose data does not fit its shape");
    NO(T("<f4", "\x92\xce\xff\xff\xff\xff\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "\x04" "abcd"),
       "a tensor whose data does not fit its shape");
    NO(T("<f4", "\x91\xff", "\x04" "abcd"), "a tensor without a shape of at most 8 sizes");
    NO(T("<f4", "\x99\1\1\1\1\1\1\1\1\1", "\x04" "abcd"), "a tensor without a shape of at most 8 sizes");
    NO(SPAN("\x82\xc4\x02nd\xc3\xa2nd\xc3"), "a tensor with an entry that occurs twice");
    NO(SPAN("\x82\xc4\x02nd\xc3\xc4\x04kind\xc4\x01O"), "a tensor of objects or structures");
    NO(SPAN("\x80"), "not a tensor");
    NO(SPAN("\x01"), "not a tensor");
}

/* A value that is not finite is found at every place, in every type. */
static void not_finite(struct arena a) {
    static const enum dtype types[] = {DT_F32, DT_F16, DT_F64};
    int bad = 0;

    for (int d = 0; d < 3; d++)
        for (size_t n = 1; n < 12; n++)
            for (size_t at = 0; at <= n; at++) {
                unsigned char raw[96];
                size_t size = dtype_size(types[d]);
                struct arena b = a;
                struct record r;
                struct err e = {0};
                const float *v;
                struct mp m;
                int rc;

                memset(raw, 0, sizeof raw);
                for (size_t i = 0; i < n; i++)    /* the largest finite value, negative */
                    memset(raw + i * size, 0xff, size), raw[(i + 1) * size - 2] = (unsigned char)(d == 0 ? 0x7f : d == 2 ? 0xef : 0xff),
                    raw[(i + 1) * size - 1] = d == 1 ? 0xfb : 0xff;
                if (types[d] == DT_F64)    /* must fit f32 as well */
                    for (size_t i = 0; i < n; i++)
                        raw[(i + 1) * 8 - 1] = 0xbf;
                if (at < n)
                    memcpy(raw + at * size, d == 0 ? "\0\0\x80\x7f" : d == 1 ? "\x01\xfc" : "\0\0\0\0\0\0\xf0\xff", size);
                record_new(&r, SPAN("x"), false, &b, &e);
                mp_open(&m, &b);
                mp_tensor(&m, types[d], raw, 1, &n);
                record_set_raw(&r, "v", mp_span(&m), &e);
                rc = record_floats(&r, "v", &v, &n, &b, &e);
                bad += rc != (at < n ? -1 : 1);
            }
    ok(!bad, "infinity and NaN are found at every place of f32, f16 and f64 vectors");
}

static void ids(struct arena a) {
    char text[600];
    struct span id;
    struct err e = {0};
    bool bin;
    int rc;

    memset(text, 'a', sizeof text);
    ok(record_id(span_bytes(text, 255), &id, &bin, &a, &e) == 0 && id.n == 255 && !bin, "255 bytes stay");
    memcpy(text + 199, "\xe2\x82\xac", 3);    /* would be cut in its middle */
    rc = record_id(span_bytes(text, 256), &id, &bin, &a, &e);
    ok(rc == 0 && id.n == 199 + 3 + 16 && !bin && !memcmp(id.p + 199, "\xe2\x80\xa6" "79e807d0fcb2cd04", 19),
       "256 are cut at a character: ...%.16s", (const char *)id.p + 202);
    text[7] = (char)0xff;
    ok(record_id(span_bytes(text, 300), &id, &bin, &a, &e) == 0 && id.n == 219 && bin, "bytes are cut at 200");
    ok(utf8_valid("\xf4\x8f\xbf\xbf", 4) && !utf8_valid("\xf4\x90\x80\x80", 4) && !utf8_valid("\xed\xa0\x80", 3) &&
       !utf8_valid("\xc0\x80", 2) && !utf8_valid("\xe0\x9f\xbf", 3) && !utf8_valid("\xe2\x82", 2) && utf8_valid("", 0),
       "UTF-8: no surrogates, no overlong forms, nothing beyond U+10FFFF, nothing cut");
}

/* A map of n pairs i: i, counted by the encoder or by us. */
static struct span map_of(size_t n, bool counted, struct arena *a) {
    size_t begin = 0;
    struct mp m;

    mp_open(&m, a);
    mp_nil(&m);
    if (counted)
        mp_map(&m, n);
    else
        begin = mp_map_begin(&m);
    for (size_t i = 0; i < 2 * n; i++)
        mp_uint(&m, i / 2);
    if (!counted)
        mp_map_end(&m, begin);
    return m.full ? (struct span){0} : mp_span(&m);
}

static void maps(struct arena a) {
    static const size_t count[] = {0, 1, 15, 16, 17, 65535, 65536};
    size_t equal = 0, begin, inner;
    struct mp m;

    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        struct arena b = a;

        equal += span_equal(map_of(count[i], true, &b), map_of(count[i], false, &b)) ? 1 : 0;
    }
    ok(equal == sizeof count / sizeof *count, "maps that are counted at their end: the same bytes with heads of 1, 3 and 5");
    mp_open(&m, &a);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "a");
    inner = mp_map_begin(&m);
    for (int i = 0; i < 20; i++)
        mp_int(&m, i), mp_nil(&m);
    mp_map_end(&m, inner);
    mp_cstr(&m, "b"), mp_array(&m, 2), mp_int(&m, 1), mp_int(&m, 2);
    mp_map_end(&m, begin);
    ok(!m.full && m.n == 1 + 2 + 3 + 20 * 2 + 4 + 1 && m.p[0] == 0x82 && !memcmp(m.p + 3, "\xde\0\x14", 3) && mp_size(m.p, m.n) == m.n,
       "one inside another, an array among its values");
}

/* A copy shares the values with its record, a clone does not.  Neither shares the table or the arena. */
static void copies(struct arena a) {
    static struct arena_mem mem;
    struct span bytes = sample(&a), out = {0};
    unsigned char *p = arena_take(&a, bytes.n, 1);
    struct record r, copy, clone;
    struct err e = {0};
    struct arena other;
    size_t used;

    ok(arena_split(&a, 1 << 20, &mem, &other) == 0, "a region of its own");
    memcpy(p, bytes.p, bytes.n);
    record_parse(&r, p, bytes.n, &used, &a, &e);
    ok(record_copy(&copy, &r, &other, &e) == 0 && copy.a == &other && copy.field != r.field && copy.field[0].val.p == r.field[0].val.p,
       "a copy has a table of its own; its values stay where they are");
    record_set_int(&copy, "rank", 9, &e);
    record_drop(&copy, "cos");
    ok(r.nfield == 13 && record_encode(&r, &out, &a, &e) == 0 && span_equal(out, bytes), "a change of the copy leaves the record alone");
    ok(record_clone(&clone, &r, &other, &e) == 0 && clone.a == &other, "a clone");
    memset(p, 0xc1, bytes.n);
    ok(record_encode(&clone, &out, &other, &e) == 0 && span_equal(out, bytes), "which outlives the bytes that it was made from");
    other.end = other.at;
    ok(record_clone(&clone, &clone, &other, &e) == -1 && !strcmp(e.msg, "out of memory"), "without memory: %s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 8);

    getters(a);
    changes(a);
    hostile(a);
    cuts(a);
    little_memory(a);
    heads();
    integers(a);
    tensors(a);
    not_finite(a);
    ids(a);
    long_params(a);
    maps(a);
    copies(a);
    free(a_mem.base);
    return done();
}
