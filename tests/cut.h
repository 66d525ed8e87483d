/* cut.h - tests a parser with its input cut at every byte
 *
 * The input is copied so that the cut is at the beginning of an unreadable page: a read beyond the cut crashes, with
 * and without sanitizers.  The parser returns 0 or -1; it must fail with a message for every cut.
 */
#ifndef UNCLIP_CUT_H
#define UNCLIP_CUT_H

#include <sys/mman.h>

#include "formats/io/mapfile.h"
#include "lib/base/arena.h"
#include "tests/tap.h"

typedef int cut_parse(const unsigned char *p, size_t n, struct arena a, struct err *e);

/* Cuts the input after each number of bytes in [lo, hi).  Returns for how many cuts the parser did not fail with a
 * message. */
static size_t cut_range(cut_parse *parse, const unsigned char *p, size_t lo, size_t hi,
                        struct arena a) {
    size_t page = 4096, room = (hi + page - 1) / page * page, bad = 0;
    unsigned char *m = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (m == MAP_FAILED || mprotect(m + room, page, PROT_NONE) < 0)
        return 1;
    for (size_t n = lo; n < hi; n++) {
        struct err e = {0};

        memcpy(m + room - n, p, n);
        bad += parse(m + room - n, n, a, &e) == 0 || !e.msg[0];
    }
    munmap(m, room + page);
    return bad;
}

/* Tests that the whole file is read, and that every cut fails.  The file is cut at each of its first and last 4,096
 * bytes, and at every 97th byte between these; a file of at most 8,192 bytes, or with CUT_ALL any file, at every
 * byte. */
__attribute__((unused))
static void cut_file(cut_parse *parse, const char *path, struct arena a) {
    size_t edge = 4096, bad = 0, n = 0;
    struct err e = {0};
    struct mapfile f;

    if (!ok(mapfile_open(&f, path, &e) == 0, "%s is there", path))
        return;
    ok(parse(f.p, f.n, a, &e) == 0, "%s whole: %s", path, e.msg[0] ? e.msg : "read");
    if (f.n <= 2 * edge || getenv("CUT_ALL")) {
        bad = cut_range(parse, f.p, 0, n = f.n, a);
    } else {
        bad = cut_range(parse, f.p, 0, edge, a) + cut_range(parse, f.p, f.n - edge, f.n, a);
        for (n = 2 * edge; edge + (n - 2 * edge) * 97 < f.n - edge; n++)
            bad += cut_range(parse, f.p, edge + (n - 2 * edge) * 97, edge + (n - 2 * edge) * 97 + 1, a);
    }
    ok(bad == 0, "%s cut at %zu places: %zu passed", path, n, bad);
}

#endif
