/* Decodes HEIF and AVIF with libheif: the primary picture, turned and cropped as the file itself says.
 *
 * The library is opened with dlopen when the first such file comes.  With its codecs (x265, de265, aom, dav1d) it
 * would add 3.4 ms to every start of the program, which is a fifth of a short run. */
#include <string.h>

#include "formats/image/heif_limit.h"
#include "formats/image/image_codec.h"

/* Returns true if the major brand or a compatible brand in the box ftyp is known. */
static bool probe(const unsigned char *p, size_t n) {
    static const char brands[] = "heic heix hevc hevx heim heis mif1 msf1 avif avis ";
    size_t box;

    if (!IMAGE_MAGIC(p, n, 4, "ftyp") || n < 16)
        return false;
    box = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    for (size_t i = 8; i + 4 <= box && i + 4 <= n && i < 256; i += 4)
        for (size_t b = 0; i != 12 && b + 5 <= sizeof brands; b += 5)
            if (!memcmp(p + i, brands + b, 4))
                return true;
    return false;
}

#ifdef HAVE_LIBHEIF
#include <dlfcn.h>
#include <libheif/heif.h>
#include <pthread.h>

#define LIBHEIF "libheif.so.1"    /* the name of the library since version 1.0 */

/* The functions of libheif that this file calls. */
#define FUNCTIONS(F)                                                                                    \
    F(get_version_number)                                                                               \
    F(context_alloc) F(context_free) F(context_set_max_decoding_threads)                                \
    F(context_set_maximum_image_size_limit)                                                             \
    F(context_read_from_memory_without_copy) F(context_get_primary_image_handle)                        \
    F(image_handle_get_width) F(image_handle_get_height) F(image_handle_release)                        \
    F(decoding_options_alloc) F(decoding_options_free) F(decode_image) F(image_release)                 \
    F(image_get_width) F(image_get_height) F(image_get_plane_readonly)

#define POINTER(f) __typeof__(heif_##f) *f;
static struct {
    FUNCTIONS(POINTER)
    struct err missing;    /* says why libheif cannot be used, or "" */
} heif;

static pthread_once_t opened = PTHREAD_ONCE_INIT;

/* Looks up a function and writes its pointer into *to.  It uses memcpy, because ISO C cannot convert void * to a
 * function pointer; POSIX says that both have the same bytes. */
static void find(void *library, const char *name, void *to) {
    void *p = library ? dlsym(library, name) : NULL;

    if (!p && !heif.missing.msg[0])
        err_set(&heif.missing, "HEIF and AVIF files need libheif: %s", dlerror());
    memcpy(to, &p, sizeof p);
}

static void open_library(void) {
    void *library = dlopen(LIBHEIF, RTLD_NOW | RTLD_LOCAL);

#define FIND(f) find(library, "heif_" #f, &heif.f);
    FUNCTIONS(FIND)
}

static int broken(struct err *e, struct heif_error h) {
    return err_set(e, "HEIF: %s", h.message ? h.message : "broken data");
}

static int pixels(struct image *im, const struct heif_image *from, const struct image_options *o,
                  const struct image_rows *to, struct err *e) {
    int stride, w = heif.image_get_width(from, heif_channel_interleaved),
        h = heif.image_get_height(from, heif_channel_interleaved);
    const uint8_t *p = heif.image_get_plane_readonly(from, heif_channel_interleaved, &stride);

    /* the decoded picture may have another size than the header announces */
    if (!p || w < 0 || h < 0 || (size_t)w != im->w || (size_t)h != im->h || stride < 3 * w)
        return err_set(e, "HEIF: the picture has another size than its header says");
    if (image_begin(im, im->w, im->h, o, to, e) < 0)
        return -1;
    image_give(im, p, (size_t)stride, to);
    return 0;
}

static int primary(struct image *im, const struct heif_image_handle *handle,
                   const struct image_options *o, const struct image_rows *to, struct err *e) {
    struct heif_decoding_options *opt;
    struct heif_image *out = NULL;
    struct heif_error h;
    int r, wide = heif.image_handle_get_width(handle), high = heif.image_handle_get_height(handle);

    if (wide <= 0 || high <= 0)
        return err_set(e, "HEIF: broken header");
    if (image_size((uint64_t)wide, (uint64_t)high, o, e) < 0)
        return -1;
    im->w = (size_t)wide, im->h = (size_t)high;
    if (!(opt = heif.decoding_options_alloc()))
        return err_set(e, "HEIF: no memory");
    opt->convert_hdr_to_8bit = 1;
    h = heif.decode_image(handle, &out, heif_colorspace_RGB, heif_chroma_interleaved_RGB, opt);
    heif.decoding_options_free(opt);
    if (h.code != heif_error_Ok)
        return broken(e, h);
    r = pixels(im, out, o, to, e);
    heif.image_release(out);
    return r;
}

/* Sets libheif's own limit, for pictures that heif_limit does not find.  Since version 1.18 the limit is the square of
 * the number given.  In earlier versions the number is a limit for each side, 32768 by default, and is not changed
 * here. */
static void limit_library(struct heif_context *c, const struct image_options *o) {
    uint64_t max = o->max_pixels ? o->max_pixels : IMAGE_MAX_PIXELS;
    int side = 1;

    while (side < 65536 && (uint64_t)side * (uint64_t)side < max)
        side++;
    if (heif.get_version_number() >= 0x01120000)
        heif.context_set_maximum_image_size_limit(c, side);
}

static int heif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    struct heif_image_handle *handle = NULL;
    struct heif_context *c;
    struct heif_error h;
    int r = -1;

    pthread_once(&opened, open_library);
    if (heif.missing.msg[0])
        return err_set(e, "%s", heif.missing.msg);
    if (heif_limit(p, n, o, e) < 0)
        return -1;
    if (!(c = heif.context_alloc()))
        return err_set(e, "HEIF: no memory");
    limit_library(c, o);
    heif.context_set_max_decoding_threads(c, 0);    /* the caller has threads of its own */
    h = heif.context_read_from_memory_without_copy(c, p, n, NULL);
    if (h.code == heif_error_Ok)
        h = heif.context_get_primary_image_handle(c, &handle);
    if (h.code != heif_error_Ok)
        broken(e, h);
    else
        r = primary(im, handle, o, to, e);
    if (handle)
        heif.image_handle_release(handle);
    heif.context_free(c);
    return r;
}
#else
static int heif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    (void)im, (void)p, (void)n, (void)o, (void)to;
    return err_set(e, "HEIF and AVIF files need a build with libheif");
}
#endif

const struct image_codec image_codec_heif = {"HEIF", probe, heif_read, NULL, false};
