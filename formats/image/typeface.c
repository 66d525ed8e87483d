/* FreeType is opened with dlopen when the first text is drawn, so that the programs start without it (image_heif.c). */
#include "formats/image/typeface.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

#ifdef HAVE_FREETYPE2
#include <dlfcn.h>
#include <pthread.h>

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_ADVANCES_H

#define LIBFREETYPE "libfreetype.so.6"    /* the name of the library since version 2.0 */

/* The functions of FreeType that this file calls. */
#define FUNCTIONS(F)                                                                           \
    F(Init_FreeType) F(New_Face) F(Get_Char_Index) F(Get_Advance) F(Set_Char_Size)             \
    F(Set_Transform) F(Load_Glyph) F(Render_Glyph)

#define POINTER(f) __typeof__(FT_##f) *f;
static struct {
    FUNCTIONS(POINTER)
    FT_Library handle;
    struct err missing;    /* says why FreeType cannot be used, or "" */
} ft;

/* A program opens one font.  The pointers to FreeType's memory are static, so that a leak checker finds them. */
struct typeface {
    FT_Face face;
    char name[128];
};
static struct typeface opened;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const PLACES[] = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",        /* Debian: fonts-dejavu-core */
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",      /* Fedora: dejavu-sans-fonts */
};
enum { PLACES_N = sizeof PLACES / sizeof *PLACES };

static void open_library(void) {
    void *library = dlopen(LIBFREETYPE, RTLD_NOW | RTLD_LOCAL), *p;

    /* memcpy, because ISO C cannot convert void * to a function pointer; POSIX says that both have the same bytes */
#define FIND(f)                                                                                \
    p = library ? dlsym(library, "FT_" #f) : NULL;                                             \
    if (!p && !ft.missing.msg[0])                                                              \
        err_set(&ft.missing, "text in pictures needs FreeType: %s", dlerror());                \
    memcpy(&ft.f, &p, sizeof p);
    FUNCTIONS(FIND)
    if (!ft.missing.msg[0] && ft.Init_FreeType(&ft.handle) != 0)
        err_set(&ft.missing, "FreeType does not start");
}

static int open_file(const char *file) {
    FT_Face f;

    if (ft.New_Face(ft.handle, file, 0, &f) != 0)
        return -1;
    if (!FT_IS_SCALABLE(f) || f->ascender <= f->descender || !f->charmap)
        return -1;    /* f stays open until the program ends */
    opened.face = f;
    snprintf(opened.name, sizeof opened.name, "%s %s", f->family_name ? f->family_name : "unnamed", f->style_name ? f->style_name : "");
    return 0;
}

const struct typeface *typeface_open(const char *file, struct err *e) {
    pthread_once(&once, open_library);
    if (ft.missing.msg[0])
        return err_set(e, "%s", ft.missing.msg), NULL;
    if (file)
        return open_file(file) == 0 ? &opened : (err_set(e, "%s: not a scalable font that FreeType can read", file), NULL);
    for (size_t i = 0; i < PLACES_N; i++)
        if (open_file(PLACES[i]) == 0)
            return &opened;
    return err_set(e, "no font: the package fonts-dejavu-core (Fedora: dejavu-sans-fonts) brings %s", PLACES[0]), NULL;
}

const char *typeface_name(const struct typeface *f) {
    return f->name;
}

/* Takes the next character of the n bytes at s, or '?' if the bytes are ill-formed.  Returns the number of bytes
 * taken. */
static size_t next(const char *s, size_t n, uint32_t *c) {
    int len = utf8_get((const unsigned char *)s, n, c);

    if (len > 0)
        return (size_t)len;
    *c = '?';
    return (size_t)-len;
}

bool typeface_has(const struct typeface *f, const char *s, size_t n, struct err *e) {
    for (size_t i = 0; i < n;) {
        uint32_t c;
        int len = utf8_get((const unsigned char *)s + i, n - i, &c);

        if (len <= 0)
            return err_set(e, "not UTF-8"), false;
        if (c != '\n' && !ft.Get_Char_Index(f->face, c))
            return err_set(e, "the font %s has no character U+%04X", f->name, c), false;
        i += (size_t)len;
    }
    return true;
}

/* Returns the advance width of a glyph in units of the font. */
static double advance(const struct typeface *f, FT_UInt glyph) {
    FT_Fixed units = 0;

    return ft.Get_Advance(f->face, glyph, FT_LOAD_NO_SCALE, &units) == 0 ? (double)units : 0;
}

static double pixels_per_unit(const struct typeface *f, size_t line) {
    return (double)line / (double)(f->face->ascender - f->face->descender);
}

double typeface_width(const struct typeface *f, size_t line, const char *s, size_t n) {
    double units = 0;
    uint32_t c;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n;) {
        i += next(s + i, n - i, &c);
        units += advance(f, ft.Get_Char_Index(f->face, c));
    }
    pthread_mutex_unlock(&lock);
    return units * pixels_per_unit(f, line);
}

