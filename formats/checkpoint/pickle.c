#include "formats/checkpoint/pickle.h"

#include <string.h>

enum {
    OP_MARK = '(', OP_STOP = '.', OP_POP = '0', OP_POP_MARK = '1', OP_DUP = '2',
    OP_BINFLOAT = 'G', OP_BININT = 'J', OP_BININT1 = 'K', OP_BININT2 = 'M', OP_NONE = 'N',
    OP_BINPERSID = 'Q', OP_REDUCE = 'R', OP_BINSTRING = 'T', OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X', OP_APPEND = 'a', OP_BUILD = 'b', OP_GLOBAL = 'c', OP_APPENDS = 'e',
    OP_BINGET = 'h', OP_LONG_BINGET = 'j', OP_BINPUT = 'q', OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's', OP_TUPLE = 't', OP_SETITEMS = 'u', OP_EMPTY_DICT = '}',
    OP_EMPTY_LIST = ']', OP_EMPTY_TUPLE = ')', OP_BINBYTES = 'B', OP_SHORT_BINBYTES = 'C',
    OP_PROTO = 0x80, OP_NEWOBJ, OP_TUPLE1 = 0x85, OP_TUPLE2, OP_TUPLE3, OP_NEWTRUE, OP_NEWFALSE,
    OP_LONG1, OP_LONG4, OP_SHORT_BINUNICODE, OP_BINUNICODE8, OP_BINBYTES8, OP_EMPTY_SET,
    OP_ADDITEMS, OP_FROZENSET, OP_NEWOBJ_EX, OP_STACK_GLOBAL, OP_MEMOIZE, OP_FRAME
};

static const uint32_t MARK = UINT32_MAX;    /* stands for a mark on the machine's stack; no object has this index */

/* One opcode with its argument. */
struct op {
    unsigned char code;
    uint64_t u;                /* an argument that is a number: an index, a count, or raw bits */
    const unsigned char *s;    /* an argument that is a string of n bytes */
    size_t n;
};

struct in {
    const unsigned char *p;
    size_t n, at;
};

static int number(struct in *in, int bytes, uint64_t *v, struct err *e) {
    if (in->n - in->at < (size_t)bytes)
        return err_set(e, "pickle: ends inside an opcode");
    *v = 0;
    for (int i = bytes; i-- > 0;)
        *v = *v << 8 | in->p[in->at + (size_t)i];
    in->at += (size_t)bytes;
    return 0;
}

static int bytes(struct in *in, int width, struct op *op, struct err *e) {
    uint64_t n;

    if (number(in, width, &n, e) < 0)
        return -1;
    if (n > in->n - in->at)
        return err_set(e, "pickle: byte %zu: a string of %llu bytes does not fit", in->at,
                       (unsigned long long)n);
    op->s = in->p + in->at;
    op->n = (size_t)n;
    in->at += op->n;
    return 0;
}

/* Reads two lines, the module and the name, as one string with the line feed between them. */
static int two_lines(struct in *in, struct op *op, struct err *e) {
    op->s = in->p + in->at;
    for (int i = 0; i < 2; i++) {
        const unsigned char *lf = memchr(in->p + in->at, '\n', in->n - in->at);

        if (!lf)
            return err_set(e, "pickle: ends inside a name");
        in->at = (size_t)(lf - in->p) + 1;
    }
    op->n = (size_t)(in->p + in->at - op->s) - 1;
    return 0;
}

/* argument() returns what follows an opcode.  A value k <= 8 means a number of k bytes, or no argument if k is 0.
 * BYTES + k means a number of k bytes, and then a string whose length is this number.  LINES means two lines of text.
 * -1 means that the opcode is not known. */
enum { BYTES = 16, LINES = 32 };

