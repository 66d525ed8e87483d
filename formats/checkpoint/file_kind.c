#include "formats/checkpoint/file_kind.h"

#include <stdbool.h>
#include <string.h>

#include "formats/io/lfs_pointer.h"

static bool begins(const unsigned char *p, size_t n, const char *s, size_t k) {
    return n >= k && !memcmp(p, s, k);
}

/* Returns whether p begins like an ONNX ModelProto, which is with ir_version, and then the producer's name, the graph
 * or an opset. */
static bool is_onnx(const unsigned char *p, size_t n) {
    return n > 16 && p[0] == 0x08 && p[1] >= 1 && p[1] <= 32 && (p[2] == 0x12 || p[2] == 0x3a || p[2] == 0x42);
}

const char *file_kind(const unsigned char *p, size_t n) {
    static const struct { const char *begin, *what; } known[] = {
        {"GGUF", "a GGUF file, which is not supported"},
        {"\x89HDF", "an HDF5 file (Keras, TensorFlow), which is not supported"},
        {"\x93NUMPY", "an array of NumPy, which is not supported"},
        {"<!DOCTYPE", "an HTML page: the download went wrong"},
        {"<!doctype", "an HTML page: the download went wrong"},
        {"<html", "an HTML page: the download went wrong"},
        {"\x89PNG", "a picture"},
        {"\xff\xd8\xff", "a picture"},
        {"\x83\xa6unclip", "a stream of records, where weights are wanted"},
    };
    const char *pointer = lfs_pointer(p, n);

    if (pointer)
        return pointer;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (begins(p, n, known[i].begin, strlen(known[i].begin)))
            return known[i].what;
    return is_onnx(p, n) ? "an ONNX model, which is not supported"
         : n > 8 && begins(p + 4, n - 4, "TFL3", 4) ? "a TensorFlow Lite model, which is not supported" : NULL;
}
