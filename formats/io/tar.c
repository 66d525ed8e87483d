#include "formats/io/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { PAX_MAX = 1 << 16 };    /* limit of the data of a pax header, in bytes; GNU tar writes some hundred */

/* What the extended headers (pax 'x', GNU 'L') in front of a file have set for this file. */
struct extra {
    bool name, size;
    uint64_t size_is;
};

void tar_open(struct tar *t, int fd) {
    *t = (struct tar){.fd = fd};
}

/* Reads exactly n bytes.  Returns 1, 0 if the archive ends before the first of them, or -1 on an error. */
static int take(struct tar *t, void *p, size_t n, struct err *e) {
    struct pollfd wait = {.fd = t->fd, .events = POLLIN};
    size_t at = 0;
    ssize_t got;

    while (at < n) {
        if (poll(&wait, 1, -1) < 0)    /* EINTR: a signal asks the program to stop */
            return err_set(e, "%s", strerror(errno));
        got = read(t->fd, (char *)p + at, n - at);
        if (got < 0 && errno != EAGAIN)
            return err_set(e, "%s", strerror(errno));
        if (got == 0)
            break;
        at += got > 0 ? (size_t)got : 0;
        t->at += got > 0 ? (uint64_t)got : 0;
    }
    return at == n ? 1 : !at ? 0 : err_set(e, "the archive ends early, at byte %" PRIu64, t->at);
}

static int pass(struct tar *t, uint64_t n, struct err *e) {
    char buf[16 * 1024];
    off_t end, here;

    /* In a seekable file, seeks.  The file's end is checked first, because a seek beyond the end does not fail. */
    if (n > sizeof buf && (here = lseek(t->fd, 0, SEEK_CUR)) >= 0 && (end = lseek(t->fd, 0, SEEK_END)) >= 0) {
        if ((uint64_t)(end - here) < n)
            return err_set(e, "the archive ends early, at byte %" PRIu64, t->at + (uint64_t)(end - here));
        t->at += n;
        return lseek(t->fd, here + (off_t)n, SEEK_SET) < 0 ? err_set(e, "%s", strerror(errno)) : 0;
    }
    while (n) {
        const size_t k = n < sizeof buf ? (size_t)n : sizeof buf;

        if (take(t, buf, k, e) <= 0)
            return err_set(e, "the archive ends early, at byte %" PRIu64, t->at);
        n -= k;
    }
    return 0;
}

ptrdiff_t tar_read(struct tar *t, void *p, size_t n, struct err *e) {
    const size_t want = n < t->left ? n : (size_t)t->left;

    if (want && take(t, p, want, e) <= 0)
        return err_set(e, "the archive ends early, at byte %" PRIu64, t->at);
    t->left -= want;
    return (ptrdiff_t)want;
}

/* ---- headers ---- */

/* Reads a number in octal or, if the highest bit of the first byte is set, in base 256.  Returns false if the field is not a
 * number, or if the number is negative or too large. */
static bool number(const unsigned char *p, size_t n, uint64_t *v) {
    size_t i = 0;

    *v = 0;
    if (*p & 0x80) {
        if (*p & 0x40)
            return false;
        for (*v = *p & 0x3f, i = 1; i < n; i++) {
            if (*v >> 55)
                return false;
            *v = *v << 8 | p[i];
        }
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (*v >> 59)
            return false;
        *v = *v << 3 | (uint64_t)(p[i] - '0');
    }
    return i == n || !p[i] || p[i] == ' ';
}

/* Checks the checksum of the header h.  Old programs summed the bytes as signed numbers, so that sum is accepted too. */
static bool checksum(const unsigned char *h) {
    uint64_t said;
    int64_t plain = 0, with_sign = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        const unsigned char c = i >= 148 && i < 156 ? ' ' : h[i];

        plain += c;
        with_sign += c < 128 ? c : c - 256;
    }
    return number(h + 148, 8, &said) && ((int64_t)said == plain || (int64_t)said == with_sign);
}

static bool all_zero(const unsigned char *p) {
    return !*p && !memcmp(p, p + 1, TAR_BLOCK - 1);
}

static size_t length(const unsigned char *p, size_t most) {
    const unsigned char *end = memchr(p, 0, most);

    return end ? (size_t)(end - p) : most;
}

/* Sets the name from the fields `prefix` and `name` of the header h. */
static void plain_name(struct tar *t, const unsigned char *h) {
    const bool ustar = !memcmp(h + 257, "ustar\0", 6);
    const size_t k = ustar ? length(h + 345, 155) : 0, n = length(h, 100);
    char *to = t->name;

    memcpy(to, h + 345, k), to += k;
    if (k)
        *to++ = '/';
    memcpy(to, h, n);
    to[n] = 0;
}

static void set_name(struct tar *t, struct extra *x, const char *p, size_t n) {
    x->name = true;
    t->why = n >= TAR_NAME ? "its name is too long" : memchr(p, 0, n) ? "its name has a NUL" : !n ? "its name is empty" : NULL;
    n = n < TAR_NAME ? n : TAR_NAME - 1;
    memcpy(t->name, p, n);
    t->name[n] = 0;
}

