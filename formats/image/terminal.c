#include "formats/image/terminal.h"

#include <stdio.h>
#include <string.h>

#include "formats/io/base64.h"

enum terminal terminal_of(const char *term, const char *program, const char *kitty_window, const char *konsole) {
    static const char *const kitty[] = {"xterm-kitty", "xterm-ghostty", "wezterm"};
    static const char *const sixel[] = {"foot", "mlterm", "yaft", "contour", "xterm-sixel", "vt340"};

    if ((kitty_window && *kitty_window) || (konsole && *konsole) ||
        (program && (!strcmp(program, "WezTerm") || !strcmp(program, "ghostty"))))
        return TERMINAL_KITTY;
    if (program && (!strcmp(program, "iTerm.app") || !strcmp(program, "mintty")))
        return TERMINAL_SIXEL;
    for (size_t i = 0; term && i < sizeof kitty / sizeof *kitty; i++)
        if (!strcmp(term, kitty[i]))
            return TERMINAL_KITTY;
    for (size_t i = 0; term && i < sizeof sixel / sizeof *sixel; i++)
        if (!strncmp(term, sixel[i], strlen(sixel[i])))
            return TERMINAL_SIXEL;
    return TERMINAL_UNKNOWN;
}

static void put(struct mp *m, const char *s) {
    mp_raw(m, span_of(s));
}

/* ---- kitty ---- */

int terminal_kitty(struct mp *out, struct span png) {
    enum { STEP = 3072 };    /* these bytes are 4096 characters in base64 */
    char text[STEP / 3 * 4];

    for (size_t at = 0; at < png.n; at += STEP) {
        size_t k = png.n - at < STEP ? png.n - at : STEP;

        put(out, at ? "\033_Gm=" : "\033_Ga=T,f=100,q=2,m=");
        put(out, at + k < png.n ? "1;" : "0;");
        base64_encode(text, png.p + at, k);
        mp_raw(out, span_bytes(text, base64_length(k)));
        put(out, "\033\\");
    }
    put(out, "\n");
    return out->full ? -1 : 0;
}

/* ---- sixel ---- */

enum { LEVELS = 6, COLOURS = LEVELS * LEVELS * LEVELS, BAND = 6 };

/* Quantises a row of RGB pixels to palette colours.  carry and next, each [w + 2][3], are the quantisation errors that
 * are passed on to this row and to the next row, in sixteenths of a level. */
static void dither(const unsigned char *rgb, size_t w, int *carry, int *next, unsigned char *colour) {
    memset(next, 0, (w + 2) * 3 * sizeof *next);
    memset(colour, 0, w);
    for (size_t x = 0; x < w; x++)
        for (size_t c = 0; c < 3; c++) {
            int want = rgb[3 * x + c] * 16 + carry[3 * (x + 1) + c];
            int level = (want * (LEVELS - 1) + 255 * 8) / (255 * 16), off;

            level = want < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
            off = (want - level * 16 * 255 / (LEVELS - 1)) / 16;
            colour[x] = (unsigned char)(colour[x] * LEVELS + level);
            carry[3 * (x + 2) + c] += off * 7;
            next[3 * x + c] += off * 3;
            next[3 * (x + 1) + c] += off * 5;
            next[3 * (x + 2) + c] += off;
        }
}

/* Writes n columns of six pixels, each as `bits` says. */
static void put_run(struct mp *m, unsigned bits, size_t n) {
    char text[32];

    if (n > 3)
        snprintf(text, sizeof text, "!%zu%c", n, (int)(63 + bits));
    else
        memset(text, (int)(63 + bits), n), text[n] = 0;
    put(m, text);
}

/* Writes the pixels of a band that have one colour. */
static void put_colour(struct mp *m, unsigned colour, const unsigned char *band, size_t w, size_t rows) {
    unsigned last = 0;
    size_t n = 0;
    char text[16];

    snprintf(text, sizeof text, "#%u", colour);
    put(m, text);
    for (size_t x = 0; x < w; x++) {
        unsigned bits = 0;

        for (size_t y = 0; y < rows; y++)
            bits |= (unsigned)(band[y * w + x] == colour) << y;
        if (bits != last) {
            put_run(m, last, n);
            last = bits;
            n = 0;
        }
        n++;
    }
    if (last)    /* empty columns at the end are left out */
        put_run(m, last, n);
}

static void put_palette(struct mp *m) {
    char text[40];

    for (int c = 0; c < COLOURS; c++) {
        snprintf(text, sizeof text, "#%d;2;%d;%d;%d", c, c / 36 * 20, c / 6 % 6 * 20, c % 6 * 20);
        put(m, text);
    }
}

int terminal_sixel(struct mp *out, const struct record_image *im, struct arena scratch, struct err *e) {
    int *carry = arena_zero(&scratch, (im->w + 2) * 3, sizeof *carry), *next = arena_zero(&scratch, (im->w + 2) * 3, sizeof *next);
    unsigned char *band = arena_take(&scratch, im->w * BAND, 1);
    char text[64];

    if (!carry || !next || !band)
        return err_set(e, "out of memory");
    snprintf(text, sizeof text, "\033P0;1q\"1;1;%zu;%zu", im->w, im->h);
    put(out, text);
    put_palette(out);
    for (size_t y = 0; y < im->h; y += BAND) {
        size_t rows = im->h - y < BAND ? im->h - y : BAND;
        bool used[COLOURS] = {false};

        for (size_t r = 0; r < rows; r++) {
            int *swap = carry;

            dither(im->rgb + (y + r) * im->w * 3, im->w, carry, next, band + r * im->w);
            carry = next, next = swap;
        }
        for (size_t i = 0; i < rows * im->w; i++)
            used[band[i]] = true;
        for (unsigned c = 0, any = 0; c < COLOURS; c++)
            if (used[c]) {
                put(out, any++ ? "$" : "");
                put_colour(out, c, band, im->w, rows);
            }
        put(out, "-");
    }
    put(out, "\033\\\n");
    return out->full ? err_set(e, "out of memory") : 0;
}
