#include "formats/io/text_file.h"

#include <errno.h>
#include <fcntl.h>
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

struct text_lines text_lines(struct span text) {
    struct text_lines l = {text.p, text.n, 0, 0};

    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        l.at = 3;
    return l;
}

int text_line(struct text_lines *l, struct span *line, struct err *e) {
    while (l->at < l->n) {
        const unsigned char *p = l->p + l->at, *nl = memchr(p, '\n', l->n - l->at);
        size_t n = nl ? (size_t)(nl - p) : l->n - l->at;

        l->at += n + (nl != NULL);
        l->number++;
        if (n && p[n - 1] == '\r')
            n--;
        if (n == 0)
            continue;
        if (memchr(p, 0, n))
            return err_set(e, "line %zu: a NUL byte in a text file", l->number);
        if (!utf8_valid(p, n))
            return err_set(e, "line %zu: not UTF-8", l->number);
        *line = (struct span){p, n};
        return 1;
    }
    return 0;
}
