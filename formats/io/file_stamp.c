#include "formats/io/file_stamp.h"

#include <string.h>
#include <sys/stat.h>

struct file_stamp file_stamp_of(const struct stat *st) {
    if (!S_ISREG(st->st_mode))
        return (struct file_stamp){0};
    return (struct file_stamp){true, st->st_size, (double)st->st_mtim.tv_sec + 1e-9 * (double)st->st_mtim.tv_nsec};
}

struct file_stamp file_stamp_named(const char *name) {
    struct stat st;

    return !strcmp(name, "-") || stat(name, &st) < 0 ? (struct file_stamp){0} : file_stamp_of(&st);
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b) {
    return a->known && b->known && a->size == b->size && !memcmp(&a->mtime, &b->mtime, sizeof a->mtime);
}
