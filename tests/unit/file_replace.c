/* Whole files in place of old ones, or the old ones as they were. */
#define _XOPEN_SOURCE 700
#include "formats/io/file_replace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/io/write_all.h"
#include "tests/tap.h"

static bool holds(const char *file, const char *want) {
    char text[64] = {0};
    FILE *f = fopen(file, "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f)
        fclose(f);
    return f && n == strlen(want) && !memcmp(text, want, n);
}

static void files(void) {
    char dir[] = "/tmp/unclip-test-XXXXXX";
    struct err e = {0};
    struct stat st;

    if (!mkdtemp(dir) || chdir(dir) < 0) {
        skip("no directory for it");
        return;
    }
    ok(file_replace("a", "one", 3, &e) == 0 && holds("a", "one"), "a new file %s", e.msg);
    chmod("a", 0604);
    symlink("a", "link");
    ok(file_replace("link", "two", 3, &e) == 0 && holds("a", "two") && lstat("link", &st) == 0 && S_ISLNK(st.st_mode),
       "through a link %s", e.msg);
    ok(stat("a", &st) == 0 && (st.st_mode & 0777) == 0604, "with its permissions");
    symlink("nowhere", "dangling");
    ok(file_replace("dangling", "x", 1, &e) == 0 && holds("nowhere", "x"), "through a link to what is not there %s", e.msg);
    ok(file_replace("/dev/null", "x", 1, &e) == 0 && stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode), "a device stays one %s", e.msg);
    ok(file_replace(dir, "x", 1, &e) == -1, "a directory: %s", e.msg);
    e.msg[0] = 0;
    ok(file_replace("no/such", "x", 1, &e) == -1, "no directory: %s", e.msg);
    unlink("a"), unlink("link"), unlink("nowhere"), unlink("dangling");
    ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing else is left");
}

/* Bytes that come piece by piece. */
static void pieces(void) {
    char dir[] = "/tmp/unclip-test-XXXXXX";
    struct err e = {0};
    struct file_new f;
    struct stat st;

    if (!mkdtemp(dir) || chdir(dir) < 0) {
        skip("no directory for it");
        return;
    }
    file_replace("a", "old", 3, &e);
    ok(file_new_open(&f, "a", &e) == 0 && write_all(f.fd, "ne", 2) == 0 && holds("a", "old"), "while it is written, the old one is there");
    file_new_drop(&f);
    ok(holds("a", "old"), "dropped: the old one stays");
    ok(file_new_open(&f, "a", &e) == 0 && write_all(f.fd, "n", 1) == 0 && write_all(f.fd, "ew", 2) == 0 &&
       file_new_keep(&f, true, &e) == 0 && holds("a", "new"), "kept: the new one, synced %s", e.msg);
    ok(file_new_open(&f, "a", &e) == 0 && close(f.fd) == 0 && file_new_keep(&f, false, &e) == -1 && holds("a", "new"),
       "not closed well: %s", e.msg);
    e.msg[0] = 0;
    chmod("a", 0400);
    if (geteuid())
        ok(file_new_open(&f, "a", &e) == -1, "a file that may not be written: %s", e.msg);
    else
        skip("root may write to every file");
    ok(file_new_at(&f, AT_FDCWD, "temp", "b", 0600, &e) == 0 && holds("temp", "") && file_new_keep(&f, false, &e) == 0 &&
       holds("b", "") && stat("b", &st) == 0 && (st.st_mode & 0777) == 0600, "under a name of the caller's");
    ok(file_new_at(&f, AT_FDCWD, "b", "c", 0600, &e) == -1, "which must not be taken: %s", e.msg);
    unlink("a"), unlink("b");
    ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing else is left");
}

int main(void) {
    files();
    pieces();
    return done();
}
