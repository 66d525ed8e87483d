/* .npy: the files that numpy writes are read, the files written here are numpy's byte for byte, others are refused. */
#include "formats/record/npy.h"

#include <stdint.h>

#include "tests/tap.h"

static unsigned char file[4096];

/* A file of version v with that header text and n bytes of data 0, 1, 2... */
static size_t make(unsigned v, const char *text, size_t n) {
    size_t len = strlen(text), head = v == 1 ? 10 : 12;

    memcpy(file, "\x93NUMPY", 6);
    file[6] = (unsigned char)v, file[7] = 0;
    file[8] = (unsigned char)len, file[9] = (unsigned char)(len >> 8);
    if (v > 1)
        file[10] = file[11] = 0;
    memcpy(file + head, text, len);
    for (size_t i = 0; i < n; i++)
        file[head + len + i] = (unsigned char)i;
    return head + len + n;
}

static int read_as(const char *text, size_t n, struct tensor *t, struct err *e, struct arena a) {
    size_t len = make(1, text, n);
    unsigned char *p = arena_take(&a, len, 1);    /* so that a sanitizer sees its end */

    memcpy(p, file, len);
    e->msg[0] = 0;
    return npy_read(p, len, t, e);
}

static void good(const char *text, size_t n, enum dtype dt, int nd, size_t first, struct arena a) {
    struct tensor t;
    struct err e;
    int rc = read_as(text, n, &t, &e, a);

    ok(rc == 0 && t.dtype == dt && t.nd == nd && (!nd || t.shape[0] == first), "read: %.*s%s%s",
       (int)strcspn(text, "\n"), text, e.msg[0] ? ": " : "", e.msg);
}

static void refuses(const char *text, size_t n, const char *why, struct arena a) {
    struct tensor t;
    struct err e;

    ok(read_as(text, n, &t, &e, a) == -1 && !strcmp(e.msg, why), "refused: %.60s: %s", text, e.msg);
}

static void texts(struct arena a) {
    good("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24, DT_F32, 2, 2, a);
    good("{'descr':'<f8','fortran_order':False,'shape':()}", 8, DT_F64, 0, 0, a);
    good("{\"shape\": (3L,), \"descr\": \"<f2\", \"fortran_order\": True}\n", 6, DT_F16, 1, 3, a);
    good(" { 'shape' : ( 2 , 2 , ) , 'fortran_order' : False , 'descr' : '|u1' , } ", 4, DT_U8, 2, 2, a);
    good("{'descr': '<i8', 'fortran_order': False, 'shape': (0, 5)}", 0, DT_I64, 2, 0, a);
    good("{'descr': '|b1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1)}", 1, DT_BOOL, 8, 1, a);
#define D(descr, shape) "{'descr': " descr ", 'fortran_order': False, 'shape': " shape "}"
    refuses(D("'>f4'", "(1,)"), 4, "type >f4: big-endian", a);
    refuses(D("'|O'", "(1,)"), 8, "type |O: objects are pickles, which are not run", a);
    refuses(D("'<u4'", "(1,)"), 4, "type <u4: not one of f2 f4 f8 i1 i2 i4 i8 u1 b1", a);
    refuses(D("'<V2\x1b'", "(1,)"), 2, "type <V2?: not one of f2 f4 f8 i1 i2 i4 i8 u1 b1", a);
    refuses(D("[('a', '<f4')]", "(1,)"), 4, "structured type", a);
    refuses(D("'<f4'", "(2,)"), 4, "4 bytes of data where its shape wants 8", a);
    refuses(D("'<f4'", "(1,)"), 5, "5 bytes of data where its shape wants 4", a);
    refuses(D("'<f4'", "(4294967296, 4294967296)"), 4, "a shape that overflows", a);
    refuses(D("'<f4'", "(4611686018427387904,)"), 4, "a shape that overflows", a);
    refuses(D("'<f4'", "(99999999999999999999,)"), 4, "no shape of at most 8 sizes", a);
    refuses(D("'<f4'", "(1,1,1,1,1,1,1,1,1)"), 4, "no shape of at most 8 sizes", a);
    refuses(D("'<f4'", "(-1,)"), 4, "no shape of at most 8 sizes", a);
    refuses(D("'<f4'", "(1)"), 4, "no shape of at most 8 sizes", a);
    refuses(D("'<f4'", "(1 1)"), 4, "no shape of at most 8 sizes", a);
    refuses("{'descr': '<f4", 4, "damaged header", a);
    refuses("{'descr': '<f4', 'shape': (1,)}", 4, "damaged header", a);
    refuses("{'descr': '<f4', 'descr': '<f4'}", 4, "header with an unknown or double key", a);
    refuses("{'evil': __import__('os')}", 4, "header with an unknown or double key", a);
    refuses(D("'<f4'", "(1,)") "x", 4, "damaged header", a);
    refuses("", 4, "damaged header", a);
}

static void cuts(struct arena a) {
    size_t n = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24), bad = 0;
    struct tensor t;

    for (size_t k = 0; k < n; k++) {
        struct arena b = a;
        struct err e = {0};
        unsigned char *p = arena_take(&b, k, 1);

        memcpy(p, file, k);
        bad += npy_read(p, k, &t, &e) != -1 || !e.msg[0];
    }
    ok(!bad, "cut at any of %zu bytes: refused", n);
}

