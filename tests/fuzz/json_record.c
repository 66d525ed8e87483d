/* JSON: what is accepted is a record, and goes to JSON and back as itself. */
#include "formats/record/json_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena region(struct arena_mem *m) {
    const size_t room = (size_t)64 << 20;

    if (!m->base)
        *m = (struct arena_mem){.base = malloc(room), .reserved = room};
    return arena_open(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena_mem m1, m2;
    struct arena a = region(&m1), b = region(&m2);
    struct record r, again;
    struct span first, second;
    struct err e = {0};
    struct mp text;

    if (json_read(&r, (const char *)data, size, &a, b, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (record_encode(&r, &first, &a, &e) < 0)
        abort();
    mp_open(&text, &b);
    if (json_write(&text, &r, 0, a, &e) < 0 || json_read(&again, (char *)text.p, text.n, &b, a, &e) < 0 ||
        record_encode(&again, &second, &b, &e) < 0)
        abort();
    if (first.n != second.n || memcmp(first.p, second.p, first.n) != 0)
        abort();
    return 0;
}
