/* Records to JSON and back: byte for byte, whatever they hold.  The generator below makes values of
 * every form of MessagePack, also those that are not the smallest. */
#include "formats/record/json_record.h"

#include "formats/io/base64.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/tap.h"

#define HEAD RECORD_START "\xa1x\xa4" "data"

static uint64_t state = 1;

static unsigned rnd(unsigned n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static void bytes(struct mp *m, size_t n) {
    unsigned char c;

    for (; n; n--) {
        c = (unsigned char)rnd(256);
        mp_raw(m, span_bytes(&c, 1));
    }
}

static void byte(struct mp *m, unsigned c) {
    mp_raw(m, (struct span){(unsigned char[]){(unsigned char)c}, 1});
}

static void sized(struct mp *m, unsigned c, unsigned width, size_t n) {
    byte(m, c);
    for (unsigned i = width; i-- > 0;)
        byte(m, i < 2 ? (unsigned)(n >> 8 * i) & 255 : 0);
}

static void tensor(struct mp *m) {
    static const enum dtype types[] = {DT_F32, DT_F16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL};
    size_t shape[3] = {rnd(4), rnd(3), 1};
    unsigned char data[64];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)rnd(256);
    mp_tensor(m, types[rnd(9)], data, (int)rnd(4), shape);
}

