/* Lines and NUL-ended items, in whatever pieces they arrive. */
#define _POSIX_C_SOURCE 200809L
#include "formats/io/items.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/tap.h"

/* All items of s, written to a file, as one string: "|" after each, "!" for one too long. */
static const char *all(const char *s, size_t n, char end, size_t most, struct arena a) {
    static char out[1 << 20];
    char name[] = "/tmp/items-XXXXXX";
    int fd = mkstemp(name), r;
    struct err e = {0};
    struct items t;
    struct span i;
    size_t k = 0;

    if (fd < 0 || write(fd, s, n) != (ssize_t)n || items_open(&t, name, end, most, &a, &e) < 0)
        return "cannot open";
    while ((r = items_next(&t, &i, &e)) != 0 && r != -2) {
        if (r > 0)
            memcpy(out + k, i.p, i.n), k += i.n;
        out[k++] = r > 0 ? '|' : '!';
    }
    out[k] = 0;
    items_close(&t);
    close(fd);
    unlink(name);
    return r == -2 ? "cannot read" : out;
}

#define IS(s, end, want) ok(!strcmp(all(s, sizeof s - 1, end, 100, a), want), "%s", want)

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
    free(big);
    free(want);
    free(a_mem.base);
    return done();
}
