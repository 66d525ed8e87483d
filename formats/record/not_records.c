#include "formats/record/not_records.h"

#include <stdbool.h>
#include <string.h>

#include "formats/io/lfs_pointer.h"
#include "formats/record/record.h"
#include "lib/base/utf8.h"

enum { LOOK = 4096 };    /* not_records looks at no more than this many bytes */

#define PICTURE " picture, not records (clip-embed FILE makes records of pictures)"

static const struct {
    const char *begin;
    size_t n;
    const char *what;
} known[] = {
    {"\x89PNG", 4, "a PNG" PICTURE},
    {"\xff\xd8\xff", 3, "a JPEG" PICTURE},
    {"GIF8", 4, "a GIF" PICTURE},
    {"II*\0", 4, "a TIFF" PICTURE},
    {"MM\0*", 4, "a TIFF" PICTURE},
    {"8BPS", 4, "a Photoshop" PICTURE},
    {"\x1f\x8b", 2, "compressed by gzip, not records (zcat FILE | ...)"},
    {"\x28\xb5\x2f\xfd", 4, "compressed by zstd, not records (zstdcat FILE | ...)"},
    {"\xfd" "7zXZ", 5, "compressed by xz, not records (xzcat FILE | ...)"},
    {"\x93NUMPY", 6, "an array of NumPy, not records (record-json --from-npy FIELD=FILE makes records of its rows)"},
    {"PK\3\4", 4, "a zip archive, not records"},
    {"GGUF", 4, "a GGUF model, not records"},
    {"\xff\xfe", 2, "text in UTF-16, not records (iconv -f UTF-16 -t UTF-8)"},
    {"\xfe\xff", 2, "text in UTF-16, not records (iconv -f UTF-16 -t UTF-8)"},
};

/* Returns whether the n bytes are UTF-8 text, in which the last character may be cut.  Sets *nul if the text has NULs,
 * as a list of names that end in NUL has. */
static bool is_text(const unsigned char *p, size_t n, bool *nul) {
    *nul = false;
    if (!p[0])
        return false;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        int len = utf8_get(p + i, n - i, &c);

        if (len <= 0)
            return n - i < 4 && i > 0;
        *nul = *nul || !c;
        if (c && utf8_control(p + i, n - i) && c != '\t' && c != '\n' && c != '\r' && c != 0x1b)
            return false;
        i += (size_t)len;
    }
    return true;
}

const char *not_records(const unsigned char *p, size_t n) {
    bool nul;

    n = n < LOOK ? n : LOOK;
    if (!n || record_find_start(p, n, 0) < n)
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].n && !memcmp(p, known[i].begin, known[i].n))
            return known[i].what;
    if (n > 12 && !memcmp(p + 4, "ftyp", 4))
        return "a HEIF or AVIF" PICTURE;
    if (n >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4))
        return "a WebP" PICTURE;
    /* "BM" may also begin a text, so check that the length of the second header is 12 to 124 bytes */
    if (n >= 18 && !memcmp(p, "BM", 2) && p[14] >= 12 && p[14] <= 124 && !p[15] && !p[16] && !p[17])
        return "a BMP" PICTURE;
    if (lfs_pointer(p, n))
        return lfs_pointer(p, n);
    if (n > 9 && !memcmp(p + 3, "\0\0\0\0\0{\"", 7))    /* the header's length in 8 bytes, then the header in JSON */
        return "a safetensors file, not records (a classifier comes before the streams: probe FILE STREAM; a model: -m FILE)";
    if (!is_text(p, n, &nul))
        return NULL;
    if (nul)
        return "names that end in NUL, not records (clip-embed --files0-from=- makes records of pictures)";
    if (p[0] == '{' || p[0] == '[')
        return "JSON, not records (record-json --from-json makes records of it)";
    return "text, not records (clip-tok makes records of lines of text, clip-embed FILE of pictures)";
}
