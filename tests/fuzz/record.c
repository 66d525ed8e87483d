/* Records: what is accepted survives every getter, is written again as itself, goes to JSON and back,
 * and can be counted and tabled. */
#include "formats/record/json_record.h"
#include "formats/record/record_csv.h"
#include "formats/record/record_info.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena region(struct arena_mem *m, size_t mib) {
    if (!m->base)
        *m = (struct arena_mem){.base = malloc(mib << 20), .reserved = mib << 20};
    return arena_open(m);
}

static void check(int good) {
    if (!good)
        abort();
}

/* All getters on one field: none may fall over it, and each failure says why. */
static void get(const struct record *r, const char *key, struct arena a) {
    struct err e = {0};
    struct tensor t;
    struct span s;
    const float *v;
    int64_t *ints, i;
    size_t n;
    double d;

    check(record_has(r, key));
#define GET(call) e.msg[0] = 0; check((call) == 1 || e.msg[0])
    GET(record_str(r, key, &s, &e));
    GET(record_int(r, key, &i, &e));
    GET(record_float(r, key, &d, &e));
    GET(record_ints(r, key, &ints, &n, &a, &e));
    GET(record_tensor(r, key, &t, &e));
    GET(record_floats(r, key, &v, &n, &a, &e));
    GET(record_numbers(r, key, &v, &n, &a, &e));
    record_sub_str(r, key, "x", &s, &e);
    if (record_raw(r, key, &s) == 1)
        mp_last_pair(s, "x", &s);
}

static void same(const struct record *r, struct span first, struct arena a) {
    struct record again;
    struct span second;
    struct err e = {0};
    size_t used;

    check(record_parse(&again, first.p, first.n, &used, &a, &e) == 1 && used == first.n);
    check(again.nfield == r->nfield && record_encode(&again, &second, &a, &e) == 0);
    check(second.n == first.n && !memcmp(first.p, second.p, first.n));
    for (size_t i = 0; i < r->nfield; i++)
        check(again.field[i].val.n == r->field[i].val.n &&
              !memcmp(again.field[i].val.p, r->field[i].val.p, r->field[i].val.n));
}

static void json(const struct record *r, struct span first, struct arena a, struct arena b) {
    struct record again;
    struct span second;
    struct err e = {0};
    struct mp text;

    mp_open(&text, &b);
    check(json_write(&text, r, 0, a, &e) == 0);
    check(json_read(&again, (char *)text.p, text.n, &b, a, &e) == 0);
    check(record_encode(&again, &second, &a, &e) == 0 && second.n == first.n && !memcmp(first.p, second.p, first.n));
    mp_open(&text, &b);
    e.msg[0] = 0;
    check(json_write(&text, r, JSON_ARRAYS, a, &e) == 0 || e.msg[0]);
}

static void table(const struct record *r, struct arena a, struct arena b, struct arena c) {
    struct csv csv = {.keep = &c};
    struct info info;
    struct err e = {0};
    struct mp text;

    mp_open(&text, &b);
    check(csv_add(&csv, &text, r, a, &e) == 0);
    check(info_open(&info, &c) == 0);
    info_add(&info, r);
    info_add(&info, r);
    info_print(&info, &text);
    check(!text.full);
}

static void change(struct record *r, struct arena *a) {
    struct err e = {0};
    struct span out;

    record_set_text(r, "a", r->id, &e);
    record_rename(r, "a", "model", &e);
    record_set_sub_text(r, "model", "b", r->id, &e);
    record_add_params(r, "x", SPAN("\x80"), &e);
    record_drop(r, "params");
    check(record_encode(r, &out, a, &e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena_mem m1, m2, m3;
    struct arena a = region(&m1, 64), b = region(&m2, 64), c = region(&m3, 8);
    struct record r;
    struct err e = {0};
    struct span first;
    size_t used;
    int rc = record_parse(&r, data, size, &used, &a, &e);

    check(rc >= 0 || e.msg[0]);
    if (rc != 1 || used > 60000)
        return 0;
    check(used <= size && record_find_start(data, size, 0) == 0);
    for (size_t i = 0; i < r.nfield; i++) {
        struct arena scratch = a;
        char *key = arena_str(&scratch, r.field[i].key.p, r.field[i].key.n);

        if (strlen(key) == r.field[i].key.n)
            get(&r, key, scratch);
    }
    check(record_encode(&r, &first, &a, &e) == 0);
    same(&r, first, a);
    json(&r, first, a, b);
    table(&r, a, b, c);
    change(&r, &a);
    return 0;
}
