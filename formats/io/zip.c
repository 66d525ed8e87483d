#include "formats/io/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_LEN = 22, END64_LEN = 56, LOCATOR_LEN = 20, CENTRAL_LEN = 46, LOCAL_LEN = 30,
    NAME_MAX_LEN = 4096
};

static uint64_t le(const unsigned char *p, int bytes) {
    uint64_t v = 0;

    while (bytes-- > 0)
        v = v << 8 | p[bytes];
    return v;
}

static bool is(const unsigned char *p, unsigned char c, unsigned char d) {
    return p[0] == 'P' && p[1] == 'K' && p[2] == c && p[3] == d;
}

bool zip_sniff(const unsigned char *p, size_t n) {
    return n >= 4 && (is(p, 3, 4) || is(p, 5, 6));
}

/* Returns the end record, or NULL.  A comment of up to 65,535 bytes may follow the end record.  Of several places that
 * look like an end record, the last whose comment ends with the file counts. */
static const unsigned char *find_end(const unsigned char *p, size_t n) {
    const unsigned char *at, *end = p + n, *found = NULL;

    if (n < END_LEN)
        return NULL;
    at = n > END_LEN + 65535 ? end - END_LEN - 65535 : p;
    for (; (at = memchr(at, 'P', (size_t)(end - at))) != NULL && end - at >= END_LEN; at++)
        if (is(at, 5, 6) && le(at + 20, 2) == (uint64_t)(end - at) - END_LEN)
            found = at;
    return found;
}

struct directory {
    uint64_t at, size, count;
    uint64_t limit;    /* offset at which the end records begin */
};

/* Reads the ZIP64 end record into *d, if a locator before the end record points to it.  Without a locator, *d is not
 * changed. */
static int read_end64(struct directory *d, const unsigned char *p, size_t end, struct err *e) {
    const unsigned char *loc = p + end - LOCATOR_LEN;
    uint64_t at;

    if (end < LOCATOR_LEN || !is(loc, 6, 7))
        return 0;
    at = le(loc + 8, 8);
    if (le(loc + 4, 4) != 0 || le(loc + 16, 4) > 1)
        return err_set(e, "archive in several parts");
    if (end < LOCATOR_LEN + END64_LEN || at > end - LOCATOR_LEN - END64_LEN || !is(p + at, 6, 6))
        return err_set(e, "ZIP64 end record is not where its locator says");
    *d = (struct directory){le(p + at + 48, 8), le(p + at + 40, 8), le(p + at + 32, 8), at};
    return 0;
}

static int find_directory(struct directory *d, const unsigned char *p, size_t n, struct err *e) {
    const unsigned char *end = find_end(p, n);

    if (!end)
        return err_set(e, "ZIP archive without its end record: cut short?");
    if (le(end + 4, 2) != le(end + 6, 2))
        return err_set(e, "archive in several parts");
    *d = (struct directory){le(end + 16, 4), le(end + 12, 4), le(end + 10, 2), (uint64_t)(end - p)};
    if (read_end64(d, p, (size_t)(end - p), e) < 0)
        return -1;
    if (d->at > d->limit || d->size > d->limit - d->at)
        return err_set(e, "ZIP directory is outside the file");
    if (d->count > d->size / CENTRAL_LEN)
        return err_set(e, "ZIP directory of %llu bytes cannot hold %llu entries",
                       (unsigned long long)d->size, (unsigned long long)d->count);
    return 0;
}

/* Replaces each *v[i] that is UINT32_MAX with its 64-bit value from the ZIP64 extra field.  The field holds only the
 * values that did not fit into 32 bits, in the order of v: content's size, stored size, offset of the local header. */
static int read_extra64(uint64_t *v[3], const unsigned char *x, size_t n, struct err *e) {
    for (size_t at = 0, len; n - at >= 4; at += 4 + len) {
        len = (size_t)le(x + at + 2, 2);
        if (len > n - at - 4)
            break;
        if (le(x + at, 2) != 1)
            continue;
        for (size_t i = 0, from = at + 4; i < 3; i++)
            if (*v[i] == UINT32_MAX) {
                if (at + 4 + len - from < 8)
                    return err_set(e, "ZIP64 field is too short");
                *v[i] = le(x + from, 8);
                from += 8;
            }
        return 0;
    }
    return 0;
}

static bool name_escapes(const char *s, size_t n) {
    if (n == 0 || n > NAME_MAX_LEN || s[0] == '/' || memchr(s, 0, n) || memchr(s, '\\', n))
        return true;
    for (size_t i = 0; i + 2 <= n; i++)
        if (s[i] == '.' && s[i + 1] == '.' && (i == 0 || s[i - 1] == '/') &&
            (i + 2 == n || s[i + 2] == '/'))
            return true;
    return false;
}

/* Reads and checks the local header at offset `at`, and sets z->head, z->size and z->data.  Only the local header says
 * where the data of the entry begins. */
