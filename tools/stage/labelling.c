#include "tools/stage/labelling.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/file_read.h"
#include "formats/io/lines.h"

static int by_id(const void *a, const void *b) {
    return span_compare(((const struct labelled *)a)->id, ((const struct labelled *)b)->id);
}

static int read_lines(struct labelling *l, const char *file, struct arena *a, struct err *e) {
    struct span text, line;
    struct lines lines;
    struct labelled *v;
    size_t room = 0;
    int got;

    if (file_read(file, TEXT_FILE_MAX, &text, a, e) < 0)
        return -1;
    for (size_t i = 0; i < text.n; i++)
        room += text.p[i] == '\n';
    if (!(l->line = v = arena_take(a, room + 1, sizeof *v)))
        return err_set(e, "no memory for %zu labels", room);
    lines = lines_of(text);
    while ((got = text_line(&lines, &line, e)) > 0) {
        const unsigned char *tab = memchr(line.p, '\t', line.n);

        if (!tab)
            return err_set(e, "line %" PRIu64 ": no tab between an id and its label", lines.number);
        v[l->n].id = span_bytes(line.p, (size_t)(tab - line.p));
        v[l->n].label = span_bytes(tab + 1, line.n - v[l->n].id.n - 1);
        if (!v[l->n].label.n)
            return err_set(e, "line %" PRIu64 ": no label behind the tab", lines.number);
        l->n++;
    }
    if (got < 0)
        return -1;
    if (!l->n)
        return err_set(e, "no label in it");
    qsort(v, l->n, sizeof *v, by_id);
    for (size_t i = 1; i < l->n; i++)
        if (!by_id(&v[i - 1], &v[i]) && span_compare(v[i - 1].label, v[i].label))
            return err_set(e, "%.*s has two labels", (int)(v[i].id.n < 200 ? v[i].id.n : 200), (const char *)v[i].id.p);
    return 0;
}

int labelling_open(struct labelling *l, const char *file, const char *regex, struct arena *a, struct err *e) {
    struct err inner = {0};
    int r;

    *l = (struct labelling){.n = 0};
    if (file && read_lines(l, file, a, &inner) < 0)
        return err_at(e, file, &inner);
    if (regex && (r = regcomp(&l->regex, regex, REG_EXTENDED)) != 0) {
        regerror(r, &l->regex, inner.msg, sizeof inner.msg);
        return err_at(e, regex, &inner);
    }
    l->by_regex = regex != NULL;
    return 0;
}

void labelling_close(struct labelling *l) {
    if (l->by_regex)
        regfree(&l->regex);
    l->by_regex = false;
}

static int by_expression(const struct labelling *l, struct span name, struct span *label, struct arena *a, struct err *e) {
    const char *s = arena_str(a, name.p, name.n);
    regmatch_t m[2] = {{0, 0}, {-1, -1}};
    int group = l->regex.re_nsub > 0;

    if (!s)
        return err_set(e, "out of memory");
    if (regexec(&l->regex, s, 2, m, 0) != 0 || m[group].rm_so < 0 || m[group].rm_eo == m[group].rm_so)
        return 0;
    *label = span_bytes(name.p + m[group].rm_so, (size_t)(m[group].rm_eo - m[group].rm_so));
    return 1;
}

static const struct labelled *find(const struct labelling *l, struct span id) {
    struct labelled key = {id, id};

    return bsearch(&key, l->line, l->n, sizeof key, by_id);
}

static int look_up(const struct labelling *l, const struct record *r, struct span *label, struct arena *a, struct err *e) {
    const struct labelled *found;
    struct span path = r->id;
    int got = record_str(r, "path", &path, e);

    if (got < 0)
        return -1;
    if (l->by_regex)
        return by_expression(l, path, label, a, e);
    if (!l->n)
        return record_str(r, "label", label, e);
    if (!(found = find(l, r->id)) && (!got || !(found = find(l, path))))
        return 0;
    *label = found->label;
    return 1;
}

int labelling_of(const struct labelling *l, const struct record *r, struct span *label, struct arena *a, struct err *e) {
    int got = look_up(l, r, label, a, e);

    if (got > 0 && !label->n)
        return 0;
    return got > 0 && !utf8_valid(label->p, label->n) ? err_set(e, "its label is not UTF-8") : got;
}