static int argument(unsigned char code) {
    switch (code) {
    case OP_BININT1: case OP_BINGET: case OP_BINPUT: case OP_PROTO: return 1;
    case OP_BININT2: return 2;
    case OP_BININT: case OP_LONG_BINGET: case OP_LONG_BINPUT: return 4;
    case OP_BINFLOAT: case OP_FRAME: return 8;
    case OP_SHORT_BINSTRING: case OP_SHORT_BINBYTES: case OP_SHORT_BINUNICODE: case OP_LONG1:
        return BYTES + 1;
    case OP_BINSTRING: case OP_BINUNICODE: case OP_BINBYTES: case OP_LONG4: return BYTES + 4;
    case OP_BINUNICODE8: case OP_BINBYTES8: return BYTES + 8;
    case OP_GLOBAL: return LINES;
    case OP_MARK: case OP_STOP: case OP_POP: case OP_POP_MARK: case OP_DUP: case OP_NONE:
    case OP_BINPERSID: case OP_REDUCE: case OP_APPEND: case OP_BUILD: case OP_APPENDS:
    case OP_SETITEM: case OP_TUPLE: case OP_SETITEMS: case OP_EMPTY_DICT: case OP_EMPTY_LIST:
    case OP_EMPTY_TUPLE: case OP_NEWOBJ: case OP_TUPLE1: case OP_TUPLE2: case OP_TUPLE3:
    case OP_NEWTRUE: case OP_NEWFALSE: case OP_EMPTY_SET: case OP_ADDITEMS: case OP_FROZENSET:
    case OP_NEWOBJ_EX: case OP_STACK_GLOBAL: case OP_MEMOIZE:
        return 0;
    }
    return -1;
}

static int next(struct in *in, struct op *op, struct err *e) {
    int arg;

    if (in->at == in->n)
        return err_set(e, "pickle: ends without STOP");
    *op = (struct op){.code = in->p[in->at++]};
    arg = argument(op->code);
    if (arg < 0)
        return err_set(e, "pickle: byte %zu: opcode %#x is not allowed", in->at - 1, op->code);
    if (arg == LINES)
        return two_lines(in, op, e);
    return arg > BYTES ? bytes(in, arg - BYTES, op, e) : number(in, arg, &op->u, e);
}

/* ---- the first pass: where the end is, and how large the tables must be ---- */

struct need {
    size_t ops, objs, memo;
};

static size_t makes(unsigned char code) {
    switch (code) {
    case OP_GLOBAL: return 3;
    case OP_MARK: case OP_STOP: case OP_POP: case OP_POP_MARK: case OP_DUP: case OP_APPEND:
    case OP_BUILD: case OP_APPENDS: case OP_BINGET: case OP_LONG_BINGET: case OP_BINPUT:
    case OP_LONG_BINPUT: case OP_SETITEM: case OP_SETITEMS: case OP_PROTO: case OP_ADDITEMS:
    case OP_MEMOIZE: case OP_FRAME: case OP_NONE:
        return 0;
    }
    return 1;
}

static int scan(struct need *need, const unsigned char *p, size_t n, struct err *e) {
    struct in in = {p, n, 0};
    size_t memoized = 0;
    struct op op;

    *need = (struct need){0, 1, 0};
    do {
        if (next(&in, &op, e) < 0)
            return -1;
        if (++need->ops > PICKLE_OPS)
            return err_set(e, "pickle: more than %d opcodes", PICKLE_OPS);
        need->objs += makes(op.code);
        if (op.code == OP_MEMOIZE)
            memoized++;
        if ((op.code == OP_BINPUT || op.code == OP_LONG_BINPUT) && op.u >= need->memo) {
            if (op.u >= n || op.u >= PICKLE_OPS)
                return err_set(e, "pickle: memo index %llu", (unsigned long long)op.u);
            need->memo = (size_t)op.u + 1;
        }
        if (op.code == OP_FRAME && op.u > in.n - in.at)
            return err_set(e, "pickle: a frame is longer than the file");
    } while (op.code != OP_STOP);
    need->memo += memoized;
    return 0;
}

/* ---- the second pass: the machine ---- */

struct vm {
    struct pickle *k;
    uint32_t *stack, *memo;    /* an entry of memo that has no object is MARK */
    size_t sp, nmemo;
    size_t held;               /* number of objects in the memo; MEMOIZE takes it as the next index */
};

static int underflow(struct err *e) {
    err_set(e, "pickle: the stack is too short for an opcode");
    return -1;
}

static void push(struct vm *m, uint32_t obj) {
    m->stack[m->sp++] = obj;    /* an opcode pushes at most once, so need.ops entries are enough */
}

