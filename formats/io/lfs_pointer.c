#include "formats/io/lfs_pointer.h"

#include <string.h>

const char *lfs_pointer(const unsigned char *p, size_t n) {
    static const char begin[] = "version https://git-lfs.github.com/spec/";
    const size_t k = sizeof begin - 1;

    return n >= k && !memcmp(p, begin, k) ? "a Git LFS pointer: the file that it stands for was not downloaded" : NULL;
}
