/* HEIF and AVIF by libheif: the primary picture, turned and cropped as the file itself says. */
#include <string.h>

#include "formats/image_codec.h"

#ifdef HAVE_LIBHEIF
#include <libheif/heif.h>

static int broken(struct err *e, struct heif_error h) {
    return err_set(e, "HEIF: %s", h.message ? h.message : "broken data");
}

static int pixels(struct image *im, const struct heif_image *from, struct err *e) {
    int stride, w = heif_image_get_width(from, heif_channel_interleaved),
        h = heif_image_get_height(from, heif_channel_interleaved);
    const uint8_t *p = heif_image_get_plane_readonly(from, heif_channel_interleaved, &stride);

    /* the header's size and the decoder's are two statements of one file */
    if (!p || w < 0 || h < 0 || (size_t)w != im->w || (size_t)h != im->h || stride < 3 * w)
        return err_set(e, "HEIF: the picture has another size than its header says");
    for (size_t y = 0; y < im->h; y++)
        memcpy(im->rgb + y * im->w * 3, p + y * (size_t)stride, im->w * 3);
    return 0;
}

static int primary(struct image *im, const struct heif_image_handle *handle,
                   const struct image_options *o, struct err *e) {
    struct heif_decoding_options *opt;
    struct heif_image *out = NULL;
    struct heif_error h;
    int r, wide = heif_image_handle_get_width(handle), high = heif_image_handle_get_height(handle);

    if (wide <= 0 || high <= 0)
        return err_set(e, "HEIF: broken header");
    if (image_alloc(im, (uint64_t)wide, (uint64_t)high, o, e) < 0)
        return -1;
    if (!(opt = heif_decoding_options_alloc()))
        return err_set(e, "HEIF: no memory");
    opt->convert_hdr_to_8bit = 1;
    h = heif_decode_image(handle, &out, heif_colorspace_RGB, heif_chroma_interleaved_RGB, opt);
    heif_decoding_options_free(opt);
    if (h.code != heif_error_Ok)
        return broken(e, h);
    r = pixels(im, out, e);
    heif_image_release(out);
    return r;
}

int heif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e) {
    struct heif_context *c = heif_context_alloc();
    struct heif_image_handle *handle = NULL;
    struct heif_error h;
    int r = -1;

    if (!c)
        return err_set(e, "HEIF: no memory");
    heif_context_set_max_decoding_threads(c, 0);    /* the caller has threads of its own */
    h = heif_context_read_from_memory_without_copy(c, p, n, NULL);
    if (h.code == heif_error_Ok)
        h = heif_context_get_primary_image_handle(c, &handle);
    if (h.code != heif_error_Ok)
        broken(e, h);
    else
        r = primary(im, handle, o, e);
    if (handle)
        heif_image_handle_release(handle);
    heif_context_free(c);
    return r;
}
#else
int heif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e) {
    (void)im, (void)p, (void)n, (void)o;
    return err_set(e, "HEIF and AVIF files need a build with libheif");
}
#endif
