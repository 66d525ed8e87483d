#include "formats/io/write_all.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int wait_for_room(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, -1) < 0 ? -1 : 0;
}

int write_all(int fd, const void *p, size_t n) {
    const char *at = p;
    ssize_t k;

    for (; n; at += k, n -= (size_t)k) {
        k = write(fd, at, n);
        if (k >= 0)
            continue;
        if (errno != EINTR && (errno != EAGAIN || wait_for_room(fd) < 0))
            return -1;
        k = 0;
    }
    return 0;
}
