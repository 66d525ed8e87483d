/* PyTorch files as they should not be: pickles and archives made by hand, and the golden files
 * cut at their bytes.  That the good ones are read right is tests/unit/variants.c. */
#define _DEFAULT_SOURCE    /* cut.h: MAP_ANONYMOUS */

#include "formats/checkpoint/torch_file.h"

#include "formats/checkpoint/pickle.h"
#include "formats/io/zip.h"
#include "tests/cut.h"

static struct arena arena;

/* ---- a small archive writer: local header, name, data; then the directory ---- */

static unsigned char file[65536];
static size_t len, entries, start[16], name_len[16], data_len[16];
static const char *names[16];

static void le(size_t v, int bytes) {
    for (; bytes-- > 0; v >>= 8)
        file[len++] = (unsigned char)v;
}

static void entry(const char *name, const void *data, size_t n) {
    start[entries] = len;
    names[entries] = name;
    name_len[entries] = strlen(name);
    data_len[entries++] = n;
    le(0x04034b50, 4), le(0, 4), le(0, 2), le(0, 4), le(0, 4), le(0, 4), le(0, 4);
    le(strlen(name), 2), le(0, 2);
    memcpy(file + len, name, strlen(name));
    len += strlen(name);
    if (n)
        memcpy(file + len, data, n);
    len += n;
}

static void finish(void) {
    size_t dir = len;

    for (size_t i = 0; i < entries; i++) {
        le(0x02014b50, 4), le(0, 4), le(0, 2), le(0, 2), le(0, 4), le(0, 4);
        le(data_len[i], 4), le(data_len[i], 4), le(name_len[i], 2), le(0, 2), le(0, 2), le(0, 2), le(0, 2);
        le(0, 4), le(start[i], 4);
        memcpy(file + len, names[i], name_len[i]);
        len += name_len[i];
    }
    size_t size = len - dir;
    le(0x06054b50, 4), le(0, 4), le(entries, 2), le(entries, 2), le(size, 4), le(dir, 4), le(0, 2);
}

/* Where entry i's directory record begins, for a test that spoils it. */
static size_t record(size_t i) {
    size_t at = len - 22;

    for (size_t k = entries; k-- > i;)
        at -= 46 + name_len[k];
    return at;
}

static void begin(void) {
    len = entries = 0;
}

#define STORE "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"
#define VIEW "ctorch._utils\n_rebuild_tensor_v2\n(" STORE
#define TAIL "\x89}tR"

/* An archive with this pickle and one storage of four floats. */
static void archive(const char *pickle, size_t n) {
    static const float x[4] = {1, 2, 3, 4};

    begin();
    entry("a/data.pkl", pickle, n);
    entry("a/data/0", x, sizeof x);
    finish();
}

static int read_file(struct weights *ws, struct err *e) {
    struct arena a = arena;
    bool script;

    e->msg[0] = 0;
    return torch_read(ws, &script, file, len, &a, e);
}

static int has(const char *name) {
    struct weights ws;
    struct err e = {0};

    return read_file(&ws, &e) == 0 && weights_find(&ws, name) != NULL;
}

static void refused(const char *why) {
    struct weights ws;
    struct err e = {0};
    int r = read_file(&ws, &e);

    ok(r < 0 && strstr(e.msg, why), "refused: %s", r < 0 ? e.msg : why);
}

#define ARCHIVE(s) archive(s, sizeof(s) - 1)
#define BAD(s, why) (ARCHIVE(s), refused(why))

static void good(const char *what, const char *name, size_t count, float first, float last) {
    struct weights ws;
    struct err e = {0};
    float x[16];
    size_t n = 0;
    struct weight *w = read_file(&ws, &e) == 0 ? weights_find(&ws, name) : NULL;

    if (w && tensor_count(&w->t, &n) == 0 && n == count && n <= 16 && n > 0)
        tensor_f32(&w->t, 0, n, x);
    ok(w && n == count && (n == 0 || (x[0] == first && x[n - 1] == last)), "%s%s", what, e.msg);
}

