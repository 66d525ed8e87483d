#include "formats/record/beside.h"

static int failed(const struct beside *b, const struct err *why, struct err *e) {
    return err_at(e, b->s.name, why);
}

int beside_open(struct beside *b, const char *name, struct arena *a, size_t buffer, struct err *e) {
    struct err why = {0};
    struct record r;
    int got;

    *b = (struct beside){.only = {.nfield = 0}};
    if (stream_open(&b->s, name, a, buffer, &why) < 0)
        return err_at(e, name, &why);
    do
        got = stream_next(&b->s, &r, a, &b->first);
    while (got == -1 && !b->s.number);    /* skip garbage before the first record */
    if (got == 1)
        err_clear(&b->first);
    if (got == 1 && record_clone(&b->only, &r, a, &why) < 0)
        return failed(b, &why, e);
    if (got == 0 || got == -2)
        return failed(b, got ? &b->first : &(struct err){"no record in it"}, e);
    return 0;
}

int beside_get(struct beside *b, uint64_t number, struct record *r, struct arena *a, struct err *e) {
    int got = 1;

    *r = b->only;
    if (number == 1 && b->first.msg[0])
        return failed(b, &b->first, e);
    while (!b->one && got && b->s.number < number) {
        struct arena before = *a;
        struct err why = {0};
        bool first = b->s.number == 1 && !b->first.msg[0];

        got = stream_next(&b->s, r, a, &why);
        if (got == 0 && first) {    /* the file has one record, which stands for all */
            b->one = true;
            *r = b->only;
            return 1;
        }
        if (b->s.number < number)
            *a = before;
        if (got == -2 || (got < 0 && b->s.number >= number))
            return failed(b, &why, e);
    }
    return got;
}
