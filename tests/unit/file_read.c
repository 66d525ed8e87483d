/* Whole files: sizes around that of the buffer, a limit, FIFOs and directories. */
#include "formats/io/file_read.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/io/read_all.h"
#include "tests/tap.h"

#define MIB ((size_t)1 << 20)

static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 31 + (i >> 8));
}

static int is_pattern(struct span s, size_t n) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != byte_at(i))
            return 0;
    return s.n == n;
}

static void sizes(const char *name, unsigned char *p, struct arena a) {
    static const size_t size[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 2 * MIB - 1, 2 * MIB};
    size_t right = 0;

    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        int fd = open(name, O_WRONLY | O_TRUNC);
        struct arena b = a;
        struct err e = {0};
        struct span s;

        right += write(fd, p, size[i]) == (ssize_t)size[i] && file_read(name, 2 * MIB, &s, &b, &e) == 0 && is_pattern(s, size[i]);
        close(fd);
    }
    ok(right == sizeof size / sizeof *size, "sizes around the buffer's and up to the limit: all bytes");
}

static void refused(const char *name, size_t most, const char *want, struct arena a) {
    struct err e = {0};
    struct span s;

    ok(file_read(name, most, &s, &a, &e) == -1 && !strcmp(e.msg, want), "refused: %s", e.msg);
}

/* A FIFO whose writer sends pieces. */
static void fifo(const char *name, const unsigned char *p, struct arena a) {
    struct err e = {0};
    struct span s = {NULL, 0};
    pid_t child;

    if (mkfifo(name, 0600) < 0 || (child = fork()) < 0) {
        ok(0, "a FIFO");
        return;
    }
    if (child == 0) {
        int fd;

        alarm(20);    /* if the parent never opens the FIFO */
        fd = open(name, O_WRONLY);
        for (size_t at = 0; at < 200000; at += 1000)
            if (write(fd, p + at, 1000) != 1000)
                _exit(1);
        _exit(0);
    }
    ok(file_read(name, MIB, &s, &a, &e) == 0 && is_pattern(s, 200000), "a pipe that brings pieces");
    waitpid(child, NULL, 0);
}

static void part(const char *name) {
    unsigned char p[4] = {0};
    int fd = open(name, O_RDONLY);

    ok(read_all(fd, p, 3) == 3 && p[2] == byte_at(2) && read_all(fd, p, 0) == 0 && lseek(fd, 0, SEEK_CUR) == 3,
       "read_all stops when the buffer is full");
    lseek(fd, -2, SEEK_END);
    ok(read_all(fd, p, 4) == 2 && read_all(fd, p, 4) == 0, "or the file ends");
    close(fd);
    ok(read_all(-1, p, 4) == -1, "or cannot be read");
}

/* Two bytes wait in the pipe, and two come later. */
static void not_blocking(void) {
    unsigned char p[8] = {0};
    int fd[2];
    pid_t child;

    if (!ok(pipe(fd) == 0 && fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0, "a pipe that does not block"))
        return;
    if ((child = fork()) == 0) {
        if (write(fd[1], "ab", 2) != 2)
            _exit(1);
        poll(NULL, 0, 200);
        _exit(write(fd[1], "cd", 2) != 2);
    }
    close(fd[1]);
    ok(read_all(fd[0], p, sizeof p) == 4 && !memcmp(p, "abcd", 5), "read_all waits for its bytes");
    close(fd[0]);
    waitpid(child, NULL, 0);
}

int main(void) {
    TAP_ARENA(a, 16);
    char folder[] = "/tmp/unclip-file-XXXXXX", name[64], pipe_name[64];
    unsigned char *p = malloc(2 * MIB + 1);
    int fd;

    for (size_t i = 0; i <= 2 * MIB; i++)
        p[i] = byte_at(i);
    ok(mkdtemp(folder) != NULL, "a directory");
    snprintf(name, sizeof name, "%s/file", folder);
    snprintf(pipe_name, sizeof pipe_name, "%s/fifo", folder);
    fd = open(name, O_WRONLY | O_CREAT, 0600);
    sizes(name, p, a);
    ok(write(fd, p, 2 * MIB + 1) == (ssize_t)(2 * MIB + 1) && close(fd) == 0, "a byte more than the limit");
    refused(name, 2 * MIB, "more than 2 MiB", a);
    part(name);
    not_blocking();
    a.end = a.at + 1000000;
    refused(name, 2 * MIB, "no memory", a);
    refused(folder, MIB, "Is a directory", a);
    refused("/nonexistent", MIB, "No such file or directory", a);
    a.end = a_mem.base + a_mem.reserved;
    fifo(pipe_name, p, a);
    unlink(pipe_name);
    unlink(name);
    rmdir(folder);
    free(p);
    free(a_mem.base);
    return done();
}