static void pickles(void) {
    ARCHIVE("\x80\2}X\1\0\0\0w" VIEW "K\0K\2K\2\x86K\1K\2\x86" TAIL "s.");
    good("a transposed view", "w", 4, 1, 4);
    ARCHIVE("\x80\2" VIEW "K\1K\3\x85K\1\x85" TAIL VIEW "K\0))" TAIL "\x86.");
    good("a tuple at the top", "0", 3, 2, 4);
    good("its second member, a scalar", "1", 1, 1, 1);
    ARCHIVE("\x80\2" VIEW "K\0K\4\x85K\1\x85" TAIL ".");
    good("a tensor alone", "0", 4, 1, 4);
    ARCHIVE("\x80\2}U\1w" VIEW "K\0K\0\x85K\1\x85" TAIL "s.");
    good("a key of Python 2, an empty tensor", "w", 0, 0, 0);
    ARCHIVE("\x80\2}(X\5\0\0\0epochK\3X\5\0\0\0model}X\10\0\0\0module.w" VIEW "K\0K\4\x85K\1\x85" TAIL "su.");
    good("a training checkpoint", "module.w", 4, 1, 4);
    ARCHIVE("\x80\2ccollections\nOrderedDict\n](](X\1\0\0\0w" VIEW "K\0K\4\x85K\1\x85" TAIL "ee\x85R.");
    good("an OrderedDict of Python 2", "w", 4, 1, 4);
    ARCHIVE("\x80\2ctorch._utils\n_rebuild_parameter\n(" VIEW "K\0ctorch\nSize\nK\4\x85\x85RK\1\x85" TAIL "\x88}tR.");
    good("a Parameter, and torch.Size", "0", 4, 1, 4);
    ARCHIVE("\x80\4}\x94X\1\0\0\0w\x94h\0h\1" VIEW "K\0K\4\x85K\1\x85" TAIL "s00.");
    good("MEMOIZE numbers what it keeps", "w", 4, 1, 4);
    ARCHIVE("\x80\4}q\0q\0X\1\0\0\0w\x94" "0h\1" VIEW "K\0K\4\x85K\1\x85" TAIL "s.");
    good("by how many it keeps, not how often", "w", 4, 1, 4);

    BAD("\x80\2}X\1\0\0\0w" VIEW "K\1K\4\x85K\1\x85" TAIL "s.", "tensor w reaches beyond its storage");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0K\2K\2\x86K\4K\1\x86" TAIL "s.", "tensor w reaches beyond its storage");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0K\5\x85K\0\x85" TAIL "s.", "tensor w has more elements than its storage");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0J\0\0\0\x80\x85K\1\x85" TAIL "s.", "shape or strides are malformed");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0K\4\x85K\1K\1\x86" TAIL "s.", "shape or strides are malformed");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)" TAIL "s.", "shape or strides");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\1\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"
        TAIL "s.", "more elements than its storage");
    BAD("\x80\2}X\1\0\0\0w" VIEW "K\0K\2K\2\x86\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x86" TAIL "s.",
        "reaches beyond");
    BAD("\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(NK\0))" TAIL "s.", "without a storage");
    BAD("\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_sparse_tensor\n)Rs.", "stored through _rebuild_sparse_tensor");
    BAD("\x80\2}X\1\0\0\0wK\1s.", "no tensors in it");
    BAD("\x80\2K\1.", "no tensors in it");
}

