/* Whatever the bytes say, an archive is read to its end or to a message, and a file gives as many bytes as it announces. */
#define _GNU_SOURCE    /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/io/tar.h"
#include "formats/io/write_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Mends the checksum of each block, so that what is behind it is reached. */
static void mend(uint8_t *p, size_t n) {
    for (; n >= TAR_BLOCK; p += TAR_BLOCK, n -= TAR_BLOCK) {
        unsigned sum = 8 * ' ';

        if (memcmp(p + 257, "ustar", 5) != 0)
            continue;
        for (size_t i = 0; i < TAR_BLOCK; i++)
            sum += i >= 148 && i < 156 ? 0 : p[i];
        for (int i = 5; i >= 0; i--, sum /= 8)
            p[148 + i] = (uint8_t)('0' + sum % 8);
        p[154] = 0, p[155] = ' ';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static int fd = -1;
    unsigned char buf[700];
    struct err e = {0};
    struct tar t;
    uint8_t *q = malloc(n + !n);
    size_t files = 0;
    int got;

    if (fd < 0 && (fd = memfd_create("tar", 0)) < 0)
        abort();
    memcpy(q, p, n);
    mend(q, n);
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || write_all(fd, q, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    free(q);
    tar_open(&t, fd);
    while ((got = tar_next(&t, &e)) > 0) {
        const uint64_t size = t.left;
        uint64_t sum = 0;
        ptrdiff_t k = 1;

        if (++files > n / TAR_BLOCK || (!t.why && !memchr(t.name, 0, sizeof t.name)))
            abort();
        while (size % 3 && (k = tar_read(&t, buf, sizeof buf, &e)) > 0)
            sum += (uint64_t)k;
        if (k < 0)
            break;
        if (size % 3 && sum != size)
            abort();
    }
    if (got < 0 && !e.msg[0])
        abort();
    return 0;
}