/* Reads a decimal number of n digits.  Returns false if there are other characters, or if the number is too large. */
static bool decimal(const char *p, size_t n, uint64_t *v) {
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || *v > UINT64_MAX / 16)
            return false;
        *v = *v * 10 + (uint64_t)(p[i] - '0');
    }
    return n > 0;
}

/* Reads the records "LENGTH KEYWORD=VALUE\n" of a pax header. */
static int pax(struct tar *t, struct extra *x, const char *p, size_t n, struct err *e) {
    while (n) {
        size_t len = 0, digits = 0, value;
        const char *equals;

        for (; digits < n && digits < 8 && p[digits] >= '0' && p[digits] <= '9'; digits++)
            len = len * 10 + (size_t)(p[digits] - '0');
        if (!digits || len > n || len < digits + 4 || p[digits] != ' ' || p[len - 1] != '\n' ||
            !(equals = memchr(p + digits, '=', len - digits)))
            return err_set(e, "a broken header of pax before byte %" PRIu64, t->at);
        value = len - 1 - (size_t)(equals + 1 - p);
#define IS(key) ((size_t)(equals - p) - digits - 1 == sizeof(key) - 1 && !memcmp(p + digits + 1, key, sizeof(key) - 1))
        if (IS("path"))
            set_name(t, x, equals + 1, value);
        else if (IS("size") && decimal(equals + 1, value, &x->size_is))
            x->size = true;
        else if (IS("GNU.sparse.major") || IS("GNU.sparse.map"))
            t->why = "sparse files in archives are not supported";
        p += len, n -= len;
    }
    return 0;
}

/* Reads the data of an extended header, which describes the next file: a long name (GNU 'L'), or pax records ('x'). */
static int about_next(struct tar *t, struct extra *x, int type, uint64_t size, struct err *e) {
    char text[PAX_MAX];

    if (size > PAX_MAX)
        return err_set(e, "a header of %" PRIu64 " bytes, the limit is %d", size, PAX_MAX);
    if (size && take(t, text, (size_t)size, e) <= 0)
        return err_set(e, "the archive ends early, at byte %" PRIu64, t->at);
    if (type == 'L')
        set_name(t, x, text, length((unsigned char *)text, (size_t)size));
    return type == 'x' ? pax(t, x, text, (size_t)size, e) : 0;
}

/* Skips the blocks that continue the table of a sparse file. */
static int sparse_table(struct tar *t, bool more, struct err *e) {
    unsigned char h[TAR_BLOCK];

    while (more) {
        if (take(t, h, sizeof h, e) <= 0)
            return err_set(e, "the archive ends early, at byte %" PRIu64, t->at);
        more = h[504] != 0;
    }
    return 0;
}

static int stranger(const struct tar *t, const unsigned char *h, struct err *e) {
    const uint64_t at = t->at - TAR_BLOCK;

    if (at)
        return err_set(e, "damaged at byte %" PRIu64, at);
    return err_set(e, "%s", !memcmp(h, "\x1f\x8b", 2) ? "a compressed archive: pipe it through gzip -dc" :
                   !memcmp(h, "\x28\xb5\x2f\xfd", 4) ? "a compressed archive: pipe it through zstd -dc" :
                   !memcmp(h, "\xfd" "7zXZ", 5) ? "a compressed archive: pipe it through xz -dc" :
                   !memcmp(h, "BZh", 3) ? "a compressed archive: pipe it through bzip2 -dc" : "not a tar archive");
}

int tar_next(struct tar *t, struct err *e) {
    unsigned char h[TAR_BLOCK];
    struct extra x = {0};
    uint64_t size;

    if (pass(t, t->left + t->pad, e) < 0)
        return -1;
    t->left = t->pad = 0;
    t->why = NULL;
    for (;;) {
        int got = take(t, h, sizeof h, e), type = h[156];

        if (got <= 0)
            return got;
        if (all_zero(h))
            continue;
        if (!checksum(h) || !number(h + 124, 12, &size))
            return stranger(t, h, e);
        if (x.size && type != 'x' && type != 'L' && type != 'K' && type != 'g')
            size = x.size_is;
        if (type >= '1' && type <= '6')    /* links, devices, directories and FIFOs have no data */
            size = 0;
        t->left = size, t->pad = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
        if (type == 'x' || type == 'L') {
            if (about_next(t, &x, type, size, e) < 0 || pass(t, t->pad, e) < 0)
                return -1;
        } else if (!type || strchr("0127S", type)) {
            if (type == 'S' && sparse_table(t, h[482] != 0, e) < 0)
                return -1;
            if (type == 'S')
                t->why = "sparse files in archives are not supported";
            else if (!t->why && (type == '1' || type == '2'))
                t->why = "a link in an archive is not followed";
            if (!x.name)
                plain_name(t, h);
            return 1;
        } else {
            if (pass(t, t->left + t->pad, e) < 0)
                return -1;
            if (type != 'g' && type != 'K')
                x = (struct extra){0}, t->why = NULL;
        }
        t->left = t->pad = 0;
    }
}