static int pop(struct vm *m, uint32_t *obj, struct err *e) {
    if (m->sp == 0 || m->stack[m->sp - 1] == MARK)
        return underflow(e);
    *obj = m->stack[--m->sp];
    return 0;
}

static uint32_t make(struct vm *m, enum pickle_kind kind) {
    m->k->obj[m->k->nobj] = (struct pickle_obj){.kind = kind};
    return m->k->nobj++;
}

static void push_new(struct vm *m, struct pickle_obj o) {
    m->k->obj[m->k->nobj] = o;
    push(m, m->k->nobj++);
}

static void append(struct vm *m, uint32_t to, uint32_t item) {
    struct pickle_obj *o = &m->k->obj[to];
    uint32_t c = m->k->ncell++;

    m->k->cell[c] = (struct pickle_cell){item, 0};
    if (o->last)
        m->k->cell[o->last].next = c;
    else
        o->first = c;
    o->last = c;
    o->count++;
}

/* Pop the n topmost items, and append them to the object `to` in the order in which they were pushed. */
static int take(struct vm *m, uint32_t to, size_t n, struct err *e) {
    if (m->sp < n)
        return underflow(e);
    for (size_t i = m->sp - n; i < m->sp; i++) {
        if (m->stack[i] == MARK)
            return underflow(e);
        append(m, to, m->stack[i]);
    }
    m->sp -= n;
    return 0;
}

/* Sets *n to the number of items above the topmost mark. */
static int above_mark(const struct vm *m, size_t *n, struct err *e) {
    for (*n = 0; *n < m->sp; ++*n)
        if (m->stack[m->sp - 1 - *n] == MARK)
            return 0;
    return err_set(e, "pickle: no mark on the stack");
}

static int sequence(struct vm *m, enum pickle_kind kind, size_t n, struct err *e) {
    uint32_t o = make(m, kind);

    if (take(m, o, n, e) < 0)
        return -1;
    push(m, o);
    return 0;
}

static int marked_sequence(struct vm *m, enum pickle_kind kind, struct err *e) {
    uint32_t o = make(m, kind);
    size_t n;

    if (above_mark(m, &n, e) < 0 || take(m, o, n, e) < 0)
        return -1;
    m->sp--;    /* the mark */
    push(m, o);
    return 0;
}

/* Move the n topmost items into the container below them.  If `mark` is set, a mark is between the container and the
 * items. */
static int add(struct vm *m, size_t n, size_t multiple, bool mark, struct err *e) {
    size_t below = n + mark;
    uint32_t to;
    enum pickle_kind kind;

    if (m->sp <= below || m->stack[m->sp - 1 - below] == MARK)
        return underflow(e);
    to = m->stack[m->sp - 1 - below];
    kind = m->k->obj[to].kind;
    if (kind != PK_CALL && kind != (multiple == 2 ? PK_DICT : PK_LIST) && kind != PK_SET)
        return err_set(e, "pickle: items are added to something that is not a container");
    if (n % multiple)
        return err_set(e, "pickle: a key without a value");
    if (take(m, to, n, e) < 0)
        return -1;
    m->sp -= mark;
    return 0;
}

static int add_marked(struct vm *m, size_t multiple, struct err *e) {
    size_t n;

    return above_mark(m, &n, e) < 0 ? -1 : add(m, n, multiple, true, e);
}

static int call(struct vm *m, bool keywords, struct err *e) {
    uint32_t fn, args, kw;

    if ((keywords && pop(m, &kw, e) < 0) || pop(m, &args, e) < 0 || pop(m, &fn, e) < 0)
        return -1;
    if (m->k->obj[args].kind != PK_TUPLE)
        return err_set(e, "pickle: arguments of a call are not a tuple");
    push_new(m, (struct pickle_obj){.kind = PK_CALL, .a = fn, .b = args});
    return 0;
}

static int build(struct vm *m, struct err *e) {
    uint32_t state;

    if (pop(m, &state, e) < 0)
        return -1;
    if (m->sp == 0 || m->stack[m->sp - 1] == MARK)
        return underflow(e);
    m->k->obj[m->stack[m->sp - 1]].state = state;
    return 0;
}

