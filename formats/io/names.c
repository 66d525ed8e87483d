#include "formats/io/names.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

int names_open(struct names *s, char *const operand[], size_t n, const char *files0,
               struct arena *a, struct err *e) {
    s->operand = operand;
    s->noperands = n;
    s->number = 0;
    s->listed = files0 != NULL;
    return files0 ? lines_open(&s->list, files0, 0, NAMES_MAX - 1, a, e) : 0;
}

int names_next(struct names *s, const char **name, struct err *e) {
    struct span item = {NULL, 0};
    int got;

    if (!s->listed) {
        if (s->number == s->noperands)
            return 0;
        *name = s->operand[s->number++];
        if (strlen(*name) >= NAMES_MAX)
            return err_set(e, "%s", strerror(ENAMETOOLONG));
        return **name ? 1 : err_set(e, "an empty file name");
    }
    got = lines_next(&s->list, &item, e);
    s->number = s->list.number;
    if (got <= 0)
        return got;
    if (!item.n)
        return err_set(e, "an empty file name");
    memcpy(s->name, item.p, item.n);
    s->name[item.n] = 0;
    *name = s->name;
    return 1;
}

bool names_ready(const struct names *s) {
    const struct lines *l = &s->list;
    struct pollfd p = {.fd = l->fd, .events = POLLIN};

    return !s->listed || l->eof || memchr(l->text + l->at, 0, l->len - l->at) || poll(&p, 1, 0) != 0;
}

void names_close(struct names *s) {
    if (s->listed)
        lines_close(&s->list);
}
