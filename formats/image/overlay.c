#include "formats/image/overlay.h"

#include <math.h>
#include <string.h>

#include "lib/base/size.h"

int overlay_check(const struct overlay *o, struct err *e) {
    size_t n = strlen(o->text);

    if (n > OVERLAY_BYTES)
        return err_set(e, "%zu bytes, the limit is %d", n, OVERLAY_BYTES);
    if (n && o->text[strspn(o->text, " \n")] == 0)
        return err_set(e, "only spaces");
    return typeface_has(o->font, o->text, n, e) ? 0 : -1;
}

/* Takes the next line, as many words as fit into `room` pixels and at least one, from *s.  Writes its start into *line
 * and its width into *width, moves *s behind the line and returns the length of the line. */
static size_t next_line(const struct overlay *o, size_t size, double room, const char **s, const char **line, double *width) {
    size_t n = 0, end = 0;

    while (**s == ' ')
        ++*s;
    *line = *s;
    *width = 0;
    do {
        double wide;

        n += strspn(*line + n, " ");
        if (end && (!(*line)[n] || (*line)[n] == '\n'))    /* leave out spaces at the end of a line */
            break;
        n += strcspn(*line + n, " \n");
        wide = typeface_width(o->font, size, *line, n);
        if (end && wide > room)
            break;
        end = n;
        *width = wide;
    } while ((*line)[n] == ' ');
    *s = *line + end;
    *s += strspn(*s, " ");
    *s += **s == '\n';
    return end;
}

static size_t margin(size_t line) {
    return (line + 3) / 4;
}

/* Finds the size of the label for lines of l->line pixels.  Returns false if the label is larger than a square of
 * `side` pixels. */
static bool fits(struct overlay_label *l, const struct overlay *o, size_t side) {
    const size_t edge = 2 * margin(l->line);
    double width, most = 0;
    const char *line;

    l->h = edge;
    for (const char *s = o->text; *s; l->h += l->line) {
        next_line(o, l->line, (double)side - (double)edge, &s, &line, &width);
        most = fmax(most, width);
    }
    l->w = (size_t)ceil(most) + edge;
    return l->h <= side && l->w <= side;
}

static int draw(const struct overlay_label *l, const struct overlay *o, size_t side, struct err *e) {
    const struct typeface_area to = {l->level, l->h, l->w, l->w, 1};
    const size_t edge = margin(l->line);
    const char *line;
    double width;
    size_t y = edge;

    memset(l->level, 255, l->h * l->w);
    for (const char *s = o->text; *s; y += l->line) {
        size_t n = next_line(o, l->line, (double)side - 2 * (double)edge, &s, &line, &width);

        if (typeface_draw(o->font, l->line, &to, ((double)l->w - width) / 2, y, line, n, e) < 0)
            return -1;
    }
    return 0;
}

/* Returns the first of `n` adjacent pixels whose middle is at the fraction `at` of `side`, moved so that all n pixels
 * are inside. */
static size_t place(double at, size_t side, size_t n) {
    const double first = rint(at * (double)side - (double)n / 2);

    return first < 0 ? 0 : size_min((size_t)first, side - n);
}

int overlay_begin(struct overlay_label *l, const struct overlay *o, size_t h, size_t width, struct arena *a, struct err *e) {
    const size_t side = size_min(h, width);

    *l = (struct overlay_label){.line = (size_t)rint(o->size * (double)side), .width = width};
    if (!*o->text)
        return 0;
    for (l->line = size_max(l->line, OVERLAY_LINE); !fits(l, o, side); l->line -= (l->line + 9) / 10)
        if (l->line <= OVERLAY_LINE)
            return err_set(e, "the text of the overlay does not fit into %zu x %zu pixels", width, h);
    l->y = place(o->at_y, h, l->h);
    l->x = place(o->at_x, width, l->w);
    l->level = arena_take(a, l->h, l->w);
    l->row = arena_take(a, width, 3);
    if (!l->level || !l->row)
        return err_set(e, "no memory for the overlay");
    return draw(l, o, side, e);
}

const unsigned char *overlay_row(const struct overlay_label *l, size_t y, const unsigned char *rgb) {
    if (y < l->y || y >= l->y + l->h)
        return rgb;
    memcpy(l->row, rgb, l->width * 3);
    for (size_t i = 0; i < l->w; i++)
        memset(l->row + (l->x + i) * 3, l->level[(y - l->y) * l->w + i], 3);
    return l->row;
}
