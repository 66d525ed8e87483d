#include "formats/io/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/near.h"
#include "formats/io/read_all.h"
#include "lib/base/size.h"

enum { FIRST = 1 << 16 };    /* the first size of the buffer in bytes, which is doubled whenever the buffer is full */

static int fill(int fd, size_t most, struct span *bytes, struct arena *a, struct err *e) {
    unsigned char *p = arena_take(a, 0, 1);
    size_t n = 0, room = 0, want = FIRST;
    ssize_t got;

    for (; p; n += (size_t)got, room = want, want = size_min(2 * room, most + 1)) {
        if (arena_grow(a, p, room, want) < 0)
            break;
        got = read_all(fd, p + n, want - n);
        if (got < 0)
            return err_set(e, "%s", strerror(errno));
        if (n + (size_t)got > most)
            return err_set(e, "more than %zu MiB", most >> 20);
        if ((size_t)got < want - n) {
            *bytes = span_bytes(p, n + (size_t)got);
            return 0;
        }
    }
    return err_set(e, "no memory");
}

int file_read(const char *name, size_t most, struct span *bytes, struct arena *a, struct err *e) {
    int fd = open(name, O_RDONLY | O_CLOEXEC), r;

    if (fd < 0)
        return near_open_failed(name, e);
    r = fill(fd, most, bytes, a, e);
    close(fd);
    return r;
}
