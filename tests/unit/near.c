/* Near names: what a mistyped option or file was meant to be. */
#define _XOPEN_SOURCE 700
#include "formats/io/near.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "tests/tap.h"

static void names(void) {
    static const struct { const char *a, *b; size_t changes; } t[] = {
        {"labels", "labels", 0}, {"lables", "labels", 1}, {"label", "labels", 1}, {"labells", "labels", 1}, {"lobels", "labels", 1},
        {"lablse", "labels", 2}, {"lobals", "labels", 2}, {"tsv", "csv", 1}, {"photos.clip", "phtoso.clip", 2}, {"abc", "bca", SIZE_MAX},
        {"labels", "lobbls", 2}, {"ab", "abc", SIZE_MAX}, {"ab", "ab", SIZE_MAX}, {"", "", SIZE_MAX}, {"text", "tsv", SIZE_MAX},
        {"photos.clip", "phone.clap", SIZE_MAX}, {"abcdef", "abcdefgh", 2}, {"abcde", "abcdefg", 2}, {"abcd", "abcdef", 2},
        {"abc", "abcde", SIZE_MAX},
    };
    char wide[400];

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ok(near_changes(t[i].a, t[i].b) == t[i].changes, "'%s' and '%s' (%zu)", t[i].a, t[i].b, near_changes(t[i].a, t[i].b));
        ok(near_changes(t[i].b, t[i].a) == t[i].changes, "'%s' and '%s'", t[i].b, t[i].a);
    }
    memset(wide, 'x', sizeof wide);
    wide[sizeof wide - 1] = 0;
    ok(near_changes(wide, wide) == SIZE_MAX, "a name longer than a file may have");
    wide[255] = 0;
    ok(near_changes(wide, wide) == 0, "the longest name");
}

static void files(void) {
    char dir[] = "/tmp/unclip-test-XXXXXX", path[100];
    struct err e = {0};
    FILE *f;

    if (!mkdtemp(dir) || chdir(dir) < 0 || !(f = fopen("photos.clip", "w"))) {
        skip("no directory for it");
        return;
    }
    fclose(f);
    errno = ENOENT;
    ok(near_open_failed("photo.clip", &e) == -1 && !strcmp(e.msg, "No such file or directory; did you mean photos.clip?"), "%s", e.msg);
    err_clear(&e);
    snprintf(path, sizeof path, "%s/hpotos.clip", dir);
    errno = ENOENT;
    near_open_failed(path, &e);
    ok(strstr(e.msg, dir) && strstr(e.msg, "/photos.clip?"), "%s", e.msg);
    err_clear(&e);
    errno = EACCES;
    near_open_failed("photo.clip", &e);
    ok(!strcmp(e.msg, "Permission denied"), "another error: no hint");
    err_clear(&e);
    errno = ENOENT;
    near_open_failed("gone/photo.clip", &e);
    ok(!strcmp(e.msg, "No such file or directory"), "no such directory: no hint");
    unlink("photos.clip");
    rmdir(dir);
}

int main(void) {
    names();
    files();
    return done();
}
