#include "formats/record/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "formats/record/mp.h"

struct text {    /* the part of the Python literal that is not parsed yet */
    const char *p, *end;
};

static void spaces(struct text *t) {
    while (t->p < t->end && strchr(" \t\r\n", *t->p) && *t->p)
        t->p++;
}

/* Skips spaces, and then the character c if it follows.  Returns whether c followed. */
static bool take(struct text *t, char c) {
    spaces(t);
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static bool word(struct text *t, const char *w) {
    size_t n = strlen(w);

    spaces(t);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, w, n) != 0)
        return false;
    t->p += n;
    return true;
}

/* Parses 'text' or "text" into s.  Returns false if no string follows.  Names and types have no escapes. */
static bool string(struct text *t, struct span *s) {
    const char *close;
    char quote;

    spaces(t);
    if (t->p == t->end || (*t->p != '\'' && *t->p != '"'))
        return false;
    quote = *t->p++;
    close = memchr(t->p, quote, (size_t)(t->end - t->p));
    if (!close)
        return false;
    *s = span_bytes(t->p, (size_t)(close - t->p));
    t->p = close + 1;
    return true;
}

/* Parses a decimal number, perhaps with the L that Python 2 wrote after it.  Returns false if no number follows. */
static bool number(struct text *t, size_t *n) {
    bool any = false;

    spaces(t);
    for (*n = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++, any = true)
        if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, (size_t)(*t->p - '0'), n))
            return false;
    if (any && t->p < t->end && *t->p == 'L')
        t->p++;
    return any;
}

static bool tuple(struct text *t, struct tensor *out) {
    bool comma = false;

    if (!take(t, '('))
        return false;
    for (out->nd = 0; !take(t, ')'); out->nd++) {
        if ((out->nd && !comma) || out->nd == TENSOR_DIMS || !number(t, &out->shape[out->nd]))
            return false;
        comma = take(t, ',');
    }
    return out->nd != 1 || comma;    /* in Python (3) is a number, and (3,) is a tuple */
}

static int read_type(struct text *t, struct tensor *out, struct err *e) {
    char name[24] = "";
    struct span s;

    spaces(t);
    if (t->p < t->end && *t->p == '[')
        return err_set(e, "structured type");
    if (!string(t, &s))
        return err_set(e, "damaged header");
    if (mp_dtype(s, &out->dtype) == 0)
        return 0;
    for (size_t i = 0; i < s.n && i + 1 < sizeof name; i++)
        name[i] = (char)(s.p[i] > 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
    if (s.n > 1 && s.p[s.p[0] == '|'] == 'O')
        return err_set(e, "type %s: objects are pickles, which are not run", name);
    if (s.n && s.p[0] == '>')
        return err_set(e, "type %s: big-endian", name);
    return err_set(e, "type %s: not one of f2 f4 f8 i1 i2 i4 i8 u1 b1", name);
}

/* Parses one entry of the dict.  Sets the bit of its key in *seen, and refuses a key whose bit is set already. */
static int read_entry(struct text *t, struct tensor *out, bool *fortran, unsigned *seen, struct err *e) {
    static const char *const key[] = {"descr", "fortran_order", "shape"};
    struct span s;
    unsigned k = 0;

    if (!string(t, &s) || !take(t, ':'))
        return err_set(e, "damaged header");
    while (k < 3 && (s.n != strlen(key[k]) || memcmp(s.p, key[k], s.n) != 0))
        k++;
    if (k == 3 || *seen & 1u << k)
        return err_set(e, "header with an unknown or double key");
    *seen |= 1u << k;
    if (k == 0)
        return read_type(t, out, e);
    if (k == 1) {
        *fortran = word(t, "True");
        return *fortran || word(t, "False") ? 0 : err_set(e, "damaged header");
    }
    return tuple(t, out) ? 0 : err_set(e, "no shape of at most %d sizes", TENSOR_DIMS);
}

static int read_dict(struct text *t, struct tensor *out, bool *fortran, struct err *e) {
    unsigned seen = 0;

    if (!take(t, '{'))
        return err_set(e, "damaged header");
    while (!take(t, '}')) {
        if (read_entry(t, out, fortran, &seen, e) < 0)
            return -1;
        if (!take(t, ',')) {
            if (!take(t, '}'))
                return err_set(e, "damaged header");
            break;
        }
    }
    spaces(t);
    if (seen != 7 || t->p != t->end)
        return err_set(e, "damaged header");
    return 0;
}

int npy_read(const unsigned char *p, size_t n, struct tensor *t, struct err *e) {
    size_t count, bytes, len, head;
    bool fortran = false;
    struct text text;

    *t = (struct tensor){.nd = 0};
    if (n < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        return err_set(e, "not a .npy file");
    if (p[6] < 1 || p[6] > 3)
        return err_set(e, "version %u.%u of the format, 1 to 3 are known", p[6], p[7]);
    head = p[6] == 1 ? 10 : 12;
    if (n < head)
        return err_set(e, "cut short");
    len = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1)
        len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (len > n - head)
        return err_set(e, "cut short");
    text = (struct text){(const char *)p + head, (const char *)p + head + len};
    if (read_dict(&text, t, &fortran, e) < 0)
        return -1;
    if (tensor_count(t, &count) < 0 || __builtin_mul_overflow(count, dtype_size(t->dtype), &bytes))
        return err_set(e, "a shape that overflows");
    if (bytes != n - head - len)
        return err_set(e, "%zu bytes of data where its shape wants %zu", n - head - len, bytes);
    t->data = p + head + len;
    tensor_contiguous(t);
    for (size_t i = 0, s = 1; fortran && i < (size_t)t->nd; s *= t->shape[i++])
        t->stride[i] = s;
    return 0;
}

size_t npy_head(unsigned char head[NPY_HEAD], enum dtype dt, int nd, const size_t *shape) {
    char text[NPY_HEAD - 10];
    size_t n, len, first;

    if (!mp_dtype_name(dt))
        return 0;
    n = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                         mp_dtype_name(dt));
    first = n;
    for (int i = 0; i < nd; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu", i ? ", " : "", shape[i]);
        if (i == 0)
            first = n - first;    /* the number of digits of shape[0], at most 20 */
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "%s), }", nd == 1 ? "," : "");
    len = (10 + n + (nd ? 20 - first : 0) + 1 + 63) / 64 * 64;
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (unsigned char)(len - 10);
    head[9] = 0;
    memset(head + 10, ' ', len - 10);
    memcpy(head + 10, text, n);
    head[len - 1] = '\n';
    return len;
}

void npy_copy(const struct tensor *t, void *out) {
    size_t size = dtype_size(t->dtype), at[TENSOR_DIMS] = {0}, off = 0, n;
    char *to = out;

    if (tensor_count(t, &n) < 0 || !n)
        return;
    if (tensor_is_contiguous(t)) {
        memcpy(to, t->data, n * size);
        return;
    }
    for (; n; n--, to += size) {
        memcpy(to, (const char *)t->data + off * size, size);
        for (int i = t->nd; i-- > 0; at[i] = 0) {    /* advance the indices, the last axis first */
            off += t->stride[i];
            if (++at[i] < t->shape[i])
                break;
            off -= t->stride[i] * t->shape[i];
        }
    }
}