static int read_local(struct zip_entry *z, const unsigned char *p, uint64_t dir, uint64_t method,
                      uint64_t at, uint64_t size, struct err *e) {
    const unsigned char *l = p + at;
    uint64_t name, extra, data;

    if (dir < LOCAL_LEN || at > dir - LOCAL_LEN || !is(l, 3, 4))
        return err_set(e, "entry %.*s: no local header", (int)z->len, z->name);
    name = le(l + 26, 2);
    extra = le(l + 28, 2);
    data = at + LOCAL_LEN + name + extra;
    if (data > dir || size > dir - data)
        return err_set(e, "entry %.*s is outside the file", (int)z->len, z->name);
    if (name != z->len || memcmp(l + LOCAL_LEN, z->name, z->len) || le(l + 8, 2) != method)
        return err_set(e, "entry %.*s: its two headers differ", (int)z->len, z->name);
    z->head = (size_t)at;
    z->size = (size_t)size;
    z->data = p + data;
    return 0;
}

/* Reads one entry of the central directory at c into *z.  *used receives the length of the entry in the directory. */
static int read_central(struct zip_entry *z, const unsigned char *p, const unsigned char *c, size_t n,
                        uint64_t dir, size_t *used, struct err *e) {
    uint64_t name, extra, size, raw, at;

    if (n < CENTRAL_LEN || !is(c, 1, 2))
        return err_set(e, "ZIP directory is damaged");
    name = le(c + 28, 2);
    extra = le(c + 30, 2);
    *used = (size_t)(CENTRAL_LEN + name + extra + le(c + 32, 2));
    if (*used > n)
        return err_set(e, "ZIP directory is damaged");
    z->name = (const char *)c + CENTRAL_LEN;
    z->len = (size_t)name;
    if (name_escapes(z->name, z->len))
        return err_set(e, "ZIP directory holds an unsafe name");
    size = le(c + 20, 4), raw = le(c + 24, 4), at = le(c + 42, 4);
    if (read_extra64((uint64_t *[]){&raw, &size, &at}, c + CENTRAL_LEN + name, (size_t)extra, e) < 0)
        return -1;
    z->stored = le(c + 10, 2) == 0 && (le(c + 8, 2) & 1) == 0;
    if (z->stored && size != raw)
        return err_set(e, "entry %.*s: stored, but its two sizes differ", (int)z->len, z->name);
    return read_local(z, p, dir, le(c + 10, 2), at, size, e);
}

static int by_place(const void *a, const void *b) {
    const struct zip_entry *x = a, *y = b;

    return x->head < y->head ? -1 : x->head > y->head;
}

static int name_order(const struct zip_entry *x, const char *name, size_t len) {
    int r = memcmp(x->name, name, x->len < len ? x->len : len);

    return r ? r : x->len < len ? -1 : x->len > len;
}

static int by_name(const void *a, const void *b) {
    const struct zip_entry *x = a, *y = b;

    return name_order(x, y->name, y->len);
}

static int check_table(struct zip *z, const unsigned char *p, struct err *e) {
    qsort(z->entry, z->n, sizeof *z->entry, by_place);
    for (size_t i = 1; i < z->n; i++)
        if (z->entry[i - 1].data + z->entry[i - 1].size > p + z->entry[i].head)
            return err_set(e, "entry %.*s overlaps another", (int)z->entry[i].len, z->entry[i].name);
    qsort(z->entry, z->n, sizeof *z->entry, by_name);
    for (size_t i = 1; i < z->n; i++)
        if (!by_name(&z->entry[i - 1], &z->entry[i]))
            return err_set(e, "entry %.*s occurs twice", (int)z->entry[i].len, z->entry[i].name);
    return 0;
}

int zip_open(struct zip *z, const unsigned char *p, size_t n, struct arena *a, struct err *e) {
    struct directory d = {0};
    const unsigned char *c;
    size_t left, used = 0;

    if (find_directory(&d, p, n, e) < 0)
        return -1;
    if (d.count == 0)
        return err_set(e, "empty archive");
    z->n = (size_t)d.count;
    z->entry = arena_take(a, z->n, sizeof *z->entry);
    if (!z->entry)
        return err_set(e, "out of memory");
    c = p + d.at;
    left = (size_t)d.size;
    for (size_t i = 0; i < z->n; i++, c += used, left -= used)
        if (read_central(&z->entry[i], p, c, left, d.at, &used, e) < 0)
            return -1;
    if (left)
        return err_set(e, "ZIP directory holds more than its %zu entries", z->n);
    z->first = z->entry[0].name;
    z->first_len = z->entry[0].len;
    return check_table(z, p, e);
}

const struct zip_entry *zip_find(const struct zip *z, const char *name, size_t len) {
    size_t lo = 0, hi = z->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int r = name_order(&z->entry[mid], name, len);

        if (r == 0)
            return &z->entry[mid];
        if (r < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
