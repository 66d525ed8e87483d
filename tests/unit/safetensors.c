/* Every rule of the format broken once; and a file cut at its bytes. */
#define _DEFAULT_SOURCE    /* cut.h: MAP_ANONYMOUS */

#include "formats/checkpoint/safetensors.h"

#include "tests/cut.h"

static struct arena arena;

/* N, head, then n bytes of data. */
static int read_text(struct weights *ws, const char *head, size_t n, struct err *e) {
    static unsigned char file[8192];
    size_t k = strlen(head);
    struct arena a = arena;

    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(k >> (8 * i));
    memcpy(file + 8, head, k);
    memset(file + 8 + k, 0, n);
    e->msg[0] = 0;
    return safetensors_read(ws, file, 8 + k + n, &a, e);
}

static void good(const char *what, const char *head, size_t n) {
    struct weights ws;
    struct err e = {0};

    ok(read_text(&ws, head, n, &e) == 0, "legal: %s%s", what, e.msg);
}

static void bad(const char *why, const char *head, size_t n) {
    struct weights ws;
    struct err e = {0};
    int r = read_text(&ws, head, n, &e);

    ok(r < 0 && strstr(e.msg, why), "refused: %s", r < 0 ? e.msg : head);
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void rules(void) {
    good("nothing in it", "{}", 0);
    good("a scalar has one element", "{" T("a", "F32", "[]", "[0,4]") "}", 4);
    good("a zero dimension has none", "{" T("a", "F32", "[0,9]", "[0,0]") "," T("b", "U8", "[2]", "[0,2]") "}", 2);
    good("trailing spaces", "{" T("a", "F64", "[1]", "[0,8]") "}   ", 8);
    good("escapes in names", "{" T("\\u0061b", "I64", "[1]", "[0,8]") "}", 8);
    good("no metadata", "{\"__metadata__\":null," T("a", "BF16", "[1]", "[0,2]") "}", 2);
    good("metadata of strings", "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "BF16", "[1]", "[0,2]") "}", 2);
    good("any order", "{" T("a", "U8", "[1]", "[1,2]") "," T("b", "U8", "[1]", "[0,1]") "}", 2);

    bad("does not begin with {", " {}", 0);
    bad("does not begin with {", "[]", 0);
    bad("not valid JSON", "{} {}", 0);
    bad("not valid JSON", "{" T("a", "U8", "[1]", "[0,1]"), 1);
    bad("not valid JSON", "{" T("\xff", "U8", "[1]", "[0,1]") "}", 1);
    bad("not valid JSON", "{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[0,1]") "}", 1);
    bad("not valid JSON", "{" T("a\\u0000", "U8", "[1]", "[0,1]") "}", 1);
    bad("control characters", "{" T("a\\u001b[2J", "U8", "[1]", "[0,1]") "}", 1);
    bad("no name", "{" T("", "U8", "[1]", "[0,1]") "}", 1);
    bad("shape is not an array of sizes", "{" T("a", "U8", "[1e0]", "[0,1]") "}", 1);
    bad("shape is not an array of sizes", "{" T("a", "U8", "[1.0]", "[0,1]") "}", 1);
    bad("shape is not an array of sizes", "{" T("a", "U8", "[\"1\"]", "[0,1]") "}", 1);
    bad("shape is not an array of sizes", "{" T("a", "U8", "1", "[0,1]") "}", 1);
    bad("a negative number", "{" T("a", "U8", "[-0]", "[0,0]") "}", 0);
    bad("a negative number", "{" T("a", "U8", "[-1]", "[0,1]") "}", 1);
    bad("not valid JSON", "{" T("a", "U8", "[99999999999999999999]", "[0,1]") "}", 1);
    bad("nested too deeply", "{\"a\":{\"shape\":[[1]]}}", 0);
    bad("more than 8 dimensions", "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1);
    bad("__metadata__", "{\"__metadata__\":{\"a\":1}}", 0);
    bad("__metadata__", "{\"__metadata__\":[]}", 0);
    bad("not {dtype, shape, data_offsets}", "{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0);
    bad("not {dtype, shape, data_offsets}", "{\"a\":3}", 0);
    bad("no dtype", "{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,1]}}", 1);
    bad("dtype F8_E4M3 is not supported", "{" T("a", "F8_E4M3", "[1]", "[0,1]") "}", 1);
    bad("are not [begin, end]", "{" T("a", "U8", "[1]", "[0]") "}", 1);
    bad("are not [begin, end]", "{" T("a", "U8", "[1]", "[0,1,2]") "}", 1);
    bad("are outside the data", "{" T("a", "U8", "[1]", "[1,0]") "}", 1);
    bad("are outside the data", "{" T("a", "U8", "[2]", "[0,2]") "}", 1);
    bad("does not fill its", "{" T("a", "F32", "[2]", "[0,4]") "}", 4);
    bad("does not fill its", "{" T("a", "U8", "[4294967296,4294967296,2]", "[0,0]") "}", 0);
    bad("does not fill its", "{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0);
    bad("tensors overlap", "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", 3);
    bad("tensors leave a hole", "{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}", 3);
    bad("tensors leave a hole", "{" T("a", "U8", "[1]", "[1,2]") "}", 2);
    bad("1 bytes after the last tensor", "{" T("a", "U8", "[1]", "[0,1]") "}", 2);
    bad("1 bytes after the last tensor", "{}", 1);
}

static void lengths(void) {
    unsigned char file[16] = {0};
    struct weights ws;
    struct err e = {0};

    ok(safetensors_read(&ws, file, 7, &arena, &e) < 0, "refused: %s", e.msg);
    e.msg[0] = 0;
    ok(safetensors_read(&ws, file, 16, &arena, &e) < 0, "refused: %s", e.msg);
    e.msg[0] = 0;
    memset(file, 0xff, 8);
    ok(safetensors_read(&ws, file, 16, &arena, &e) < 0, "refused: %s", e.msg);
    e.msg[0] = 0;
    memset(file, 0, 8);
    file[0] = 9;
    ok(safetensors_read(&ws, file, 16, &arena, &e) < 0, "refused: %s", e.msg);
}

static void deep(void) {
    char *text = malloc(4000);
    struct weights ws;
    struct err e = {0};

    memset(text, '[', 3999);
    text[3999] = 0;
    text[0] = '{';
    ok(read_text(&ws, text, 0, &e) < 0 && strstr(e.msg, "nested"), "refused: %s", e.msg);
    free(text);
}

static int parse(const unsigned char *p, size_t n, struct arena a, struct err *e) {
    struct weights ws;

    return safetensors_read(&ws, p, n, &a, e);
}

int main(void) {
    TAP_ARENA(a, 4);
    arena = a;
    rules();
    lengths();
    deep();
    cut_file(parse, "tests/golden/clip/micro.safetensors", a);
    cut_file(parse, "tests/golden/clip/micro_hf.safetensors", a);
    free(a_mem.base);
    return done();
}