/* Darkens the area by the bitmap of a glyph, whose top left pixel is at column `left`, row `top` of the area. */
static void stamp(const struct typeface_area *to, const FT_Bitmap *b, int64_t left, int64_t top) {
    for (int64_t r = 0; r < (int64_t)b->rows; r++)
        for (int64_t c = 0; c < (int64_t)b->width && top + r >= 0 && top + r < (int64_t)to->h; c++) {
            const unsigned char ink = b->buffer[r * b->pitch + c];
            unsigned char *p;

            if (left + c < 0 || left + c >= (int64_t)to->w)
                continue;
            p = to->level + (size_t)(top + r) * to->stride + (size_t)(left + c) * to->channels;
            for (size_t k = 0; k < to->channels; k++)
                p[k] = p[k] < 255 - ink ? p[k] : (unsigned char)(255 - ink);
        }
}

static int draw(const struct typeface *f, size_t line, const struct typeface_area *to, double x, size_t y, const char *s,
                size_t n, struct err *e) {
    const double scale = pixels_per_unit(f, line);
    const int64_t base = (int64_t)y + (int64_t)lround(f->face->ascender * scale);
    uint32_t c;

    if (ft.Set_Char_Size(f->face, 0, (FT_F26Dot6)lround(64 * scale * f->face->units_per_EM), 72, 72) != 0)
        return err_set(e, "the font %s has no letters of %zu pixels", f->name, line);
    for (size_t i = 0; i < n;) {
        FT_GlyphSlot g = f->face->glyph;
        FT_Vector part = {(FT_Pos)lround(64 * (x - floor(x))), 0};
        FT_UInt glyph;

        i += next(s + i, n - i, &c);
        glyph = ft.Get_Char_Index(f->face, c);
        ft.Set_Transform(f->face, NULL, &part);
        if (ft.Load_Glyph(f->face, glyph, FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) != 0 ||
            ft.Render_Glyph(g, FT_RENDER_MODE_NORMAL) != 0)
            return err_set(e, "the font %s has no letters of %zu pixels", f->name, line);
        stamp(to, &g->bitmap, (int64_t)floor(x) + g->bitmap_left, base - g->bitmap_top);
        x += advance(f, glyph) * scale;
    }
    return 0;
}

int typeface_draw(const struct typeface *f, size_t line, const struct typeface_area *to, double x, size_t y, const char *s,
                  size_t n, struct err *e) {
    int r;

    pthread_mutex_lock(&lock);
    r = draw(f, line, to, x, y, s, n, e);
    pthread_mutex_unlock(&lock);
    return r;
}
#else
struct typeface {
    int none;
};

const struct typeface *typeface_open(const char *file, struct err *e) {
    (void)file;
    return err_set(e, "text in pictures needs a build with FreeType"), NULL;
}

const char *typeface_name(const struct typeface *f) {
    (void)f;
    return "";
}

bool typeface_has(const struct typeface *f, const char *s, size_t n, struct err *e) {
    (void)f, (void)s, (void)n, (void)e;
    return false;
}

double typeface_width(const struct typeface *f, size_t line, const char *s, size_t n) {
    (void)f, (void)line, (void)s, (void)n;
    return 0;
}

int typeface_draw(const struct typeface *f, size_t line, const struct typeface_area *to, double x, size_t y, const char *s,
                  size_t n, struct err *e) {
    (void)f, (void)line, (void)to, (void)x, (void)y, (void)s, (void)n, (void)e;
    return -1;
}
#endif
