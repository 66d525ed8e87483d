/* Lines, NUL-ended items and JSON objects, in whatever pieces they arrive. */
#define _POSIX_C_SOURCE 200809L
#include "formats/io/json_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/tap.h"

/* All items of s, which is written to a file, as one string: "|" after each, "!" for an item that is too long. */
static const char *all(const char *s, size_t n, char end, size_t most, struct arena a) {
    static char out[1 << 20];
    char name[] = "/tmp/lines-XXXXXX";
    int fd = mkstemp(name), r;
    struct err e = {0};
    struct lines t = {0};
    struct span i;
    size_t k = 0;

    if (fd < 0 || write(fd, s, n) != (ssize_t)n || lines_open(&t, name, end, most, &a, &e) < 0)
        return "cannot open";
    while ((r = lines_next(&t, &i, &e)) != 0 && r != -2) {
        if (r > 0)
            memcpy(out + k, i.p, i.n), k += i.n;
        out[k++] = r > 0 ? '|' : '!';
    }
    out[k] = 0;
    lines_close(&t);
    close(fd);
    unlink(name);
    return r == -2 ? "cannot read" : out;
}

#define IS(s, end, want) ok(!strcmp(all(s, sizeof s - 1, end, 100, a), want), "%s", want)

/* A file of n bytes of s; its name goes to path, a template of mkstemp. */
static int put(char *path, const char *s, size_t n) {
    int fd = mkstemp(path);

    return fd < 0 || write(fd, s, n) != (ssize_t)n || close(fd) < 0;
}

static void json(struct arena a) {
    static const char text[] = "\xef\xbb\xbf{\"a\":1}\n\n  {\"b\":\"}\\\"{\"}\r\n{\n  \"c\": [\n    {\"d\": 1}\r\n  ]\n}\n"
                               "{\"cut\": [\n{\"e\":2}\nword\n{\"last\":3}";
    static const struct { const char *s; int line; } want[] = {{"{\"a\":1}", 1}, {"  {\"b\":\"}\\\"{\"}", 3},
        {"{\n  \"c\": [\n    {\"d\": 1}\n  ]\n}\n", 4}, {"{\"cut\": [\n", 9}, {"{\"e\":2}", 10}, {"word", 11}, {"{\"last\":3}", 12}};
    enum { WANT = sizeof want / sizeof *want };
    char path[] = "/tmp/unclip-lines-XXXXXX", big[] = "/tmp/unclip-lines-XXXXXX";
    struct json_lines j = {.held = false};
    struct err e = {0};
    size_t right, room;
    uint64_t first;
    struct span s;
    int bad = put(path, text, sizeof text - 1), rc;
    char *p = arena_take(&a, 3 << 20, 1);

    for (int pass = 0; pass < 2; pass++) {    /* the second time, the buffers are used again */
        room = (size_t)(a.end - a.at);
        right = 0;
        bad |= json_lines_open(&j, path, 1 << 20, &a, &e) < 0;
        while ((rc = json_lines_next(&j, &s, &first, &e)) == 1 && right < WANT) {
            bad |= s.n != strlen(want[right].s) || !!memcmp(s.p, want[right].s, s.n) || first != (uint64_t)want[right].line;
            right++;
        }
        ok(!bad && right == WANT && rc == 0, "JSON lines and printed JSON, damaged between%s", pass ? ", again" : "");
        json_lines_close(&j);
    }
    ok((size_t)(a.end - a.at) == room, "which takes no more memory");
    memset(p, ' ', 3 << 20);
    for (size_t i = 1 << 10; i < 3 << 20; i += 1 << 10)
        p[i] = '\n';
    memcpy(p, "{", 1), memcpy(p + (3 << 20) - 4, "}\n2", 3), p[(3 << 20) - 1] = '\n';
    bad = put(big, p, 3 << 20);
    bad |= json_lines_open(&j, big, 1 << 20, &a, &e) < 0;
    rc = json_lines_next(&j, &s, &first, &e);
    ok(!bad && rc == -1 && first == 1 && !strcmp(e.msg, "longer than 1048576 bytes"), "an object longer than the room: %s", e.msg);
    ok(json_lines_next(&j, &s, &first, &e) == 1 && s.n == 1 && *s.p == '2', "is passed over whole");
    json_lines_close(&j);
    unlink(path);
    unlink(big);
}

