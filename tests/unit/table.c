/* Rows as TSV, CSV and JSON: bytes that must be escaped and bytes that must not, long rows, a full disk. */
#include "formats/record/table.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "formats/io/base64.h"
#include "tests/tap.h"

static const char *const cols[] = {"id", "cos", "rank"};
static char got[300000];

/* Two rows as text. */
static const char *rows(enum table_format f, const char *id, struct arena a) {
    int p[2];
    struct table t;
    ssize_t n;

    if (pipe(p) < 0 || table_open(&t, p[1], f, cols, 3, &a) < 0)
        return "";
    table_text(&t, span_of(id));
    table_number(&t, 0.25);
    table_int(&t, 1);
    table_text(&t, span_of("b"));
    table_number(&t, -1.0 / 3);
    table_int(&t, 2);
    table_flush(&t);
    close(p[1]);
    n = read(p[0], got, sizeof got - 1);
    close(p[0]);
    got[n > 0 ? n : 0] = 0;
    return got;
}

static void is(const char *a, const char *b, const char *what) {
    if (!ok(strcmp(a, b) == 0, "%s", what))
        printf("# got  %s\n# want %s\n", a, b);
}

static void long_rows(struct arena a) {
    static char name[200001];
    char path[] = "/tmp/table-XXXXXX";
    int fd = mkstemp(path);
    struct table t;
    size_t n = 0;
    bool good;

    memset(name, 'x', sizeof name - 1);
    for (size_t i = 0; i < sizeof name - 1; i += 1000)
        name[i] = '\t';
    table_open(&t, fd, TABLE_TSV, cols, 3, &a);
    table_text(&t, span_of(name));
    table_int(&t, 0);
    table_int(&t, -7);
    good = table_flush(&t) == 0;
    lseek(fd, 0, SEEK_SET);
    for (ssize_t k; (k = read(fd, got + n, sizeof got - n)) > 0; n += (size_t)k)
        ;
    ok(good && n == 200000 + 200 + 6 && memcmp(got + n - 6, "\t0\t-7\n", 6) == 0,
       "a row longer than the buffer is whole");
    close(fd);
    unlink(path);
}

/* More bytes than are encoded at a time. */
static void long_base64(struct arena a) {
    static char name[2001], want[4000];
    const char *text;

    for (size_t i = 0; i < sizeof name - 1; i++)
        name[i] = (char)(i % 255 + 1);
    strcpy(want, "{\"id\":{\"$bytes\":\"");
    base64_encode(want + strlen(want), name, sizeof name - 1);
    text = rows(TABLE_JSON, name, a);
    ok(strncmp(text, want, strlen(want)) == 0 && text[strlen(want)] == '"', "JSON: %zu bytes", sizeof name - 1);
}

static void full(struct arena a) {
    int fd = open("/dev/full", O_WRONLY);
    struct table t;

    if (fd < 0) {
        skip("no /dev/full");
        return;
    }
    table_open(&t, fd, TABLE_TSV, cols, 3, &a);
    table_text(&t, span_of("a"));
    table_int(&t, 0);
    table_int(&t, 0);
    ok(table_flush(&t) == -1 && errno == ENOSPC, "a full disk is an error");
    ok(table_flush(&t) == -1 && errno == ENOSPC, "and stays one");
    close(fd);
}

int main(void) {
    TAP_ARENA(a, 4);

    is(rows(TABLE_TSV, "a\tb\nc\\d\re, \"f\"", a),
       "a\\tb\\nc\\\\d\\re, \"f\"\t0.25\t1\nb\t-0.3333333\t2\n", "TSV: tab, line ends, backslash");
    is(rows(TABLE_TSV, "\xff\xe9", a), "\xff\xe9\t0.25\t1\nb\t-0.3333333\t2\n",
       "TSV: bytes that are not UTF-8 as they are");
    is(rows(TABLE_CSV, "a,\"b\"\nc", a),
       "id,cos,rank\r\n\"a,\"\"b\"\"\nc\",0.25,1\r\nb,-0.3333333,2\r\n", "CSV: quotes, doubled");
    is(rows(TABLE_CSV, "a b\tc", a), "id,cos,rank\r\na b\tc,0.25,1\r\nb,-0.3333333,2\r\n",
       "CSV: no quotes without need");
    is(rows(TABLE_CSV, "\"", a), "id,cos,rank\r\n\"\"\"\",0.25,1\r\nb,-0.3333333,2\r\n", "CSV: only a quote");
    is(rows(TABLE_JSON, "a\"\\\n\t\r\x01\x7f\xc3\xa9", a),
       "{\"id\":\"a\\\"\\\\\\n\\t\\r\\u0001\\u007f\xc3\xa9\",\"cos\":0.25,\"rank\":1}\n"
       "{\"id\":\"b\",\"cos\":-0.3333333,\"rank\":2}\n",
       "JSON: escapes, UTF-8 as it is, in order");
    is(rows(TABLE_JSON, "\xff", a), "{\"id\":{\"$bytes\":\"/w==\"},\"cos\":0.25,\"rank\":1}\n"
       "{\"id\":\"b\",\"cos\":-0.3333333,\"rank\":2}\n", "JSON: one byte that is not UTF-8");
    is(rows(TABLE_JSON, "\xff\xfe" "abc", a),
       "{\"id\":{\"$bytes\":\"//5hYmM=\"},\"cos\":0.25,\"rank\":1}\n{\"id\":\"b\",\"cos\":-0.3333333,\"rank\":2}\n",
       "JSON: five bytes");
    long_base64(a);
    long_rows(a);
    full(a);
    free(a_mem.base);
    return done();
}
