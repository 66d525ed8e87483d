#include "formats/checkpoint/pack_file.h"

#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/little64.h"
#include "lib/base/size.h"

static const char magic[] = "unclip packed 1\n";

enum { MAGIC = 16, AT_LENGTH = 16, AT_SUM = 24, AT_KEY_LENGTH = 32, AT_BLOCKS = 40, AT_KEY = 48 };

/* The length cannot overflow, because nkey <= PACK_KEY_MAX and n <= PACKED_MOST. */
static size_t head_length(size_t nkey, size_t n) {
    return round_up(AT_KEY + round_up(nkey, 8) + 8 * n, PACK_ALIGN);
}

static uint64_t sum(const unsigned char *p, size_t head) {
    XXH64_state_t h;

    XXH64_reset(&h, 0);
    XXH64_update(&h, p, AT_SUM);
    XXH64_update(&h, p + AT_KEY_LENGTH, head - AT_KEY_LENGTH);
    return XXH64_digest(&h);
}

size_t pack_file_gap(size_t n) {
    return (PACK_ALIGN - n % PACK_ALIGN) % PACK_ALIGN;
}

int pack_file_size(const struct packed *p, size_t nkey, size_t *head, size_t *file) {
    if (nkey > PACK_KEY_MAX || p->n > PACKED_MOST)
        return -1;
    *file = *head = head_length(nkey, p->n);
    for (size_t i = 0; i < p->n; i++)
        if (p->block[i].n > SIZE_MAX / 2 || __builtin_add_overflow(*file, round_up(p->block[i].n, PACK_ALIGN), file))
            return -1;
    return 0;
}

void pack_file_head(unsigned char *out, const struct packed *p, const char *key, size_t nkey, size_t head, size_t file) {
    unsigned char *table = out + AT_KEY + round_up(nkey, 8);

    memset(out, 0, head);
    memcpy(out, magic, MAGIC);
    little64_put(out + AT_LENGTH, file);
    little64_put(out + AT_KEY_LENGTH, nkey);
    little64_put(out + AT_BLOCKS, p->n);
    memcpy(out + AT_KEY, key, nkey);
    for (size_t i = 0; i < p->n; i++)
        little64_put(table + 8 * i, p->block[i].n);
    little64_put(out + AT_SUM, sum(out, head));
}

/* Fill p->block with views of the blocks.  The last block must end where the file ends. */
static int read_blocks(struct packed *p, const unsigned char *data, size_t n, const unsigned char *table, size_t head,
                       struct err *e) {
    size_t at = head;

    for (size_t i = 0; i < p->n; i++) {
        uint64_t size = little64_get(table + 8 * i);

        if (size > n - at || round_up((size_t)size, PACK_ALIGN) > n - at)
            return err_set(e, "block %zu ends behind the file", i);
        p->block[i] = (struct packed_block){data + at, (size_t)size};
        at += round_up((size_t)size, PACK_ALIGN);
    }
    return at == n ? 0 : err_set(e, "%zu bytes behind the last block", n - at);
}

int pack_file_read(struct packed *p, const unsigned char *data, size_t n, const char *key, size_t nkey, struct err *e) {
    uint64_t k, blocks;
    size_t head;

    if (n < AT_KEY || memcmp(data, magic, MAGIC) != 0)
        return err_set(e, "not a file of packed weights, or of another version");
    if (little64_get(data + AT_LENGTH) != n)
        return err_set(e, "%zu bytes long, its head says %llu", n, (unsigned long long)little64_get(data + AT_LENGTH));
    k = little64_get(data + AT_KEY_LENGTH);
    blocks = little64_get(data + AT_BLOCKS);
    if (k > PACK_KEY_MAX || blocks > p->room || (head = head_length((size_t)k, (size_t)blocks)) > n)
        return err_set(e, "its head is damaged");
    if (little64_get(data + AT_SUM) != sum(data, head))
        return err_set(e, "its head is damaged");
    if (k != nkey || memcmp(data + AT_KEY, key, nkey) != 0)
        return err_set(e, "made of another model, or for another kernel");
    p->n = (size_t)blocks;
    p->next = 0;
    p->lost = false;
    p->finding = true;
    return read_blocks(p, data, n, data + AT_KEY + round_up(nkey, 8), head, e);
}