/* A text in memory, and a file that people wrote. */
static void memory(void) {
    static const char text[] = "\xef\xbb\xbfone\r\n\n\r\ntwo\nth\xff\n\0\nlast";
    struct lines l = lines_of(span_bytes(text, sizeof text - 1)), t = l;
    struct err e = {0};
    struct span s;
    size_t n = 0;

    while (lines_next(&l, &s, &e) == 1)
        n++;
    ok(n == 7 && l.number == 7 && s.n == 4 && !memcmp(s.p, "last", 4) && s.p == (const unsigned char *)text + sizeof text - 5,
       "lines of a text in memory, where they are");
    ok(text_line(&t, &s, &e) == 1 && s.n == 3 && !memcmp(s.p, "one", 3) && text_line(&t, &s, &e) == 1 && t.number == 4 && s.n == 3,
       "empty ones are passed over");
    ok(text_line(&t, &s, &e) == -1 && !strcmp(e.msg, "line 5: not UTF-8"), "refused: %s", e.msg);
    e.msg[0] = 0;
    ok(text_line(&t, &s, &e) == -1 && !strcmp(e.msg, "line 6: a NUL byte in a text file"), "refused: %s", e.msg);
    ok(text_line(&t, &s, &e) == 1 && s.n == 4 && text_line(&t, &s, &e) == 0, "the last one, without an end");
    t = lines_of((struct span){0});
    ok(lines_next(&t, &s, &e) == 0, "no text, no line");
    for (int i = 0; i < 2; i++) {
        static const char *const marked[] = {"\xff\xfe" "a\0\n\0", "\xfe\xff\0a\0\n"};

        t = lines_of(span_bytes(marked[i], 6));
        errno = EINTR, err_clear(&e);
        ok(text_line(&t, &s, &e) == -2 && errno != EINTR && !strncmp(e.msg, "text in UTF-16", 14), "refused: %s", e.msg);
    }
    t = lines_of(SPAN("a\n\xff\xfe\n"));
    ok(lines_next(&t, &s, &e) == 1 && lines_next(&t, &s, &e) == 1 && s.n == 2, "these bytes in a later line are bytes");
}

int main(void) {
    char *big = malloc(1 << 20), *want = malloc(1 << 20);
    size_t k = 0, w = 0;
    TAP_ARENA(a, 16);

    IS("", '\n', "");
    IS("\n", '\n', "|");
    IS("a", '\n', "a|");
    IS("a\n\nb\n", '\n', "a||b|");
    IS("a\r\n\r\nb\r", '\n', "a||b|");
    IS("\xef\xbb\xbf" "a\n\xef\xbb\xbf" "b", '\n', "a|\xef\xbb\xbf" "b|");
    ok(!strcmp(all("a\nb\r\0c", 6, 0, 100, a), "a\nb\r|c|"), "ended by NUL: lines stay together");
    IS("\0\0", 0, "||");

    /* items around the limit and around the buffer's size, one after another */
    for (int i = 0; i < 300; i++) {
        size_t len = (size_t)(i * 37 % 290);
        memset(big + k, 'a' + i % 26, len);
        k += len;
        big[k++] = '\n';
        if (len <= 100)
            memset(want + w, 'a' + i % 26, len), w += len;
        want[w++] = len <= 100 ? '|' : '!';
    }
    want[w] = 0;
    ok(!strcmp(all(big, k, '\n', 100, a), want), "items longer than the limit are passed over");
    for (size_t most = 65530; most < 65545; most++)
        for (size_t len = most - 1; len < most + 2; len++) {
            memset(big, 'x', len);
            memcpy(big + len, "\nb", 2);
            const char *got = all(big, len + 2, '\n', most, a);
            size_t n = strlen(got);
            if (len <= most ? n != len + 3 || got[len] != '|' : strcmp(got, "!b|") != 0)
                ok(0, "%zu bytes where %zu are allowed", len, most);
        }
    memset(big, 'x', 1 << 20);
    ok(!strcmp(all(big, 1 << 20, '\n', 131072, a), "!"), "one that never ends");
    json(a);
    memory();
    free(big);
    free(want);
    free(a_mem.base);
    return done();
}
