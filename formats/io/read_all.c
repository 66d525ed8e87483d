#include "formats/io/read_all.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int wait_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, -1) < 0 ? -1 : 0;
}

ssize_t read_all(int fd, void *p, size_t n) {
    size_t at = 0;
    ssize_t k;

    while (at < n && (k = read(fd, (char *)p + at, n - at)) != 0) {
        if (k < 0 && errno != EINTR && (errno != EAGAIN || wait_readable(fd) < 0))
            return -1;
        at += k > 0 ? (size_t)k : 0;
    }
    return (ssize_t)at;
}
