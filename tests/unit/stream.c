/* Streams: a file, a pipe in pieces of any size, and a stream with damage of every kind give the same records.  The work
 * is linear and no page is read without need, whatever the bytes say. */
#define _DEFAULT_SOURCE
#include "formats/record/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "formats/io/write_all.h"
#include "tests/tap.h"

#define HEAD RECORD_START "\xa1x\xa4" "data"

static char path[] = "/tmp/unclip-stream-XXXXXX";

/* Append a record called `id` with a tensor of n bytes.  The bytes of a small tensor look like starts of records. */
static void add(struct mp *out, int id, size_t n, struct arena a) {
    struct span name, bytes;
    struct record r;
    struct err e = {0};
    unsigned char *data = arena_take(&a, n, 1);
    char text[16];

    for (size_t i = 0; i < n; i++)
        data[i] = n < 1000 ? (unsigned char)RECORD_START[i % RECORD_START_LEN] : 0;
    name = span_bytes(text, (size_t)snprintf(text, sizeof text, "%d", id));
    record_new(&r, name, false, &a, &e);
    record_set_tensor(&r, "image", DT_U8, data, 1, &n, &e);
    record_set_int(&r, "number", id, &e);
    record_encode(&r, &bytes, &a, &e);
    mp_raw(out, bytes);
}

static void save(struct span s) {
    int fd = open(path, O_WRONLY | O_TRUNC);

    if (fd < 0 || write_all(fd, s.p, s.n) < 0)
        perror(path), exit(2);
    close(fd);
}

/* Read the stream s, from the file or through a pipe in pieces, and describe it as text: numbers of records, and
 * messages in brackets. */
static const char *read_all(struct span s, size_t piece, size_t buffer, struct arena a) {
    static char text[8192];
    struct stream in;
    struct record r;
    struct err e = {0};
    size_t at = 0;
    pid_t child = 0;
    int fd[2], rc, old = -1;

    text[0] = 0;
    if (piece) {
        if (pipe(fd) < 0 || (child = fork()) < 0)
            perror("pipe"), exit(2);
        if (!child) {
            close(fd[0]);
            for (size_t i = 0; i < s.n; i += piece)
                if (write_all(fd[1], s.p + i, s.n - i < piece ? s.n - i : piece) < 0)
                    _exit(1);
            _exit(0);
        }
        close(fd[1]);
        old = dup(0);
        dup2(fd[0], 0);
        close(fd[0]);
    } else {
        save(s);
    }
    if (stream_open(&in, piece ? "-" : path, &a, buffer, &e) < 0) {
        snprintf(text, sizeof text, "%s", e.msg);
        return text;
    }
    for (;;) {
        struct arena scratch = a;
        int64_t number = -1;

        e.msg[0] = 0;
        if (!(rc = stream_next(&in, &r, &scratch, &e)) || at > sizeof text - 700)
            break;
        if (rc == 1 && record_int(&r, "number", &number, &e) >= 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", at ? " " : "", (int)number);
        else
            at += (size_t)snprintf(text + at, sizeof text - at, "%s[%s]", at ? " " : "", e.msg);
        if (rc == -2)
            break;
    }
    stream_close(&in);
    if (piece) {
        dup2(old, 0);
        close(old);
        waitpid(child, NULL, 0);
    }
    return text;
}

static void gives(struct span s, const char *want, const char *what, struct arena a) {
    static const size_t pieces[] = {0, 1 << 20, 4096, 13, 1};
    const char *got = "";
    int bad = 0;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces && !bad; i++) {
        if (s.n / (pieces[i] + 1) > 100000)
            continue;
        got = read_all(s, pieces[i], 1 << 20, a);
        bad = !!strcmp(got, want);
        if (bad)
            printf("# pieces of %zu: got %s\n", pieces[i], got);
    }
    ok(!bad, "%s: %s", what, want);
}

__attribute__((format(printf, 1, 2)))
static const char *expect(const char *fmt, ...) {
    static char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return text;
}

