#include "lib/image/font.h"

enum { ROWS = 9, COLUMNS = 5 };

/* The glyphs of the characters from the space to the tilde.  A glyph has nine rows of five pixels, from the top.  A row
 * is written as a digit to the base 32 (0-9, a-v), in which the leftmost pixel counts 16. */
static const char glyph[95][ROWS + 1] = {
    "000000000", "444440400", "aaa000000", "aavavaa00", "4fke5u400", "pp248jj00",
    "ciiclid00", "444000000", "248884200", "842224800", "04lel4000", "044v44000",
    "000006480", "000v00000", "000006600", "11248gg00", "ehjlphe00", "4ck444v00",
    "eh168gv00", "eh161he00", "26aiv2200", "vgu11he00", "68guhhe00", "v12448800",
    "ehhehhe00", "ehhf12c00", "006606600", "006606480", "024842000", "00v0v0000",
    "084248000", "eh1240400", "ehnlmge00", "4ahhvhh00", "uhhuhhu00", "ehggghe00",
    "uhhhhhu00", "vgguggv00", "vgguggg00", "ehgnhhf00", "hhhvhhh00", "e44444e00",
    "72222ic00", "hikokih00", "ggggggv00", "hrllhhh00", "hppljjh00", "ehhhhhe00",
    "uhhuggg00", "ehhhlid00", "uhhukih00", "fgge11u00", "v44444400", "hhhhhhe00",
    "hhhhaa400", "hhhllrh00", "hha4ahh00", "hha444400", "v1248gv00", "e88888e00",
    "gg8421100", "e22222e00", "4ah000000", "0000000v0", "842000000", "00e1fhf00",
    "gguhhhu00", "00fgggf00", "11fhhhf00", "00ehvgf00", "698u88800", "00fhhhf1e",
    "ggmphhh00", "40c444e00", "2062222ic", "ggiksih00", "c44444e00", "00qllll00",
    "00mphhh00", "00ehhhe00", "00uhhhugg", "00fhhhf11", "00mpggg00", "00fge1u00",
    "88u889600", "00hhhjd00", "00hhha400", "00hhlla00", "00ha4ah00", "00hhhhf1e",
    "00v248v00", "344844300", "444444440", "o44244o00", "008l20000",
};

static unsigned row_of(char c, size_t y) {
    const char *g = glyph[c >= ' ' && c <= '~' ? c - ' ' : '?' - ' '];

    return (unsigned)(g[y] <= '9' ? g[y] - '0' : g[y] - 'a' + 10);
}

static void square(unsigned char *rgb, size_t w, size_t x, size_t y, size_t side) {
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < 3 * side; j++)
            rgb[((y + i) * w + x) * 3 + j] = 0;
}

void font_draw(unsigned char *rgb, size_t w, size_t x, size_t y, size_t scale, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++, x += FONT_W * scale)
        for (size_t r = 0; r < ROWS; r++)
            for (unsigned c = 0, bits = row_of(s[i], r); c < COLUMNS; c++)
                if (bits >> (COLUMNS - 1 - c) & 1)
                    square(rgb, w, x + c * scale, y + r * scale, scale);
}
