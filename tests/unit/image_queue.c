/* threads */
/* The ring of pictures: order, failures in their place, more names than slots, any number of
 * threads, an early end; and the list of names that feeds it. */
#include "formats/image/image_queue.h"

#include <unistd.h>

#include "tests/tap.h"

enum { SIDE = 8, FILES = 60 };

static const char *const pictures[] = {
    "tests/golden/images/rgb.png", "tests/golden/images/rgb.jpg", "tests/golden/images/none.png",
    "tests/golden/images/rgb.bmp", "tests/golden/images/gray.pgm",
};

static struct prep square(size_t s) {
    return (struct prep){.size = s, .crop = s, .filter = FILTER_BICUBIC};
}

/* All files through the ring, up to three taken at once; crops in `out`. */
static int pass(size_t slots, size_t threads, unsigned char (*out)[SIDE * SIDE * 3], size_t *failed) {
    TAP_ARENA(a, 64);
    struct image_queue_options o = {.slots = slots, .threads = threads, .prep = square(SIDE), .hash = true};
    size_t pushed = 0, taken = 0;
    struct err e = {0};
    struct image_queue *q = image_queue_start(&o, &a, &e);

    *failed = 0;
    if (!q)
        return -1;
    while (taken < FILES) {
        size_t n;

        for (; pushed < FILES && image_queue_count(q) < slots; pushed++)
            image_queue_push(q, &(struct picture){.name = pictures[pushed % 5], .file = true}, NULL, pushed % 5 == 4 && pushed > 30 ? "no" : "");
        n = image_queue_count(q) < 3 ? image_queue_count(q) : 3;
        for (size_t i = 0; i < n; i++) {
            struct image_item *it = image_queue_at(q, i);

            *failed += it->err.msg[0] != 0;
            if (it->err.msg[0])
                memset(out[taken + i], 0, sizeof *out);
            else
                memcpy(out[taken + i], it->crop, sizeof *out);
        }
        image_queue_pop(q, n);
        taken += n;
    }
    image_queue_stop(q);
    free(a_mem.base);
    return 0;
}

static void rings(void) {
    static unsigned char want[FILES][SIDE * SIDE * 3], got[FILES][SIDE * SIDE * 3];
    size_t failed, again;

    ok(pass(1, 1, want, &failed) == 0, "one slot, one thread");
    ok(failed == 12 + 6, "%zu of %d failed", failed, FILES);
    ok(memcmp(want[0], want[1], sizeof *want) != 0 && !memcmp(want[0], want[5], sizeof *want), "in order");
    for (size_t threads = 1; threads <= 8; threads += 3)
        for (size_t slots = 1; slots <= 9; slots += 4)
            ok(pass(slots, threads, got, &again) == 0 && again == failed && !memcmp(got, want, sizeof got),
               "%zu slots, %zu threads: the same", slots, threads);
}

static void ends_early(void) {
    TAP_ARENA(a, 64);
    struct image_queue_options o = {.slots = 16, .threads = 4, .prep = square(SIDE), .keep = square(20)};
    struct err e = {0};
    struct image_queue *q = image_queue_start(&o, &a, &e);

    for (int i = 0; i < 16; i++)
        image_queue_push(q, &(struct picture){.name = pictures[0], .file = true}, NULL, "");
    ok(image_queue_at(q, 2)->kept != NULL, "a second crop is kept");
    image_queue_stop(q);
    ok(1, "stopped with work left");
    a.end = a.at + 1000;
    ok(!image_queue_start(&o, &a, &e) && e.msg[0], "too little memory: %s", e.msg);
    free(a_mem.base);
}

static void contents(void) {
    TAP_ARENA(a, 64);
    struct image_queue_options o = {.slots = 4, .threads = 2, .prep = square(SIDE), .hash = true};
    struct err e = {0};
    struct image_queue *q = image_queue_start(&o, &a, &e);
    unsigned char *p;
    size_t n;

    ok(image_file_read(pictures[1], &p, &n, &e) == 0, "a file is read");
    image_queue_push(q, &(struct picture){.name = pictures[1], .file = true}, NULL, "");
    image_queue_push_bytes(q, p, n, "");
    image_queue_push_bytes(q, p, 0, "");
    image_queue_push_bytes(q, NULL, 0, "no bytes");
    image_file_free(p);    /* the queue has copies */
    const struct image_item *file = image_queue_at(q, 0), *bytes = image_queue_at(q, 1);
    ok(!bytes->err.msg[0] && !bytes->name[0] && !strcmp(bytes->hash, file->hash) && !memcmp(bytes->crop, file->crop, SIDE * SIDE * 3),
       "the content of a file gives the crop of the file");
    ok(!strcmp(image_queue_at(q, 2)->err.msg, "empty file"), "no bytes: %s", image_queue_at(q, 2)->err.msg);
    ok(!strcmp(image_queue_at(q, 3)->err.msg, "no bytes"), "the caller's own message");
    image_queue_stop(q);
    free(a_mem.base);
}

static void lists(void) {
    TAP_ARENA(a, 8);
    static struct names s;
    char *const operand[] = {(char[]){"a"}, (char[]){""}, (char[]){"b"}};
    char file[] = "/tmp/unclip-names-XXXXXX", big[5000];
    int fd = mkstemp(file);
    struct err e = {0};
    const char *n;

    names_open(&s, operand, 3, NULL, &a, &e);
    ok(names_next(&s, &n, &e) == 1 && !strcmp(n, "a") && names_next(&s, &n, &e) == -1 &&
       names_next(&s, &n, &e) == 1 && !strcmp(n, "b") && names_next(&s, &n, &e) == 0, "operands");
    memset(big, 'x', sizeof big);
    ok(fd >= 0 && write(fd, "one\0\0t\nwo\0", 10) == 10 && write(fd, big, sizeof big) == sizeof big &&
       write(fd, "\0last", 5) == 5, "a list");
    close(fd);
    e.msg[0] = 0;
    ok(names_open(&s, NULL, 0, file, &a, &e) == 0, "opened");
    ok(names_next(&s, &n, &e) == 1 && !strcmp(n, "one"), "a name");
    ok(names_next(&s, &n, &e) == -1 && s.number == 2, "an empty name");
    ok(names_next(&s, &n, &e) == 1 && !strcmp(n, "t\nwo"), "a newline is a character");
    ok(names_next(&s, &n, &e) == -1, "a name that is too long");
    ok(names_next(&s, &n, &e) == 1 && !strcmp(n, "last") && names_next(&s, &n, &e) == 0,
       "the last needs no NUL");
    names_close(&s);
    unlink(file);
    e.msg[0] = 0;
    ok(names_open(&s, NULL, 0, file, &a, &e) < 0, "no list: %s", e.msg);
    free(a_mem.base);
}

int main(void) {
    rings();
    ends_early();
    contents();
    lists();
    return done();
}