/* Any value. */
static void value(struct mp *m, int depth) {
    static const char *const text[] = {"", "text", "\"\\\b\f\n\r\t\x01\x7f", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8d\x8e", "$nd", "nd"};
    unsigned n = rnd(4), c = rnd(256);
    const char *t = text[rnd(6)];

    if (depth > 6)
        c = rnd(0x80);
    if (c < 0x40) {
        byte(m, rnd(2) ? rnd(128) : 0xe0 + rnd(32));
    } else if (c < 0x60) {
        if (rnd(4))
            mp_cstr(m, t);
        else
            byte(m, 0xa0 + n), bytes(m, n);
    } else if (c < 0x80) {
        mp_float(m, rnd(2) ? (rnd(1000) - 500.0) / 7 : (double)rnd(100) * pow(10, (int)rnd(600) - 300));
    } else if (c < 0x90) {
        tensor(m);
    } else if (c < 0xa8) {
        mp_map(m, n);
        for (unsigned i = 0; i < n; i++) {
            if (rnd(2))
                byte(m, 0xa1), byte(m, 'a' + i);
            else
                value(m, depth + 2);
            value(m, depth + 1);
        }
    } else if (c < 0xc0) {
        mp_array(m, n);
        for (unsigned i = 0; i < n; i++)
            value(m, depth + 1);
    } else {
        unsigned form = 0xc0 + c % 32;
        static const unsigned char fixed[32] = {[0x0c] = 1, [0x0d] = 2, [0x0e] = 4, [0x0f] = 8, [0x10] = 1, [0x11] = 2,
                                                [0x12] = 4, [0x13] = 8, [0x14] = 2, [0x15] = 3, [0x16] = 5, [0x17] = 9, [0x18] = 17};
        if (form == 0xc1)
            form = 0xc0;
        if (form <= 0xc3) {
            byte(m, form);
        } else if (form <= 0xc6) {
            sized(m, form, 1u << (form - 0xc4), n);
            bytes(m, n);
        } else if (form <= 0xc9) {
            sized(m, form, 1u << (form - 0xc7), n);
            bytes(m, n + 1);
        } else if (form == 0xca) {
            byte(m, form), byte(m, rnd(2) ? 0x3e : 0xc1), bytes(m, 3);
        } else if (form == 0xcb) {
            byte(m, form), byte(m, rnd(2) ? 0x3f : 0xbe), bytes(m, 7);
        } else if (form <= 0xd8) {
            byte(m, form), bytes(m, fixed[form - 0xc0]);
        } else if (form <= 0xdb) {
            sized(m, form, 1u << (form - 0xd9), strlen(t));
            mp_raw(m, span_of(t));
        } else {
            sized(m, form, form & 1 ? 4 : 2, n);
            for (unsigned i = 0; i < (form >= 0xde ? 2 * n : n); i++)
                value(m, depth + 2);
        }
    }
}

static void properties(struct arena a, struct arena b) {
    int bad = 0, rounds = 20000;
    size_t total = 0;

    for (int i = 0; i < rounds && bad < 3; i++) {
        struct arena keep = a, other = b;
        struct record r, back;
        struct span first, second;
        struct err e = {0};
        struct mp m, text;
        size_t used;

        mp_open(&m, &keep);
        mp_raw(&m, span_bytes(RECORD_START, RECORD_START_LEN));
        if (rnd(4))
            mp_cstr(&m, "photo.jpg");
        else
            mp_bin(&m, "\xff/\x01", 3);
        mp_cstr(&m, "data");
        unsigned n = rnd(8);
        mp_map(&m, n);
        for (unsigned k = 0; k < n; k++) {
            if (rnd(2))
                byte(&m, 0xa1);
            else
                byte(&m, 0xd9), byte(&m, 1);
            byte(&m, 'a' + k);
            value(&m, 0);
        }
        if (record_parse(&r, m.p, m.n, &used, &keep, &e) != 1 || used != m.n) {
            bad += e.msg[0] && !strstr(e.msg, "deeply");
            printf("# %s\n", e.msg);
            continue;
        }
        total += m.n;
        mp_open(&text, &other);
        record_encode(&r, &first, &keep, &e);
        if (json_write(&text, &r, 0, keep, &e) < 0 || json_read(&back, (char *)text.p, text.n - 1, &keep, other, &e) < 0 ||
            record_encode(&back, &second, &keep, &e) < 0 || first.n != m.n || second.n != m.n ||
            memcmp(first.p, m.p, m.n) != 0 || memcmp(second.p, m.p, m.n) != 0 || memchr(text.p, '\n', text.n - 1)) {
            bad++;
            printf("# %s: %.*s", e.msg, (int)text.n, (const char *)text.p);
        }
        mp_open(&text, &other);
        bad += json_write(&text, &r, JSON_ARRAYS, keep, &e) < 0 && !strstr(e.msg, "not finite");
    }
    ok(!bad, "%d random records, %zu bytes: to JSON and back byte for byte", rounds, total);
}

static const char *shown(struct span val, unsigned flags, struct arena a, struct arena b) {
    struct mp text;
    struct err e = {0};

    mp_open(&text, &b);
    if (json_write_value(&text, val, flags, a, &e) < 0)
        return strcpy((char *)arena_take(&b, 600, 1), e.msg);
    return arena_str(&b, text.p, text.n);
}

static void forms(struct arena a, struct arena b) {
    static const struct {
        const char *mp;
        size_t n;
        const char *json;
    } c[] = {
#define C(mp, json) {mp, sizeof(mp) - 1, json}
        C("\xc0", "null"), C("\xc3", "true"), C("\x07", "7"), C("\xff", "-1"), C("\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
        C("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"),
        C("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "{\"$as\":[\"uint64\",\"18446744073709551615\"]}"),
        C("\xcb\x3f\xf0\0\0\0\0\0\0", "1.0"), C("\xcb\x80\0\0\0\0\0\0\0", "-0.0"), C("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1"),
        C("\xcb\0\0\0\0\0\0\0\1", "4.94065645841247e-324"), C("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "1.7976931348623157e+308"),
        C("\xca\x3d\xcc\xcc\xcd", "{\"$as\":[\"float32\",0.10000000149011612]}"),
        C("\xcd\x00\x07", "{\"$as\":[\"uint16\",7]}"), C("\xd0\xff", "{\"$as\":[\"int8\",-1]}"),
        C("\xa3" "a\"\n", "\"a\\\"\\n\""), C("\xa1\x00", "\"\\u0000\""), C("\xa1\xff", "{\"$as\":[\"fixstr\",{\"$bytes\":\"/w==\"}]}"),
        C("\xc4\x02hi", "{\"$bytes\":\"aGk=\"}"), C("\xd4\x05x", "{\"$ext\":[5,\"eA==\"]}"), C("\xc7\x01\xfbx", "{\"$as\":[\"ext8\",{\"$ext\":[-5,\"eA==\"]}]}"),
        C("\x92\x01\x90", "[1,[]]"), C("\xdc\x00\x01\x01", "{\"$as\":[\"array16\",[1]]}"),
        C("\x82\xa1" "b\x01\xa1" "a\x02", "{\"b\":1,\"a\":2}"), C("\x80", "{}"), C("\x81\x01\x02", "{\"$map\":[[1,2]]}"),
        C("\x82\xa1" "a\x01\xa1" "a\x02", "{\"$map\":[[\"a\",1],[\"a\",2]]}"), C("\x81\xa1$\x01", "{\"$map\":[[\"$\",1]]}"),
        C("\x81\xa2$a\x01", "{\"$map\":[[\"$a\",1]]}"), C("\x81\xa1\0\x01", "{\"$map\":[[\"\\u0000\",1]]}"),
        C("\xde\0\0", "{\"$as\":[\"map16\",{}]}"),
    };
    size_t shape[2] = {2, 1};
    const float v[2] = {0.1f, -3};
    struct mp m;

    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        const char *got = shown(span_bytes(c[i].mp, c[i].n), 0, a, b);
        ok(!strcmp(got, c[i].json), "%s", got);
    }
    mp_open(&m, &a);
    mp_tensor(&m, DT_F32, v, 2, shape);
    ok(!strcmp(shown(mp_span(&m), 0, a, b), "{\"$nd\":{\"type\":\"<f4\",\"shape\":[2,1],\"data\":\"zczMPQAAQMA=\"}}"), "a tensor");
    ok(!strcmp(shown(mp_span(&m), JSON_ARRAYS, a, b), "[[0.1],[-3.0]]"), "as arrays");
    m.p[m.n - 1] = 0x7f, m.p[m.n - 2] = 0x80;
    ok(!strcmp(shown(mp_span(&m), JSON_ARRAYS, a, b), "a tensor with a number that is not finite"), "infinity is not JSON");
    ok(!strcmp(shown(SPAN("\x83\xc4\x02nd\xc2\xc4\x04type\xa3<i4\xc4\x04" "data\xc4\x04\xff\xff\xff\x7f"), JSON_ARRAYS, a, b), "2147483647"),
       "a numpy scalar");
}

static void reads(const char *json, const char *why, struct arena a, struct arena b) {
    struct record r;
    struct err e = {0};
    int rc = json_read(&r, json, strlen(json), &a, b, &e);

    ok(why ? rc == -1 && !strcmp(e.msg, why) : rc == 0, "%s: %s", json, e.msg);
}

#define DATA(x) "{\"id\":\"x\",\"data\":{\"a\":" x "}}"

static void reading(struct arena a, struct arena b) {
    static const char arrays[] = DATA("{\"$nd\":{\"shape\":[2,1],\"type\":\"<i2\",\"data\":[[-32768],[3]]}}");
    char deep[200] = DATA("");
    struct record r;
    struct tensor t;
    struct err e = {0};

    reads("{\"id\":\"x\",\"data\":{}}", NULL, a, b);
    reads("{\"data\":{\"a\":1.5},\"id\":{\"$bytes\":\"/w==\"},\"unclip\":1}", NULL, a, b);
    reads("{\"unclip\":2,\"id\":\"x\",\"data\":{}}", "\"unclip\" is not 1, the version that this program reads", a, b);
    reads("{\"id\":\"x\"}", "not a record: it needs an \"id\", and \"data\" that is an object", a, b);
    reads("{\"id\":\"x\",\"data\":{},\"text\":1}", "not a record: it has more than \"unclip\", \"id\" and \"data\"", a, b);
    reads("{\"id\":1,\"data\":{}}", "its id is neither str nor bin", a, b);
    reads("[]", "not an object", a, b);
    reads("{\"id\":\"x\",\"id\":\"y\",\"data\":{}}", "column 14: duplicate object key near '\"id\"'", a, b);
    reads(DATA("NaN"), "column 25: invalid token near 'NaN'", a, b);
    reads(DATA("1e999"), "column 27: real number overflow near '1e999'", a, b);
    reads(DATA("9223372036854775808"), "column 41: too big integer near '9223372036854775808'", a, b);
    reads(DATA("{\"$bytes\":\"a\"}"), "not base64", a, b);
    reads(DATA("{\"$bytes\":\"/x==\"}"), "not base64", a, b);
    reads(DATA("{\"$bytes\":5}"), "not base64", a, b);
    reads(DATA("{\"$what\":5}"), "$what is not known (an object with this one key is written {\"$map\": ...})", a, b);
    reads(DATA("{\"$map\":[[1]]}"), "$map: not a list of [key, value]", a, b);
    reads(DATA("{\"$ext\":[128,\"\"]}"), "$ext: not [type, base64]", a, b);
    reads(DATA("{\"$as\":[\"uint8\",256]}"), "$as: not a number of that form", a, b);
    reads(DATA("{\"$as\":[\"uint8\",-1]}"), "$as: not a number of that form", a, b);
    reads(DATA("{\"$as\":[\"int8\",-129]}"), "$as: not a number of that form", a, b);
    reads(DATA("{\"$as\":[\"int8\",-128]}"), NULL, a, b);
    reads(DATA("{\"$as\":[\"uint64\",\"18446744073709551616\"]}"), "$as: not a number of that form", a, b);
    reads(DATA("{\"$as\":[\"float32\",1e300]}"), "field a: a number that is not finite", a, b);
    reads(DATA("{\"$as\":[\"str8\",5]}"), "$as: not a value of that form", a, b);
    reads(DATA("{\"$as\":[\"map16\",[]]}"), "$as: not a value of that form", a, b);
    reads(DATA("{\"$as\":[\"nil\",null]}"), "$as: not a form that is known, and a value of it", a, b);
    reads(DATA("{\"$as\":5}"), "$as: not [form, value]", a, b);
    reads(DATA("{\"$nd\":{\"type\":\"<f4\",\"shape\":[2],\"data\":\"AAAAAA==\"}}"), "$nd: its data does not have its shape", a, b);
    reads(DATA("{\"$nd\":{\"type\":\"<f4\",\"shape\":[4611686018427387904],\"data\":[]}}"), "$nd: a shape that overflows", a, b);
    reads(DATA("{\"$nd\":{\"type\":\"|u1\",\"shape\":[1],\"data\":[256]}}"), "$nd: its data holds a number that its type cannot", a, b);
    reads(DATA("{\"$nd\":{\"type\":\"<f2\",\"shape\":[1],\"data\":[70000]}}"), "$nd: its data holds a number that its type cannot", a, b);
    memset(deep + strlen(deep) - 2, '[', 40);
    memset(deep + 21 + 40 - 1, ']', 40);
    deep[21 + 79] = '}', deep[21 + 80] = '}';
    ok(json_read(&r, deep, strlen(deep), &a, b, &e) == -1, "nested too deeply: %s", e.msg);
    e.msg[0] = 0;
    ok(json_read(&r, arrays, strlen(arrays), &a, b, &e) == 0 &&
       record_tensor(&r, "a", &t, &e) == 1 && t.nd == 2 && !memcmp(t.data, "\0\x80\3\0", 4), "a tensor given as arrays%s", e.msg);
}

static void base64(void) {
    char text[64];
    unsigned char back[64];
    int bad = 0;

    for (size_t n = 0; n < 40; n++)
        for (int round = 0; round < 20; round++) {
            unsigned char raw[40];
            size_t len;
            for (size_t i = 0; i < n; i++)
                raw[i] = (unsigned char)rnd(256);
            base64_encode(text, raw, n);
            bad += base64_decode(back, &len, text, base64_length(n)) < 0 || len != n || !!memcmp(raw, back, n);
        }
    base64_encode(text, "foobar", 6);
    ok(!bad && !memcmp(text, "Zm9vYmFy", 8), "base64 of every length, and of RFC 4648");
    size_t len;
    ok(base64_decode(back, &len, "Zg=", 3) < 0 && base64_decode(back, &len, "Zh==", 4) < 0 && base64_decode(back, &len, "Z===", 4) < 0 &&
       base64_decode(back, &len, "====", 4) < 0 && base64_decode(back, &len, "Zm\n=", 4) < 0 && base64_decode(back, &len, "Zg==Zg==", 8) < 0,
       "and strict");
}

int main(void) {
    TAP_ARENA(a, 32);
    TAP_ARENA(b, 16);

    base64();
    forms(a, b);
    reading(a, b);
    properties(a, b);
    free(a_mem.base);
    free(b_mem.base);
    return done();
}
