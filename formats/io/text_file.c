#include "formats/io/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/utf8.h"

int text_file_read(const char *path, struct span *text, struct arena *a, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
    size_t n = 0, room = 0;
    char *p = arena_take(a, 0, 1);
    ssize_t got = 1;

    if (fd < 0)
        return err_set(e, "%s", strerror(errno));
    while (p && n <= TEXT_FILE_MAX) {
        size_t more = n ? n : 1 << 16;    /* doubled as it fills */

        if (n == room && arena_grow(a, p, room, n + more) < 0)
            p = NULL;
        if (!p)
            break;
        if (n == room)
            room = n + more;
        got = read(fd, p + n, room - n);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    saved = errno;
    close(fd);
    if (!p)
        return err_set(e, "out of memory");
    if (got < 0)
        return err_set(e, "%s", strerror(saved));
    if (n > TEXT_FILE_MAX)
        return err_set(e, "longer than %zu bytes", TEXT_FILE_MAX);
    *text = (struct span){(const unsigned char *)p, n};
    return 0;
}

int text_line(struct lines *l, struct span *line, struct err *e) {
    int got;

    do {
        got = lines_next(l, line, e);
    } while (got > 0 && !line->n);
    if (got <= 0)
        return got;
    if (memchr(line->p, 0, line->n))
        return err_set(e, "line %" PRIu64 ": a NUL byte in a text file", l->number);
    return utf8_valid(line->p, line->n) ? 1 : err_set(e, "line %" PRIu64 ": not UTF-8", l->number);
}