static void machine(void) {
    BAD("\x80\2cos\nsystem\nX\4\0\0\0true\x85R.", "no tensors in it");
    BAD("\x80\2", "ends without STOP");
    BAD("\x80\2X\xff\xff\xff\xff" "a.", "does not fit");
    BAD("\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "does not fit");
    BAD("\x80\2K", "ends inside an opcode");
    BAD("\x80\2cos\nsystem", "ends inside a name");
    BAD("\x80\7.", "protocol 7");
    BAD("\x80\2.", "stack is too short");
    BAD("\x80\2(.", "stack is too short");
    BAD("\x80\2" "0.", "stack is too short");
    BAD("\x80\2t.", "no mark on the stack");
    BAD("\x80\2K\1R.", "stack is too short");
    BAD("\x80\2K\1K\1R.", "arguments of a call are not a tuple");
    BAD("\x80\2K\1K\1s.", "stack is too short");
    BAD("\x80\2K\1K\1K\1s.", "that is not a container");
    BAD("\x80\2}(K\1u.", "a key without a value");
    BAD("\x80\2h\0.", "nothing was memoized as 0");
    BAD("\x80\2r\xff\xff\xff\x7f.", "memo index");
    BAD("\x80\2q\0.", "stack is too short");
    BAD("\x80\2K\1K\1\x93.", "a global's name is not a string");
    BAD("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "a frame is longer");
    BAD("\x80\2P0\n.", "opcode 0x50 is not allowed");
    BAD("\x80\2(cos\nsystem\no.", "opcode 0x6f is not allowed");
    BAD("\x80\2\x82\1.", "opcode 0x82 is not allowed");
    BAD("\x80\2I1\n.", "opcode 0x49 is not allowed");
}

#define W VIEW "K\0K\4\x85K\1\x85" TAIL
#define MODULE "cm\nC\n)\x81q\0}("    /* of any class, kept as 0; its fields follow */
#define PARAMETERS "U\13_parameters"
#define BUFFERS "U\10_buffers"
#define MODULES "U\10_modules"
#define BUILT "ub"

/* Pickled torch.nn.Modules: the names of their state dict. */
static void modules(void) {
    static const char *const want[] = {"w", "c", "sub.v"};

    ARCHIVE("\x80\2" MODULE PARAMETERS "}(U\1w" W "U\1nNu" BUFFERS "}U\1c" W "s" MODULES "}U\3sub" MODULE PARAMETERS "}U\1v" W
            "s" BUFFERS "}" MODULES "}" BUILT "s" BUILT ".");
    for (size_t i = 0; i < 3; i++)
        good("a module: parameters, buffers, modules", want[i], 4, 1, 4);
    ARCHIVE("\x80\2" MODULE BUFFERS "}(U\1c" W "U\1t" W "u" PARAMETERS "}" MODULES "}U\33_non_persistent_buffers_set"
            "c__builtin__\nset\n]U\1ta\x85R" BUILT ".");
    good("a buffer", "c", 4, 1, 4);
    ok(!has("t"), "but no buffer that is not kept");
    ARCHIVE("\x80\2}U\3net" MODULE PARAMETERS "}U\1w" W "s" BUFFERS "}" MODULES "}" BUILT "s.");
    good("a module within a dict", "net.w", 4, 1, 4);
    BAD("\x80\2" MODULE PARAMETERS "}U\1w" W "s" BUFFERS "}" BUILT ".", "no tensors in it");
    BAD("\x80\2" MODULE PARAMETERS "NU\10_buffersNU\10_modulesN" BUILT ".", "no tensors in it");
    BAD("\x80\2" MODULE PARAMETERS "}" BUFFERS "}" MODULES "}(U\1ah\0U\1bh\0u" BUILT ".", "share too much");
    BAD("\x80\2" MODULE PARAMETERS "h\0" BUFFERS "h\0" MODULES "h\0" BUILT ".", "no tensors in it");
}

/* A dict that holds itself, and one whose members share: 2^30 paths. */
static void graphs(void) {
    static char p[1024];
    size_t n = 0;

    BAD("\x80\2}q\0X\1\0\0\0ah\0s.", "share too much");
    BAD("\x80\2}q\0(X\1\0\0\0ah\0X\1\0\0\0bh\0u.", "share too much");
    n += (size_t)sprintf(p, "\x80\2");
    memcpy(p + n, "}q\0", 3), n += 3;
    for (int i = 1; i < 30; i++) {
        memcpy(p + n, "}q", 2), n += 2;
        p[n++] = (char)i;
        memcpy(p + n, "(U\1ah", 5), n += 5;
        p[n++] = (char)(i - 1);
        memcpy(p + n, "U\1bh", 4), n += 4;
        p[n++] = (char)(i - 1);
        p[n++] = 'u';
    }
    p[n++] = '.';
    archive(p, n);
    refused("share too much");
    n = (size_t)sprintf(p, "\x80\2");
    for (int i = 0; i < 40; i++)
        memcpy(p + n, "}U\1a", 4), n += 4;
    p[n++] = 'N';
    for (int i = 0; i < 40; i++)
        p[n++] = 's';
    p[n++] = '.';
    archive(p, n);
    refused("nested too deeply");
}

static void archives(void) {
    static const char top[] = "\x80\2" VIEW "K\0K\4\x85K\1\x85" TAIL ".";
    unsigned char keep[64];
    size_t r;

    ARCHIVE(top);
    good("an archive", "0", 4, 1, 4);
    r = record(1);
    memcpy(keep, file + r, 46);
#define SPOIL(at, v, why) (file[r + (at)] = (unsigned char)(v), refused(why), memcpy(file + r, keep, 46))
    SPOIL(10, 8, "two headers differ");
    SPOIL(20, 17, "stored, but its two sizes differ");
    SPOIL(23, 0x7f, "its two sizes differ");
    SPOIL(42, 1, "no local header");
    SPOIL(45, 0x7f, "no local header");
    SPOIL(28, 200, "ZIP directory is damaged");
    SPOIL(0, 'p', "ZIP directory is damaged");
#undef SPOIL
    file[start[1] + 26]++;
    refused("is outside the file");
    file[start[1] + 26]--;
    file[start[1] + 30]++;
    refused("two headers differ");
    file[start[1] + 30]--;
    file[len - 12]--;
    refused("more than its 1 entries");    /* of its 2, the count says 1 */
}

static void directories(void) {
    static const char top[] = "\x80\2" VIEW "K\0K\4\x85K\1\x85" TAIL ".";
    static const float x[4] = {1, 2, 3, 4};

    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    entry("a/data/0", x, sizeof x);
    entry("a/data/0", x, sizeof x);
    finish();
    refused("occurs twice");
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    entry("a/../data/0", x, sizeof x);
    finish();
    refused("unsafe name");
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    finish();
    refused("storage 0 is missing");
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    entry("a/data/0", x, 12);
    finish();
    refused("its storage should have 4 elements, but has 12 bytes");
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    entry("a/byteorder", "big", 3);
    entry("a/data/0", x, sizeof x);
    finish();
    refused("big-endian");
    begin();
    entry("a/readme", "hello", 5);
    finish();
    refused("no data.pkl");
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    start[1] = start[0], names[1] = "a/data.pkl", name_len[1] = 10, data_len[1] = 3, entries = 2;
    finish();
    refused("overlaps another");
    begin();
    finish();
    refused("empty archive");
}

/* Every number in its ZIP64 place, as in archives above 4 GiB. */
static void finish64(size_t extra) {
    size_t dir = len, size;

    for (size_t i = 0; i < entries; i++) {
        le(0x02014b50, 4), le(0, 4), le(0, 2), le(0, 2), le(0, 4), le(0, 4);
        le(0xffffffff, 4), le(0xffffffff, 4), le(name_len[i], 2), le(9 + extra, 2), le(0, 2), le(0, 2), le(0, 2);
        le(0, 4), le(0xffffffff, 4);
        memcpy(file + len, names[i], name_len[i]);
        len += name_len[i];
        le(0x4246, 2), le(1, 2), le(0, 1), le(1, 2), le(extra, 2);    /* another field first */
        le(data_len[i], 8), le(data_len[i], 8), le(start[i], 8);
        len -= 24 - extra;
    }
    size = len - dir;
    le(0x06064b50, 4), le(44, 8), le(45, 2), le(45, 2), le(0, 4), le(0, 4), le(entries, 8), le(entries, 8);
    le(size, 8), le(dir, 8);
    le(0x07064b50, 4), le(0, 4), le(dir + size, 8), le(1, 4);
    le(0x06054b50, 4), le(0, 4), le(0xffff, 2), le(0xffff, 2), le(0xffffffff, 4), le(0xffffffff, 4), le(0, 2);
}

static void zip64(void) {
    static const char top[] = "\x80\2" VIEW "K\0K\4\x85K\1\x85" TAIL ".";
    static const float x[4] = {1, 2, 3, 4};

    for (size_t extra = 24; extra >= 16; extra -= 8) {
        begin();
        entry("a/data.pkl", top, sizeof top - 1);
        entry("a/data/0", x, sizeof x);
        finish64(extra);
        if (extra == 24)
            good("ZIP64", "0", 4, 1, 4);
        else
            refused("ZIP64 field is too short");
    }
    begin();
    entry("a/data.pkl", top, sizeof top - 1);
    finish64(24);
    file[len - 22 - 12]++;
    refused("ZIP64 end record is not where its locator says");
    file[len - 22 - 12]--;
    file[len - 22 - 4]++;
    refused("several parts");
    file[len - 22 - 4]--;
    file[len - 22 - 20 - 1] = 0x80;
    refused("is outside the file");
}

static int parse(const unsigned char *p, size_t n, struct arena a, struct err *e) {
    struct weights ws;
    bool script;

    return torch_read(&ws, &script, p, n, &a, e);
}

int main(void) {
    static const char *const golden[] = {"zip.pt", "legacy.pt", "torchscript.pt", "openclip_train.pt",
                                         "parameters.pt", "bf16.pt", "hf_strided_views.bin"};

    TAP_ARENA(a, 8);
    arena = a;
    pickles();
    machine();
    modules();
    graphs();
    archives();
    directories();
    zip64();
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        char path[128];

        snprintf(path, sizeof path, "tests/golden/clip/micro_%s", golden[i]);
        cut_file(parse, path, a);
    }
    free(a_mem.base);
    return done();
}
