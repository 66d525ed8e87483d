/* Labels, templates and the cache: from text, from streams, stale, damaged, foreign. */
#include "tools/stage/labels.h"

#include <fcntl.h>
#include <unistd.h>

#include "formats/io/file_read.h"
#include "formats/io/write_all.h"
#include "formats/record/stream.h"
#include "tests/tap.h"

static bool is(struct span a, const char *b) {
    return a.n == strlen(b) && memcmp(a.p, b, a.n) == 0;
}

static void text(struct arena a) {
    struct labels l;
    struct err e = {0};

    ok(labels_parse(&l, span_of("\xef\xbb\xbf" "cat\r\n\n two words \ncaf\xc3\xa9"), &a, &e) == 0 &&
           l.n == 3 && is(l.name[0], "cat") && is(l.name[1], " two words ") && is(l.name[2], "caf\xc3\xa9"),
       "a line is a label; a byte order mark, CR and empty lines are not");
    ok(labels_parse(&l, span_of("\n\r\n"), &a, &e) == -1 && !strcmp(e.msg, "no label in it"), "no label");
    e.msg[0] = 0;
    ok(labels_parse(&l, span_of("a\n\nb\xff\n"), &a, &e) == -1 && !strcmp(e.msg, "line 3: not UTF-8"),
       "not UTF-8: the line is named");
    e.msg[0] = 0;
    ok(labels_parse(&l, SPAN("a\nb\0c"), &a, &e) == -1 &&
           !strcmp(e.msg, "line 2: a NUL byte in a text file"),
       "NUL");
}

static void templates(struct arena a) {
    struct templates t;
    struct err e = {0};
    struct span s;

    ok(templates_open(&t, NULL, &a, &e) == 0 && t.n == 1 &&
           template_fill(&t.v[0], span_of("cat"), &s, &a) == 0 && is(s, "a photo of a cat."),
       "the default");
    ok(templates_open(&t, "none", &a, &e) == 0 && template_fill(&t.v[0], span_of("cat"), &s, &a) == 0 &&
           is(s, "cat"),
       "none");
    ok(templates_open(&t, "openai80", &a, &e) == 0 && t.n == 80 &&
           template_fill(&t.v[0], span_of("cat"), &s, &a) == 0 && is(s, "a bad photo of a cat."),
       "openai80");
    ok(templates_open(&t, "openai7", &a, &e) == 0 && t.n == 7 &&
           template_fill(&t.v[0], span_of("cat"), &s, &a) == 0 && is(s, "itap of a cat."),
       "openai7");
    ok(templates_parse(&t, "{}\nx {} y\r\n", 11, &a, &e) == 0 && t.n == 2 &&
           template_fill(&t.v[1], span_of("{}"), &s, &a) == 0 && is(s, "x {} y"),
       "from text; a label may look like a placeholder");
    ok(templates_parse(&t, "{}\nx {} {}\n", 11, &a, &e) == -1 &&
           !strcmp(e.msg, "line 2: a template has exactly one {}"),
       "two placeholders");
    e.msg[0] = 0;
    ok(templates_parse(&t, "photo\n", 6, &a, &e) == -1, "no placeholder");
    e.msg[0] = 0;
    ok(templates_parse(&t, "", 0, &a, &e) == -1 && !strcmp(e.msg, "no template in it"), "no template");
}

static void keys(struct arena a) {
    struct labels l, m;
    struct templates t, u;
    char k[5][LABELS_KEY];
    bool differ = true;

    labels_parse(&l, span_of("ab\nc"), &a, NULL);
    labels_parse(&m, span_of("a\nbc"), &a, NULL);
    templates_open(&t, NULL, &a, NULL);
    templates_open(&u, "none", &a, NULL);
    labels_key(k[0], "0123", &l, &t);
    labels_key(k[1], "0124", &l, &t);
    labels_key(k[2], "0123", &m, &t);
    labels_key(k[3], "0123", &l, &u);
    labels_key(k[4], "0123", &l, &t);
    for (int i = 1; i < 4; i++)
        differ = differ && strcmp(k[0], k[i]) != 0;
    ok(differ && !strcmp(k[0], k[4]) && strlen(k[0]) == 32,
       "the key changes with the model, the labels, the templates, and with nothing else");
}