static uint32_t text(struct vm *m, const unsigned char *s, size_t n) {
    uint32_t o = make(m, PK_STR);

    m->k->obj[o].s = s;
    m->k->obj[o].n = n;
    return o;
}

static void global(struct vm *m, const struct op *op) {
    const unsigned char *lf = memchr(op->s, '\n', op->n);
    size_t n = (size_t)(lf - op->s);
    uint32_t module = text(m, op->s, n), name = text(m, lf + 1, op->n - n - 1);

    push_new(m, (struct pickle_obj){.kind = PK_GLOBAL, .a = module, .b = name});
}

static int stack_global(struct vm *m, struct err *e) {
    uint32_t module, name;

    if (pop(m, &name, e) < 0 || pop(m, &module, e) < 0)
        return -1;
    if (m->k->obj[module].kind != PK_STR || m->k->obj[name].kind != PK_STR)
        return err_set(e, "pickle: a global's name is not a string");
    push_new(m, (struct pickle_obj){.kind = PK_GLOBAL, .a = module, .b = name});
    return 0;
}

static int persid(struct vm *m, struct err *e) {
    uint32_t id;

    if (pop(m, &id, e) < 0)
        return -1;
    push_new(m, (struct pickle_obj){.kind = PK_PERSID, .a = id});
    return 0;
}

static int put(struct vm *m, size_t at, struct err *e) {
    if (m->sp == 0 || m->stack[m->sp - 1] == MARK)
        return underflow(e);
    if (at >= m->nmemo)
        return err_set(e, "pickle: memo index %zu", at);
    m->held += m->memo[at] == MARK;
    m->memo[at] = m->stack[m->sp - 1];
    return 0;
}

static int get(struct vm *m, uint64_t at, struct err *e) {
    if (at >= m->nmemo || m->memo[at] == MARK)
        return err_set(e, "pickle: nothing was memoized as %llu", (unsigned long long)at);
    push(m, m->memo[at]);
    return 0;
}

/* Push an integer of n bytes, two's complement, little-endian.  An integer of more than 8 bytes becomes PK_BYTES. */
static void integer(struct vm *m, const unsigned char *s, size_t n) {
    uint64_t v = n && s[n - 1] & 0x80 ? UINT64_MAX : 0;

    if (n > 8) {
        push_new(m, (struct pickle_obj){.kind = PK_BYTES, .s = s, .n = n});
        return;
    }
    for (size_t i = n; i-- > 0;)
        v = v << 8 | s[i];
    push_new(m, (struct pickle_obj){.kind = PK_INT, .i = (int64_t)v});
}

static void real(struct vm *m, uint64_t bits) {
    uint64_t swapped = 0;
    double f;

    for (int i = 0; i < 8; i++, bits >>= 8)
        swapped = swapped << 8 | (bits & 255);
    memcpy(&f, &swapped, sizeof f);
    push_new(m, (struct pickle_obj){.kind = PK_FLOAT, .f = f});
}

static int drop_marked(struct vm *m, struct err *e) {
    size_t n;

    if (above_mark(m, &n, e) < 0)
        return -1;
    m->sp -= n + 1;
    return 0;
}

/* If the opcode pushes a constant, runs it and returns 1.  Else returns 0. */
static int literal(struct vm *m, const struct op *op) {
    switch (op->code) {
    case OP_NONE: push(m, PICKLE_NONE); return 1;
    case OP_NEWTRUE: case OP_NEWFALSE:
        push_new(m, (struct pickle_obj){.kind = PK_BOOL, .i = op->code == OP_NEWTRUE});
        return 1;
    case OP_BININT: push_new(m, (struct pickle_obj){.kind = PK_INT, .i = (int32_t)op->u}); return 1;
    case OP_BININT1: case OP_BININT2:
        push_new(m, (struct pickle_obj){.kind = PK_INT, .i = (int64_t)op->u});
        return 1;
    case OP_LONG1: case OP_LONG4: integer(m, op->s, op->n); return 1;
    case OP_BINFLOAT: real(m, op->u); return 1;
    case OP_BINUNICODE: case OP_SHORT_BINUNICODE: case OP_BINUNICODE8:
        push(m, text(m, op->s, op->n));
        return 1;
    case OP_BINSTRING: case OP_SHORT_BINSTRING: case OP_BINBYTES: case OP_SHORT_BINBYTES:
    case OP_BINBYTES8:
        push_new(m, (struct pickle_obj){.kind = PK_BYTES, .s = op->s, .n = op->n});
        return 1;
    case OP_EMPTY_DICT: push(m, make(m, PK_DICT)); return 1;
    case OP_EMPTY_LIST: push(m, make(m, PK_LIST)); return 1;
    case OP_EMPTY_TUPLE: push(m, make(m, PK_TUPLE)); return 1;
    case OP_EMPTY_SET: push(m, make(m, PK_SET)); return 1;
    case OP_GLOBAL: global(m, op); return 1;
    }
    return 0;
}