static void damage(struct arena a) {
    struct mp m;
    size_t first;
    unsigned char *p;

    mp_open(&m, &a);
    gives((struct span){0}, "", "an empty stream", a);
    add(&m, 1, 100, a);
    first = m.n;
    add(&m, 2, 0, a);
    add(&m, 3, 30, a);
    gives(mp_span(&m), "1 2 3", "whole", a);

    p = arena_take(&a, 3 * m.n, 1);
#define AT(n) (span_bytes(p, (n)))
    memcpy(p, "hello, world", 12);
    memcpy(p + 12, m.p, m.n);
    gives(AT(12 + m.n), "[garbage at byte 0] 1 2 3", "garbage first", a);
    memcpy(p, m.p, first);
    memcpy(p + first, "\x83\xa6uncli\x83", 8);
    memcpy(p + first + 8, m.p + first, m.n - first);
    gives(AT(m.n + 8), expect("1 [garbage at byte %zu] 2 3", first), "garbage between", a);
    memcpy(p, m.p, m.n);
    memcpy(p + m.n, "\n", 1);
    gives(AT(m.n + 1), expect("1 2 3 [garbage at byte %zu]", m.n), "a newline at the end", a);
    p[first + 8] = 2;
    gives(AT(m.n), 
          expect("1 [record 2 at byte %zu: version 2 of the format, this program reads version 1] 3", first), "another version", a);
    memcpy(p, m.p, m.n);
    p[first + 12] = 0xc0;
    gives(AT(m.n), expect("1 [record 2 at byte %zu: its id is neither str nor bin] 3", first), "a damaged head", a);
    gives(span_bytes(m.p + first - 50, m.n - first + 50),
          "[garbage at byte 0] [record 1 at byte 2: its id is neither str nor bin] "
          "[record 2 at byte 14: its id is neither str nor bin] [record 3 at byte 26: its id is neither str nor bin] 2 3", "begun inside a tensor that looks like starts", a);
}

/* Cut at every byte: whole records are handed out, the cut record is reported once, then the stream ends. */
static void cuts(struct arena a) {
    struct mp m;
    size_t first;
    int bad = 0;

    mp_open(&m, &a);
    add(&m, 1, 3, a);
    first = m.n;
    add(&m, 2, 3, a);
    for (size_t n = 0; n <= m.n; n++)
        for (size_t piece = 0; piece < 2; piece++) {
            const char *got = read_all(span_bytes(m.p, n), piece * 64, 1 << 20, a);
            char want[100];

            if (n == 0 || n == first || n == m.n)
                snprintf(want, sizeof want, "%s", n == 0 ? "" : n == first ? "1" : "1 2");
            else
                snprintf(want, sizeof want, "%s[record %d at byte %zu: cut short: the stream ends inside it]",
                         n > first ? "1 " : "", n > first ? 2 : 1, n > first ? first : 0);
            if (strcmp(got, want) && !bad++)
                printf("# cut at %zu: %s\n", n, got);
        }
    ok(!bad, "cut at any of %zu bytes, as file and as pipe", m.n);
}

static void pipes(struct arena a) {
    static const char huge[] = HEAD "\x81\xa1" "a\xc6\xff\xff\xff\xff";
    const char *got;
    char want[200];
    struct mp m;

    mp_open(&m, &a);
    for (int i = 0; i < 400; i++)
        add(&m, i, (size_t)i * 8, a);
    snprintf(want, sizeof want, " 398 399 [garbage at byte %zu]", m.n);
    mp_raw(&m, SPAN("?"));
    ok(!!strstr(read_all(mp_span(&m), 5000, 8 << 10, a), want), "a small buffer is used over and over: ...%s", want);
    m.n = 0;
    add(&m, 400, 1, a);
    snprintf(want, sizeof want, "400 [record 2 at byte %zu: longer than the buffer]", m.n);
    mp_raw(&m, span_bytes(huge, sizeof huge - 1));
    snprintf(want + strlen(want), sizeof want - strlen(want), " [record 3 at byte %zu: longer than the buffer] 402",
             m.n);
    add(&m, 401, 3 << 20, a);
    add(&m, 402, 1, a);
    got = read_all(mp_span(&m), 60000, 8 << 10, a);
    ok(!strcmp(got, want), "records longer than the buffer are named: %s", got);
    ok(!strcmp(read_all(span_bytes(huge, sizeof huge - 1), 3, 8 << 10, a),
               "[record 1 at byte 0: longer than the buffer]"), "4 GiB announced in a pipe: refused at once");
}