static void versions(void) {
    const char *text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n";
    struct tensor t;
    struct err e = {0};

    ok(npy_read(file, make(2, text, 4), &t, &e) == 0 && npy_read(file, make(3, text, 4), &t, &e) == 0, "versions 2 and 3");
    ok(npy_read(file, make(4, text, 4), &t, &e) == -1 && !strcmp(e.msg, "version 4.0 of the format, 1 to 3 are known"), "%s", e.msg);
    e.msg[0] = 0;
    make(2, text, 4);
    file[11] = 0xff;
    ok(npy_read(file, 100, &t, &e) == -1 && !strcmp(e.msg, "cut short"), "a header of 4 GiB: %s", e.msg);
    e.msg[0] = 0;
    ok(npy_read((const unsigned char *)"PK\3\4aaaaaaaa", 12, &t, &e) == -1 && !strcmp(e.msg, "not a .npy file"), "%s", e.msg);
}

static void orders(struct arena a) {
    static const unsigned char c[6] = {0, 2, 4, 1, 3, 5}, row[3] = {1, 3, 5};
    unsigned char out[6];
    struct tensor t, r;
    struct err e;

    read_as("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", 6, &t, &e, a);
    npy_copy(&t, out);
    ok(!memcmp(out, c, 6), "Fortran order: elements where numpy shows them");
    r = tensor_rows(&t, 1, 2);
    npy_copy(&r, out);
    ok(!memcmp(out, row, 3), "and a row of it");
}

static void writing(void) {
    /* as numpy 1.24 writes np.save(f, np.zeros((1000, 512), 'f4')) */
    static const char want[] = "\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 512), }";
    unsigned char head[NPY_HEAD];
    size_t shape[TENSOR_DIMS] = {1000, 512}, n;
    struct tensor t;
    struct err e = {0};

    n = npy_head(head, DT_F32, 2, shape);
    ok(n == 128 && !memcmp(head, want, sizeof want - 1) && head[sizeof want - 1] == ' ' && head[127] == '\n', "as numpy writes it");
    for (int nd = 0; nd <= TENSOR_DIMS; nd++) {
        size_t len;
        for (int i = 0; i < TENSOR_DIMS; i++)
            shape[i] = SIZE_MAX;
        len = npy_head(head, DT_F16, nd, shape);
        shape[0] = 0;
        e.msg[0] = 0;
        ok(len == npy_head(head, DT_F16, nd, shape) && len % 64 == 0 && len <= NPY_HEAD && head[len - 1] == '\n' &&
           npy_read(head, len, &t, &e) == (nd ? 0 : -1) && (!nd || t.nd == nd),
           "%d sizes: room for the largest first one, read again%s%s", nd, nd ? "" : ": ", e.msg);
    }
    ok(npy_head(head, DT_BF16, 1, shape) == 0, "bf16 has no name in numpy");
}

int main(void) {
    TAP_ARENA(a, 1);

    texts(a);
    cuts(a);
    versions();
    orders(a);
    writing();
    free(a_mem.base);
    return done();
}
