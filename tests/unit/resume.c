/* The results that an output holds already: keys, how often each occurs, and where a cut tail begins. */
#include "formats/record/resume.h"

#include <unistd.h>

#include "formats/record/record.h"
#include "tests/tap.h"

static const char *const FIELDS[] = {"image_embed"};

/* Makes a record as the program would. */
static struct record made(const char *id, const char *program, int64_t seed, const char *fp, struct arena *a) {
    struct err e = {0};
    struct record r;
    struct mp m;

    mp_open(&m, a);
    mp_map(&m, 1), mp_cstr(&m, "seed"), mp_int(&m, seed);
    if (record_new(&r, span_of(id), false, a, &e) < 0 || record_set_sub_text(&r, "model", "image_embed", span_of(fp), &e) < 0 ||
        record_add_params(&r, program, mp_span(&m), &e) < 0)
        ok(0, "a record: %s", e.msg);
    return r;
}

static void put(int fd, const char *id, const char *program, int64_t seed, const char *fp, struct arena a) {
    struct err e = {0};
    struct record r = made(id, program, seed, fp, &a);
    struct span s;

    if (record_encode(&r, &s, &a, &e) < 0 || write(fd, s.p, s.n) != (ssize_t)s.n)
        ok(0, "a record: %s", e.msg);
}

static struct resume_key content(const char *id, const char *program, struct arena *a) {
    struct record r = made(id, program, 1, "m", a);

    return resume_content_key(&r, *a);
}

static struct resume_key key(const char *id, int64_t seed, const char *fp, struct arena a) {
    struct span model = span_of(fp);
    struct mp m;

    mp_open(&m, &a);
    mp_map(&m, 1), mp_cstr(&m, "seed"), mp_int(&m, seed);
    return resume_key(span_of(id), (struct file_stamp){0}, mp_span(&m), 1, &model);
}

static int load(struct resume *s, const char *file, struct arena *a) {
    struct err e = {0};

    return resume_load(s, file, "prior", 1, FIELDS, a, &e);
}

/* a b a c, and results of another seed, another model and another program. */
static void counts(const char *file, int fd, struct arena a) {
    struct resume s;
    size_t taken = 0;

    put(fd, "a", "prior", 1, "m", a), put(fd, "b", "prior", 1, "m", a), put(fd, "a", "prior", 1, "m", a);
    put(fd, "c", "prior", 1, "m", a), put(fd, "c", "prior", 2, "m", a), put(fd, "c", "prior", 1, "n", a), put(fd, "d", "rank", 1, "m", a);
    ok(load(&s, file, &a) == 0 && s.n == 6 && s.end == s.size, "six keys in seven records");
    ok(resume_left(&s, key("a", 1, "m", a)) == 2 && resume_left(&s, key("b", 1, "m", a)) == 1 && !resume_left(&s, key("d", 1, "m", a)),
       "how often each was made");
    for (int i = 0; i < 3; i++)
        taken += resume_take(&s, key("a", 1, "m", a));
    ok(taken == 2 && !resume_left(&s, key("a", 1, "m", a)), "what was made twice is skipped twice, and made the third time");
    ok(resume_take(&s, key("c", 2, "m", a)) && !resume_take(&s, key("c", 2, "m", a)) && resume_take(&s, key("c", 1, "n", a)) &&
       resume_take(&s, key("c", 1, "m", a)) && resume_take(&s, key("b", 1, "m", a)), "options and models are apart");
    ok(resume_take(&s, content("d", "rank", &a)) && !resume_take(&s, content("d", "rank", &a)) && !resume_take(&s, content("e", "rank", &a)),
       "a record of another program has the key of its bytes");
}

/* More keys than the table begins with. */
static void many(const char *file, int fd, struct arena a) {
    enum { N = 3000 };
    struct resume s;
    size_t right = 0;
    char id[16];

    for (int i = 0; i < 2 * N; i++) {
        snprintf(id, sizeof id, "%d", i % N);
        put(fd, id, "prior", 1, "m", a);
    }
    ok(load(&s, file, &a) == 0 && s.n == N, "%d keys, each twice", N);
    for (int i = 0; i < N; i++) {
        snprintf(id, sizeof id, "%d", i);
        right += resume_take(&s, key(id, 1, "m", a)) && resume_take(&s, key(id, 1, "m", a)) && !resume_take(&s, key(id, 1, "m", a));
    }
    ok(right == N, "are found when the table has grown");
}

static void tail(const char *file, int fd, struct arena a) {
    struct resume s;
    off_t whole;

    put(fd, "a", "prior", 1, "m", a);
    whole = lseek(fd, 0, SEEK_CUR);
    put(fd, "b", "prior", 1, "m", a);
    ok(ftruncate(fd, whole + 20) == 0 && load(&s, file, &a) == 0 && s.n == 1 && s.end == (uint64_t)whole && s.size == s.end + 20,
       "a cut tail begins where the last whole record ends");
    ok(load(&s, "/nonexistent/file", &a) == 0 && !s.n && !resume_take(&s, key("a", 1, "m", a)), "no file, no keys");
}

int main(void) {
    TAP_ARENA(a, 64);
    void (*const test[])(const char *, int, struct arena) = {counts, many, tail};

    for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
        char file[] = "/tmp/unclip-resume-XXXXXX";
        int fd = mkstemp(file);

        test[i](file, fd, a);
        close(fd);
        unlink(file);
    }
    free(a_mem.base);
    return done();
}
