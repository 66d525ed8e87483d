/* pickle.h - what a Python pickle would build, without building it
 *
 * What     A pickle is a program for a stack machine.  This reader runs the machine without building
 *          Python objects: a call of a Python function becomes an object that holds the function's name and
 *          the arguments.  No name in the file ever causes code to run.
 *          The caller decides what the objects mean (tensors, for example).
 * Source   CPython Lib/pickletools.py; it runs the opcodes of protocols 2 to 5 except INST, OBJ, PERSID, the extension
 *          registry, out-of-band buffers and the text opcodes of protocol 0.
 * Checks   A first pass over the opcodes finds the end and counts the entries that the tables need.  A second pass
 *          builds the objects.  Arguments stay inside the input, there are at most PICKLE_OPS opcodes, memo indices are
 *          below the length of the input, and the stack is never popped below its mark.
 * Errors   pickle_parse returns -1, and err names the byte, the opcode or the rule that was broken.
 * Memory   About 50 bytes of arena for each opcode; strings are views into the input.
 *          Objects refer to each other by index.  Through the memo an object may be part of several others, or even
 *          of itself: a caller that walks the graph must bound depth and visits.
 */
#ifndef UNCLIP_PICKLE_H
#define UNCLIP_PICKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { PICKLE_OPS = 1 << 22, PICKLE_NONE = 0 };

enum pickle_kind {
    PK_NONE, PK_BOOL, PK_INT, PK_FLOAT,    /* the value is in i, or for PK_FLOAT in f */
    PK_STR, PK_BYTES,                      /* the bytes are in s, n; an integer of more than 64 bits is PK_BYTES, too */
    PK_TUPLE, PK_LIST, PK_SET,             /* the elements are the items */
    PK_DICT,                               /* the items are key, value, key, value, ... */
    PK_GLOBAL,                             /* a: the module, b: the name; both PK_STR */
    PK_CALL,                               /* a: what was called, b: its arguments; items were added to the result */
    PK_PERSID                              /* a: the persistent id */
};

struct pickle_obj {
    enum pickle_kind kind;
    uint32_t a, b;
    uint32_t state;          /* the state that BUILD gave to this object, or PICKLE_NONE */
    uint32_t first, last;    /* the first and the last cell of the list of items; 0 if the object has no items */
    uint32_t count;          /* number of items */
    union {
        int64_t i;
        double f;
        struct {
            const unsigned char *s;
            size_t n;
        };
    };
};

struct pickle_cell {
    uint32_t obj, next;
};

struct pickle {
    struct pickle_obj *obj;      /* [nobj]; obj[0] is None */
    struct pickle_cell *cell;    /* cell[0] is not used */
    uint32_t nobj, ncell;
    uint32_t top;                /* the object that STOP returned */
    size_t used;                 /* bytes of the input, STOP included */
};

/* Parse the pickle at the beginning of the n bytes at p; k->used tells how many of these bytes belong to it. */
int pickle_parse(struct pickle *k, const unsigned char *p, size_t n, struct arena *a, struct err *e);

/* Returns the first cell of obj's items, or 0 if obj has no items.  After the cell c comes k->cell[c].next. */
static inline uint32_t pickle_items(const struct pickle *k, uint32_t obj) {
    return k->obj[obj].first;
}

/* Returns item i of obj, or PICKLE_NONE beyond the end. */
uint32_t pickle_item(const struct pickle *k, uint32_t obj, size_t i);

/* Returns whether obj is the global "module.name".  If `module` is NULL, any module will do. */
bool pickle_is_global(const struct pickle *k, uint32_t obj, const char *module, const char *name);

/* Returns whether obj is a string (text, or the bytes of Python 2) equal to s. */
bool pickle_is_text(const struct pickle *k, uint32_t obj, const char *s);

/* Returns whether obj is an integer >= 0 that fits a size_t, and sets *v to it. */
bool pickle_size(const struct pickle *k, uint32_t obj, size_t *v);

#endif