static int step(struct vm *m, const struct op *op, struct err *e) {
    uint32_t o;

    switch (op->code) {
    case OP_PROTO: return op->u <= 5 ? 0 : err_set(e, "pickle: protocol %d", (int)op->u);
    case OP_FRAME: return 0;
    case OP_MARK: push(m, MARK); return 0;
    case OP_POP:
        if (m->sp == 0)
            return underflow(e);
        m->sp--;
        return 0;
    case OP_POP_MARK: return drop_marked(m, e);
    case OP_DUP:
        if (pop(m, &o, e) < 0)
            return -1;
        m->sp++;
        push(m, o);
        return 0;
    case OP_TUPLE: return marked_sequence(m, PK_TUPLE, e);
    case OP_FROZENSET: return marked_sequence(m, PK_SET, e);
    case OP_TUPLE1: case OP_TUPLE2: case OP_TUPLE3:
        return sequence(m, PK_TUPLE, (size_t)(op->code - OP_TUPLE1 + 1), e);
    case OP_APPEND: return add(m, 1, 1, false, e);
    case OP_APPENDS: case OP_ADDITEMS: return add_marked(m, 1, e);
    case OP_SETITEM: return add(m, 2, 2, false, e);
    case OP_SETITEMS: return add_marked(m, 2, e);
    case OP_REDUCE: case OP_NEWOBJ: return call(m, false, e);
    case OP_NEWOBJ_EX: return call(m, true, e);
    case OP_BUILD: return build(m, e);
    case OP_STACK_GLOBAL: return stack_global(m, e);
    case OP_BINPERSID: return persid(m, e);
    case OP_BINPUT: case OP_LONG_BINPUT: return put(m, (size_t)op->u, e);
    case OP_MEMOIZE: return put(m, m->held, e);
    case OP_BINGET: case OP_LONG_BINGET: return get(m, op->u, e);
    }
    return literal(m, op) ? 0 : err_set(e, "pickle: opcode %#x", op->code);
}

int pickle_parse(struct pickle *k, const unsigned char *p, size_t n, struct arena *a, struct err *e) {
    struct in in = {p, n, 0};
    struct need need;
    struct arena scratch;
    struct vm m = {.k = k};
    struct op op;

    if (scan(&need, p, n, e) < 0)
        return -1;
    *k = (struct pickle){0};
    k->obj = arena_take(a, need.objs, sizeof *k->obj);
    k->cell = arena_take(a, need.ops + 1, sizeof *k->cell);
    scratch = *a;
    m.nmemo = need.memo;
    m.stack = arena_take(&scratch, need.ops, sizeof *m.stack);
    m.memo = arena_take(&scratch, need.memo, sizeof *m.memo);
    if (!k->obj || !k->cell || !m.stack || !m.memo)
        return err_set(e, "out of memory");
    memset(m.memo, 0xff, need.memo * sizeof *m.memo);    /* every entry is MARK */
    make(&m, PK_NONE);
    k->cell[0] = (struct pickle_cell){0};
    k->ncell = 1;
    for (;;) {
        if (next(&in, &op, e) < 0)
            return -1;
        if (op.code == OP_STOP)
            break;
        if (step(&m, &op, e) < 0)
            return -1;
    }
    k->used = in.at;
    return pop(&m, &k->top, e);
}