/* Records that overlap: each start opens an array that covers all starts behind it. */
static void hostile(struct arena a) {
    static const char one[] = "\xc4\x1f" HEAD "\x81\xa1" "a\xdd\x7f\xff\xff\xff\xc0\xc0\xc0\xc0";
    struct mp m;
    const char *got;
    clock_t t;

    mp_open(&m, &a);
    for (int i = 0; i < 40000; i++)
        mp_raw(&m, span_bytes(one, sizeof one - 1));
    for (size_t piece = 0; piece < 65536; piece += 60000) {
        t = clock();
        got = read_all(mp_span(&m), piece, 4 << 20, a);
        ok(!!strstr(got, "[too much damage: gave up at byte "), "claims that overlap are given up");
        printf("# %.2f s for %zu bytes\n", (double)(clock() - t) / CLOCKS_PER_SEC, m.n);
    }
}

/* A mapped file is walked by its heads: pages of payload stay untouched. */
static void pages(struct arena a) {
    enum { N = 48 };
    size_t big = (size_t)1 << 20, n = 0;
    struct rusage before, after;
    struct stream in;
    struct record r;
    struct err e = {0};
    struct mp m;
    long faults;
    int fd = open(path, O_WRONLY | O_TRUNC);

    mp_open(&m, &a);
    add(&m, 0, big, a);
    for (int i = 0; i < N; i++)
        write_all(fd, m.p, m.n);
    close(fd);
    stream_open(&in, path, &a, 1 << 20, &e);
    getrusage(RUSAGE_SELF, &before);
    for (;;) {
        struct arena scratch = a;

        if (stream_next(&in, &r, &scratch, &e) != 1)
            break;
        n++;
    }
    getrusage(RUSAGE_SELF, &after);
    stream_close(&in);
    faults = after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt;
    ok(n == N && in.map == NULL && faults <= 4 * N, "%d records of 1 MiB: %ld page faults, at most 4 each", N, faults);
}

static void writing(void) {
    static char data[100000], got[200000];
    int fd[2], room = 1 << 20;
    ssize_t n;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0) {
        skip("no packet sockets");
        return;
    }
    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    memset(data, 'x', sizeof data);
    ok(write_all(fd[0], data, sizeof data) == 0, "written");
    n = read(fd[1], got, sizeof got);
    ok(n == (ssize_t)sizeof data, "by one write(2)");
    close(fd[1]);
    signal(SIGPIPE, SIG_IGN);
    ok(write_all(fd[0], data, 1) == -1, "a closed pipe is an error");
    close(fd[0]);
}

static void opening(struct arena a) {
    struct stream in;
    struct record r;
    struct err e = {0};
    struct mp m;
    size_t first;
    int old = dup(0), fd;

    ok(stream_open(&in, "/nonexistent", &a, 1 << 20, &e) == -1 && !strcmp(e.msg, "No such file or directory"), "%s", e.msg);
    e.msg[0] = 0;
    ok(stream_open(&in, "/tmp", &a, 1 << 20, &e) == -1 && !strcmp(e.msg, "Is a directory"), "%s", e.msg);
    e.msg[0] = 0;
    ok(stream_open(&in, "/dev/null", &a, 1 << 20, &e) == 0 && stream_next(&in, &r, &a, &e) == 0, "/dev/null is empty");
    stream_close(&in);
    mp_open(&m, &a);
    add(&m, 1, 3, a);
    first = m.n;
    add(&m, 2, 3, a);
    save(mp_span(&m));
    fd = open(path, O_RDONLY);
    lseek(fd, (off_t)first, SEEK_SET);
    dup2(fd, 0);
    close(fd);
    ok(stream_open(&in, "-", &a, 1 << 20, &e) == 0 && in.map && stream_next(&in, &r, &a, &e) == 1 && r.id.p[0] == '2' &&
       stream_offset(&in) == m.n && stream_next(&in, &r, &a, &e) == 0, "standard input from where it stands");
    stream_close(&in);
    dup2(old, 0);
    close(old);
}

int main(void) {
    TAP_ARENA(a, 64);
    int fd = mkstemp(path);

    close(fd);
    damage(a);
    cuts(a);
    pipes(a);
    hostile(a);
    pages(a);
    writing();
    opening(a);
    unlink(path);
    free(a_mem.base);
    return done();
}