static void cache(struct arena a) {
    static const char key[] = "0123456789abcdef0123456789abcdef", other[] = "1123456789abcdef0123456789abcdef";
    float v[6] = {0.6f, 0.8f, 0, 1, 0, 0};
    struct labels l, m, n;
    struct err e = {0};
    char path[] = "/tmp/labels-XXXXXX";
    struct span blob;
    int fd = mkstemp(path), cuts = 0;

    close(fd);
    unlink(path);
    labels_parse(&l, span_of("cat\ndog"), &a, &e);
    m = l;
    l.d = 3, l.v = v, l.model = span_of("feed"), l.scale = 42;
    ok(labels_cache_read(&m, path, key, &a, &e) == 0, "no cache");
    ok(labels_cache_write(&l, path, key, a, &e) == 0, "written");
    n = m;
    ok(labels_cache_read(&m, path, key, &a, &e) == 1 && m.d == 3 && m.n == 2 && m.scale == 42 &&
           is(m.model, "feed") && is(m.name[1], "dog") && m.v[3] == 1,
       "read back: names, vectors, model, scale");
    close_to(m.v, v, 6, 6e-8, 0, "the vectors, normalised once more");
    ok(labels_cache_read(&n, path, other, &a, &e) == 0 && n.v == NULL, "stale: another key");
    ok(labels_open(&n, path, &a, &e) == 0 && n.n == 2 && n.v && is(n.name[0], "cat"),
       "a cache is a labels file too");
    n.n = 1;
    ok(labels_cache_read(&n, path, key, &a, &e) == 0, "stale: another number of labels");

    file_read(path, TEXT_FILE_MAX, &blob, &a, &e);
    for (size_t i = 1; i < blob.n; i++) {
        struct labels q = {.n = 2, .name = l.name};

        fd = open(path, O_WRONLY | O_TRUNC);
        write_all(fd, blob.p, i);
        close(fd);
        e.msg[0] = 0;
        if (labels_cache_read(&q, path, key, &a, &e) == (i < RECORD_START_LEN ? -1 : 0) && !q.v)
            cuts++;
    }
    ok(cuts == (int)blob.n - 1, "cut anywhere it is absent, or no cache at all");
    unlink(path);
}

static void streams(struct arena a) {
    struct mp m;
    struct record r;
    struct labels l;
    struct err e = {0};
    struct span one, two;
    float v[2] = {3, 4}, z[2] = {0, 0};
    size_t d = 2;

    record_new(&r, span_of("x"), false, &a, &e);
    record_set_text(&r, "text", span_of("a cat"), &e);
    record_set_tensor(&r, "text_embed", DT_F32, v, 1, &d, &e);
    record_encode(&r, &one, &a, &e);
    record_set_tensor(&r, "text_embed", DT_F32, z, 1, &d, &e);
    record_encode(&r, &two, &a, &e);
    ok(labels_parse(&l, one, &a, &e) == 0 && l.n == 1 && is(l.name[0], "a cat") && l.v[0] == 0.6f,
       "a stream of text_embed is labels: text, vector of length one");
    mp_open(&m, &a);
    mp_raw(&m, one);
    mp_raw(&m, two);
    e.msg[0] = 0;
    ok(labels_parse(&l, mp_span(&m), &a, &e) == -1 &&
           !strcmp(e.msg, "record 2: its text_embed is all zeros"),
       "a vector of zeros is named");
    record_drop(&r, "text_embed");
    record_encode(&r, &two, &a, &e);
    e.msg[0] = 0;
    ok(labels_parse(&l, two, &a, &e) == -1 && !strcmp(e.msg, "record 1: no text_embed (clip-tok | clip-embed makes it of a text)"), "no vector");
}

int main(void) {
    TAP_ARENA(a, 64);

    text(a);
    templates(a);
    keys(a);
    cache(a);
    streams(a);
    free(a_mem.base);
    return done();
}
