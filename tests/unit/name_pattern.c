/* Names of files from hostile ids, and captions. */
#define _XOPEN_SOURCE 700
#include "tools/stage/name_pattern.h"

#include <unistd.h>

#include "tests/tap.h"
#include "tools/stage/caption.h"

static const char *name(const char *pattern, const char *id, uint64_t number, struct arena *a) {
    struct record r;

    record_new(&r, span_of(id), !utf8_valid(id, strlen(id)), a, NULL);
    return name_make(pattern, &r, number, a, NULL);
}

static void is(const char *got, const char *want) {
    ok(got && !strcmp(got, want), "%s", want);
}

static void names(struct arena a) {
    char longest[400];
    const char *got;

    is(name("%d", "x", 7, &a), "7");
    is(name("a%03d%%-%5d.png", "x", 7, &a), "a007%-    7.png");
    is(name("%020d", "x", UINT64_MAX, &a), "18446744073709551615");
    is(name("%i", "../../etc/passwd", 1, &a), "_._.._etc_passwd");
    is(name("%i", "..", 1, &a), "_.");
    is(name("%i", "", 1, &a), "_");
    is(name("%i", "-rf", 1, &a), "_rf");
    is(name("%b", "a/b/photo.tar.gz", 1, &a), "photo.tar");
    is(name("%b", "a/.profile", 1, &a), "_profile");
    is(name("%b", "a/dir/", 1, &a), "dir");
    is(name("%b", "plain", 1, &a), "plain");
    is(name("%b", "x.", 1, &a), "x");
    is(name("%r", "root", 1, &a), "root");
    is(name("%s", "x", 1, &a), "0");
    is(name("%i", "caf\xc3\xa9\x01\x7f\xc2\x9b!", 1, &a), "caf\xc3\xa9___!");
    is(name("%i", "\xff\xfe", 1, &a), "__");
    is(name("", "x", 1, &a), "");
    memset(longest, 'a', sizeof longest);
    longest[120] = 0;
    is(name("%i", longest, 1, &a), longest);
    longest[120] = 'a', longest[121] = 0;
    got = name("%i", longest, 1, &a);
    ok(strlen(got) == 120 && got[102] == 'a' && got[103] == '-', "a longer id is cut, with a hash: %s", got + 100);
    for (size_t i = 0; i + 4 < sizeof longest; i += 4)
        memcpy(longest + i, "\xf0\x9f\x90\xb1", 5);
    got = name("%i", longest, 1, &a);
    ok(utf8_valid(got, strlen(got)) && strlen(got) == 100 + 17, "and between characters");
}

/* Whatever the id, its part of the name is one harmless component of a path. */
static void any_id(struct arena a) {
    size_t bad = 0;
    unsigned seed = 7;

    for (int i = 0; i < 20000; i++) {
        struct arena b = a;
        char id[300];
        const char *got;
        size_t n = 0, len;

        while (n < (size_t)(i % 290)) {
            seed = seed * 1103515245u + 12345u;
            id[n++] = i % 3 ? (char)(1 + (seed >> 20) % 255) : "/.-a\xc3\xa9\x9b\n"[seed >> 20 & 7];
        }
        id[n] = 0;
        got = name("%i", id, 1, &b);
        len = strlen(got);
        bad += !len || len > NAME_PART || strpbrk(got, "/\n\x1b\x7f") || strchr(".-", *got) || !utf8_valid(got, len);
        got = name("%b", id, 1, &b);
        len = strlen(got);
        bad += !len || len > NAME_PART || strpbrk(got, "/\n\x1b\x7f") || strchr(".-", *got) || !utf8_valid(got, len);
    }
    ok(!bad, "twenty thousand ids of any bytes");
}

static void patterns(void) {
    static const char *const bad[] = {"%", "a%", "%x", "%4i", "%0", "%21d", "%99999999999999999999d", "%-3d", "% d", "%ld", "%n"};
    struct err e = {0};
    size_t n = 0;

    ok(name_parse("a%d%%%04d%i%b%r%s.png", &n, &e) == 0 && n == 6, "six directives");
    ok(name_parse("plain%%", &n, &e) == 0 && n == 0, "none");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(name_parse(bad[i], &n, NULL) == -1, "'%s' is refused", bad[i]);
}

static void sets(struct arena a) {
    struct name_set s = {NULL, 0, 0};
    size_t bad = 0;
    char text[32];

    for (int again = 0; again < 2; again++)
        for (int i = 0; i < 10000; i++) {
            snprintf(text, sizeof text, "name %d", i);
            bad += name_set_add(&s, text, &a) != !again;
        }
    ok(!bad && s.n == 10000, "a set of ten thousand names");
    a.end = a.at + 64;
    ok(name_set_add(&(struct name_set){NULL, 0, 0}, "x", &a) == -1, "no memory");
}

static void captions(struct arena a, struct arena b) {
    struct err e = {0};
    struct record r;
    struct mp m;

    record_new(&r, span_of("dir/caf\xc3\xa9.png"), false, &a, &e);
    record_set_float(&r, "cos", 0.123456, &e);
    record_set_int(&r, "rank", 3, &e);
    record_set_ints(&r, "tokens", (const int64_t[]){1, 2}, 2, &e);
    mp_open(&m, &b);
    ok(caption_write(&m, &r, NULL, a, &e) == 0 && m.n == 5 && !memcmp(m.p, "caf\xc3\xa9", 5), "a path without directories and extension");
    m.n = 0;
    ok(caption_write(&m, &r, "rank,nosuch,,cos,tokens,id", a, &e) == 0, "several fields");
    is(caption_string(mp_span(&m), &a), "3 0.1235 [1,2] dir/caf\303\251.png");
    m.n = 0;
    ok(caption_write(&m, &r, "none", a, &e) == 0 && m.n == 0, "none");
    record_set_text(&r, "text", span_of("two\n\t words\x1b[31m \xff"), &e);
    ok(caption_write(&m, &r, NULL, a, &e) == 0, "the text, where there is one");
    is(caption_string(mp_span(&m), &a), "two words [31m ?");
}

int main(void) {
    TAP_ARENA(a, 4);
    TAP_ARENA(b, 1);

    names(a);
    any_id(a);
    patterns();
    sets(a);
    captions(a, b);
    free(a_mem.base);
    free(b_mem.base);
    return done();
}
