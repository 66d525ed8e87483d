/* Pictures for terminals, decoded again here: kitty's base64 to the PNG that went in, sixel to colours that
 * are those of the picture on average.  Which terminal it is. */
#include "formats/image/terminal.h"

#include "formats/io/base64.h"
#include "tests/tap.h"

/* ---- kitty ---- */

/* Join the chunks of p; -1 where one is not as it must be. */
static int unkitty(const char *p, unsigned char *out, size_t *n) {
    bool first = true, more = true;

    for (*n = 0; more; first = false) {
        const char *begin = first ? "\033_Ga=T,f=100,q=2,m=" : "\033_Gm=";
        const char *end;
        size_t got;

        if (strncmp(p, begin, strlen(begin)) != 0)
            return -1;
        p += strlen(begin);
        more = *p == '1';
        end = strchr(p, '\033');
        if (p[1] != ';' || !end || end[1] != '\\' || end - p - 2 > 4096 || (more && (end - p - 2) % 4) ||
            base64_decode(out + *n, &got, p + 2, (size_t)(end - p - 2)) < 0)
            return -1;
        *n += got;
        p = end + 2;
    }
    return strcmp(p, "\n") == 0 ? 0 : -1;
}

static void kitty(struct arena a) {
    static const size_t sizes[] = {1, 3071, 3072, 3073, 6144, 10000};
    static unsigned char in[10000], out[12000];
    struct mp m;
    size_t n = 0;

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * i / 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_open(&m, &a);
        ok(terminal_kitty(&m, span_bytes(in, sizes[i])) == 0 && (mp_raw(&m, span_bytes("", 1)), true) &&
           unkitty((const char *)m.p, out, &n) == 0 && n == sizes[i] && !memcmp(in, out, n), "kitty: %zu bytes in chunks", sizes[i]);
    }
}

/* ---- sixel ---- */

struct sixel {
    int palette[256][3];    /* percent */
    size_t w, h;
    int *colour;            /* [h, w], -1 where nothing was drawn */
};

/* A reader of the sixels that we write, and of no others. */
static int unsixel(const char *p, struct sixel *s, struct arena *a) {
    int c = 0, n, v[5];
    size_t x = 0, y = 0, run;

    if (sscanf(p, "\033P0;1q\"1;1;%zu;%zu%n", &s->w, &s->h, &n) != 2)
        return -1;
    s->colour = arena_take(a, s->w * s->h, sizeof *s->colour);
    memset(s->colour, 0xff, s->w * s->h * sizeof *s->colour);
    for (p += n; *p != '\033';) {
        if (sscanf(p, "#%d;2;%d;%d;%d%n", &v[0], &v[1], &v[2], &v[3], &n) == 4) {
            memcpy(s->palette[v[0]], v + 1, 3 * sizeof *v);
            p += n;
        } else if (sscanf(p, "#%d%n", &c, &n) == 1) {
            p += n;
        } else if (*p == '$') {
            x = 0, p++;
        } else if (*p == '-') {
            x = 0, y += 6, p++;
        } else {
            run = 1;
            if (sscanf(p, "!%zu%n", &run, &n) == 1)
                p += n;
            if (*p < '?' || *p > '~' || x + run > s->w)
                return -1;
            for (size_t i = 0; i < run; i++, x++)
                for (size_t b = 0; b < 6; b++)
                    if ((*p - '?') >> b & 1) {
                        if (y + b >= s->h || s->colour[(y + b) * s->w + x] >= 0)
                            return -1;    /* outside, or drawn twice */
                        s->colour[(y + b) * s->w + x] = c;
                    }
            p++;
        }
    }
    return strcmp(p, "\033\\\n") == 0 ? 0 : -1;
}

/* The largest difference of the means of 8 x 8 blocks, in levels of 255. */
static double block_error(const struct sixel *s, const unsigned char *rgb) {
    double worst = 0;

    for (size_t y = 0; y + 8 <= s->h; y += 8)
        for (size_t x = 0; x + 8 <= s->w; x += 8)
            for (size_t c = 0; c < 3; c++) {
                double sum = 0;

                for (size_t i = 0; i < 64; i++) {
                    size_t at = (y + i / 8) * s->w + x + i % 8;

                    sum += s->palette[s->colour[at]][c] * 2.55 - rgb[at * 3 + c];
                }
                worst = fmax(worst, fabs(sum / 64));
            }
    return worst;
}

static void sixel(struct arena a, struct arena scratch) {
    static const size_t sizes[][2] = {{1, 1}, {5, 9}, {6, 6}, {7, 300}, {64, 64}, {100, 77}};
    static unsigned char rgb[100 * 300 * 3];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct record_image im = {rgb, sizes[i][0], sizes[i][1]};
        struct arena out = a, read = scratch;
        struct sixel s = {.w = 0};
        struct err e = {0};
        struct mp m;
        size_t holes = 0;
        double worst;

        for (size_t k = 0; k < im.h * im.w * 3; k++)
            rgb[k] = (unsigned char)(k / 3 % im.w * 255 / im.w * (k % 3 + 1) / 3 + k / 3 / im.w);
        mp_open(&m, &out);
        ok(terminal_sixel(&m, &im, scratch, &e) == 0, "sixel of %zu x %zu %s", im.w, im.h, e.msg);
        mp_raw(&m, span_bytes("", 1));
        if (!ok(unsixel((const char *)m.p, &s, &read) == 0 && s.w == im.w && s.h == im.h, "is read"))
            continue;
        for (size_t k = 0; k < s.w * s.h; k++)
            holes += s.colour[k] < 0;
        worst = holes ? 999 : block_error(&s, rgb);
        ok(worst <= 4, "every pixel is drawn once; block means differ by %.1f at most (allowed 4)", worst);
    }
}

/* ---- which ---- */

static void which(void) {
    ok(terminal_of("xterm-kitty", NULL, NULL, NULL) == TERMINAL_KITTY && terminal_of("xterm", NULL, "3", NULL) == TERMINAL_KITTY &&
       terminal_of("xterm", "WezTerm", NULL, NULL) == TERMINAL_KITTY && terminal_of("xterm", NULL, NULL, "220401") == TERMINAL_KITTY,
       "kitty");
    ok(terminal_of("foot", NULL, NULL, NULL) == TERMINAL_SIXEL && terminal_of("foot-extra", NULL, "", "") == TERMINAL_SIXEL &&
       terminal_of("xterm-256color", "iTerm.app", NULL, NULL) == TERMINAL_SIXEL, "sixel");
    ok(terminal_of(NULL, NULL, NULL, NULL) == TERMINAL_UNKNOWN && terminal_of("xterm-256color", "vscode", "", NULL) == TERMINAL_UNKNOWN,
       "neither");
}

int main(void) {
    TAP_ARENA(a, 16);
    TAP_ARENA(b, 16);

    kitty(a);
    sixel(a, b);
    which();
    free(a_mem.base);
    free(b_mem.base);
    return done();
}
