/* Cleaning against tests/golden/tok/cases.jsonl (by reference.py there), and what must
 * hold for any text: growth, time, errors. */
#include "lib/text/text_clean.h"

#include <jansson.h>

#include "lib/base/utf8.h"
#include "lib/text/text_tables.h"
#include "tests/tap.h"

static char *clean(const char *s, size_t n, size_t *len, struct arena a, struct err *e) {
    e->msg[0] = 0;
    return text_clean(s, n, len, &a, e);
}

static int same(const char *s, const char *want, struct arena a) {
    struct err e;
    size_t len;
    char *got = clean(s, strlen(s), &len, a, &e);

    if (got && len == strlen(want) && !strcmp(got, want))
        return 1;
    printf("# got '%s'\n", got ? got : e.msg);
    return 0;
}

static void golden(struct arena a) {
    FILE *f = fopen("tests/golden/tok/cases.jsonl", "r");
    char line[65536];
    int n = 0, bad = 0;

    while (f && fgets(line, sizeof line, f)) {
        json_t *j = json_loads(line, JSON_ALLOW_NUL, NULL), *t = json_array_get(j, 0);
        json_t *want = json_array_get(j, 1);
        struct err e;
        size_t len;
        char *got = clean(json_string_value(t), json_string_length(t), &len, a, &e);
        n++;
        if (!got || len != json_string_length(want) || memcmp(got, json_string_value(want), len)) {
            printf("# %s# got: %s\n", line, got ? got : e.msg);
            bad++;
        }
        json_decref(j);
    }
    if (f)
        fclose(f);
    ok(n > 400 && !bad, "%d of %d golden texts are cleaned as the reference does", n - bad, n);
}

static void by_hand(struct arena a) {
    ok(same("  A\tred \r\n apple ", "a red apple", a), "white space and case");
    ok(same("\v\x01\x7f", "", a), "nothing but control characters");
    ok(same("", "", a), "the empty text");
    ok(same("&amp;amp;amp;amp;lt;", "<", a), "nested entities");
    ok(same("tom &amp; jerry &LT &notit; &EACUTE;", "tom & jerry < \xc2\xacit; \xc3\xa9", a),
       "entities of HTML and of ftfy");
    ok(same("< &EACUTE; &eacute;", "< &eacute; \xc3\xa9", a), "after a < ftfy's are left alone, HTML's are not");
    ok(same("\xce\x91\xce\xa3. \xce\xa3\xce\x91", "\xce\xb1\xcf\x82. \xcf\x83\xce\xb1", a), "final sigma");
    for (int words = 0; words < 2; words++) {
        static const char *const want[] = {"\xce\xbf\xcf\x83", "\xce\xbf\xcf\x82"};
        struct err why = {0};
        size_t n;
        const char *low = text_lower("\xce\x9f\xce\xa3", 4, words, &n, &a, &why);

        ok(low && n == 4 && !strcmp(low, want[words]), "lower case with the rule for words, and without it");
    }
    ok(same("\xc4\xb0", "i\xcc\x87", a), "U+0130");
    ok(same("e\xcc\x81 \xe2\x84\xaa \xef\xbd\x81", "\xc3\xa9 k a", a), "NFC, singletons, widths");
}

static void errors(struct arena a) {
    static const struct {
        const char *s;
        size_t n;
        const char *msg;
    } t[] = {
        {"ab\xff", 3, "not UTF-8 at byte 2"},
        {"a\nb\xc3", 4, "not UTF-8 at byte 3"},
        {"\xed\xa0\x80", 3, "not UTF-8 at byte 0"},
        {"\xc0\x80", 2, "not UTF-8 at byte 0"},
        {"a\xf0\x8f\xbf\xbf", 5, "not UTF-8 at byte 1"},
        {"x\xf4\x90\x80\x80", 5, "not UTF-8 at byte 1"},
        {"\xe2\x82z", 3, "not UTF-8 at byte 0"},
    };
    struct err e;
    size_t len;

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        ok(!clean(t[i].s, t[i].n, &len, a, &e) && !strcmp(e.msg, t[i].msg), "refused: %s", e.msg);
    a.end = a.at + 4096;
    ok(!clean("\xc3\xa9", 2, &len, a, &e) || len == 2, "little memory: done or refused");
    a.end = a.at + 200;
    ok(!clean("\xc3\xa9", 2, &len, a, &e) && strstr(e.msg, "memory"), "no memory: %s", e.msg);
}

/* Every code point and every entity, alone and between letters. */
static void growth(struct arena a) {
    size_t worst = 0, len, n, bad = 0;
    unsigned char s[64];
    struct err e;

    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xd800 && c < 0xe000)
            continue;
        n = (size_t)utf8_put(c, s);
        if (!clean((char *)s, n, &len, a, &e))
            bad++;
        else if (len * 100 / n > worst)
            worst = len * 100 / n;
    }
    for (size_t i = 0; i < html5_entity_n + upper_entity_n; i++) {
        const struct entity *t = i < html5_entity_n ? &html5_entity[i] : &upper_entity[i - html5_entity_n];
        n = (size_t)snprintf((char *)s, sizeof s, "&%s", t->name);
        if (!clean((char *)s, n, &len, a, &e))
            bad++;
        else if (len * 100 / n > worst)
            worst = len * 100 / n;
    }
    ok(!bad, "every code point and every entity is taken");
    ok(worst <= 100 * TEXT_GROWTH, "and grows to %zu %% at most", worst);
}

/* Texts that would take a quadratic program hours: a million bytes of each. */
static void hostile(struct arena a) {
    static const char *const part[] = {
        "amp;", "&amp", "&semi", "&#894", "&#xff1b", "&#xff06;", "\xcc\x81\xcc\xa7", "\x1b[1;",
        "&CounterClockwiseContourIntegra", "\xce\xa3.", "\xe1\x84\x80\xe1\x85\xa1", "\xf0\x9d\x85\xa0",
        "\xe1\xbe\x82", "\xc7\x95", "&nGt;", "\xef\xac\x83", "<&amp;\n",
    };
    size_t n = 1 << 20, len, k;
    char *s = malloc(n + 64);
    struct err e;

    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        k = (size_t)sprintf(s, "&");
        while (k + strlen(part[i]) < n)
            k += (size_t)sprintf(s + k, "%s", part[i]);
        memset(s + k, ';', n - k);
        ok(clean(s, n, &len, a, &e) && len <= TEXT_GROWTH * n, "a million bytes of nested %zu: %zu", i,
           len);
    }
    free(s);
}

int main(void) {
    TAP_ARENA(a, 64);

    golden(a);
    by_hand(a);
    errors(a);
    growth(a);
    hostile(a);
    free(a_mem.base);
    return done();
}
