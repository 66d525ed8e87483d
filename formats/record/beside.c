#include "formats/record/beside.h"

int beside_open(struct beside *b, const char *name, struct arena *a, size_t buffer, struct err *e) {
    struct arena scratch;
    struct record r;
    struct err none = {{0}};

    if (stream_first(name, &b->only, a, e) < 0)
        return -1;
    if (stream_open(&b->s, name, a, buffer, &none) < 0)
        return err_set(e, "%s: %.900s", name, none.msg);
    scratch = *a;
    b->one = stream_next(&b->s, &r, &scratch, &none) == 1 && stream_next(&b->s, &r, &scratch, &none) == 0;
    stream_close(&b->s);
    none.msg[0] = 0;
    return b->one || stream_open(&b->s, name, a, buffer, &none) == 0 ? 0 : err_set(e, "%s: %.900s", name, none.msg);
}

int beside_get(struct beside *b, uint64_t number, struct record *r, struct arena *a, struct err *e) {
    int got = 1;

    *r = b->only;
    while (!b->one && got && b->s.number < number) {
        struct arena before = *a;
        struct err place = {{0}};
        got = stream_next(&b->s, r, a, &place);
        if (b->s.number < number)
            *a = before;
        if (got == -2 || (got < 0 && b->s.number >= number))
            return err_set(e, "%s: %.900s", b->s.name, place.msg);
    }
    return got;
}
