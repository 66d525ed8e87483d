/* The file of packed weights: what was written is found, and no other bytes are taken for it. */
#include "formats/checkpoint/pack_file.h"

#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/arena.h"
#include "tests/tap.h"

enum { BLOCKS = 4, MOST = 4096 };

static const char key[] = "part text\nkernel bf16 64 2\n";
static const size_t sizes[BLOCKS] = {64, 1, 0, 200}, nkey = sizeof key - 1;
static unsigned char *file;    /* aligned, MOST bytes */
static size_t head, length;

static size_t make(struct arena *a) {
    static unsigned char data[BLOCKS][256];
    struct packed_block block[BLOCKS];
    struct packed p = {.block = block, .n = BLOCKS, .room = BLOCKS};
    unsigned char *at;

    for (size_t i = 0; i < BLOCKS; i++) {
        memset(data[i], (int)i + 1, sizeof data[i]);
        block[i] = (struct packed_block){data[i], sizes[i]};
    }
    file = arena_zero(a, MOST, 1);
    ok(pack_file_size(&p, nkey, &head, &length) == 0 && head % 64 == 0 && length == head + 64 + 64 + 256, "the sizes add up");
    pack_file_head(file, &p, key, nkey, head, length);
    at = file + head;
    for (size_t i = 0; i < BLOCKS; i++) {
        memcpy(at, data[i], sizes[i]);
        at += sizes[i] + pack_file_gap(sizes[i]);
    }
    return (size_t)(at - file);
}

static int read_as(const char *k, size_t n, const unsigned char *p, size_t len, struct err *e) {
    static struct packed_block block[BLOCKS];
    struct packed got = {.block = block, .room = BLOCKS};

    e->msg[0] = 0;
    return pack_file_read(&got, p, len, k, n, e);
}

static void round_trip(void) {
    struct packed_block block[BLOCKS];
    struct packed p = {.block = block, .room = BLOCKS};
    struct err e = {0};
    int bad = 0;

    ok(pack_file_read(&p, file, length, key, nkey, &e) == 0 && p.finding && p.n == BLOCKS && p.next == 0, "read again %s", e.msg);
    for (size_t i = 0; i < BLOCKS && !e.msg[0]; i++) {
        bad += block[i].n != sizes[i] || (uintptr_t)block[i].p % PACK_ALIGN != 0;
        for (size_t j = 0; j < sizes[i]; j++)
            bad += ((const unsigned char *)block[i].p)[j] != i + 1;
    }
    ok(!bad, "each block as it was, aligned");
    p.room = BLOCKS - 1;
    ok(pack_file_read(&p, file, length, key, nkey, &e) < 0, "more blocks than there is room for: %s", e.msg);
}

static void cut_and_flipped(void) {
    struct err e = {0};
    size_t taken = 0;

    for (size_t n = 0; n < length; n++)
        taken += read_as(key, nkey, file, n, &e) == 0 || !e.msg[0];
    ok(!taken, "cut at each of its %zu bytes it is refused", length);
    ok(read_as(key, nkey, file, length + 64, &e) < 0, "longer it is refused: %s", e.msg);
    taken = 0;
    for (size_t i = 0; i < head; i++)
        for (int bit = 0; bit < 8; bit++) {
            file[i] ^= (unsigned char)(1 << bit);
            taken += read_as(key, nkey, file, length, &e) == 0 || !e.msg[0];
            file[i] ^= (unsigned char)(1 << bit);
        }
    ok(!taken, "with any bit of its head of %zu bytes turned it is refused", head);
}

static void wrong_key(void) {
    struct err e = {0};
    char other[sizeof key];
    size_t taken = 0;

    for (size_t i = 0; i < nkey; i++) {
        memcpy(other, key, sizeof key);
        other[i] ^= 1;
        taken += read_as(other, nkey, file, length, &e) == 0;
        taken += read_as(key, i, file, length, &e) == 0;
    }
    ok(!taken && !strcmp(e.msg, "made of another model, or for another kernel"), "another key is refused: %s", e.msg);
}

/* A head that means harm, with a sum that is right. */
static void hostile(size_t at, uint64_t v, const char *want) {
    unsigned char old[8], sum[8];
    XXH64_state_t h;
    struct err e = {0};
    uint64_t s;

    memcpy(old, file + at, 8);
    memcpy(sum, file + 24, 8);
    for (int i = 0; i < 8; i++)
        file[at + (size_t)i] = (unsigned char)(v >> 8 * i);
    XXH64_reset(&h, 0);
    XXH64_update(&h, file, 24);
    XXH64_update(&h, file + 32, head - 32);
    s = XXH64_digest(&h);
    for (int i = 0; i < 8; i++)
        file[24 + i] = (unsigned char)(s >> 8 * i);
    ok(read_as(key, nkey, file, length, &e) < 0 && strstr(e.msg, want), "%zu: %llx: %s", at, (unsigned long long)v, e.msg);
    memcpy(file + at, old, 8);
    memcpy(file + 24, sum, 8);
}

static void hostile_heads(void) {
    const size_t table = 48 + (nkey + 7) / 8 * 8;

    hostile(16, UINT64_MAX, "bytes long");
    hostile(32, UINT64_MAX, "damaged");
    hostile(32, PACK_KEY_MAX, "damaged");
    hostile(32, 0, "another model");
    hostile(32, nkey - 1, "another model");
    hostile(40, UINT64_MAX, "damaged");
    hostile(40, UINT64_MAX / 8 + 2, "damaged");
    hostile(40, BLOCKS + 1, "damaged");
    hostile(40, BLOCKS - 1, "behind the last block");
    hostile(40, 0, "behind the last block");
    hostile(table, UINT64_MAX, "block 0 ends behind the file");
    hostile(table, UINT64_MAX - 63, "block 0 ends behind the file");
    hostile(table + 24, UINT64_MAX - 10, "block 3 ends behind the file");
    hostile(table + 24, 257, "block 3 ends behind the file");
    hostile(table + 24, 192, "behind the last block");
    hostile(table + 24, 0, "behind the last block");
}

static void too_large(void) {
    struct packed_block block[2] = {{"", SIZE_MAX / 2 - 200}, {"", SIZE_MAX / 2}};
    struct packed p = {.block = block, .n = 2, .room = 2};
    size_t h, n;

    ok(pack_file_size(&p, PACK_KEY_MAX + 1, &h, &n) < 0 && pack_file_size(&p, 1, &h, &n) == 0, "a key has a most length");
    block[0].n = SIZE_MAX / 2;
    block[1].n = SIZE_MAX / 2 + 1;
    ok(pack_file_size(&p, 1, &h, &n) < 0, "sizes that overflow are refused");
    p.n = PACKED_MOST + 1;
    ok(pack_file_size(&p, 1, &h, &n) < 0, "blocks have a most number");
}

int main(void) {
    TAP_ARENA(a, 1);

    ok(make(&a) == length, "written");
    round_trip();
    cut_and_flipped();
    wrong_key();
    hostile_heads();
    too_large();
    free(a_mem.base);
    return done();
}
