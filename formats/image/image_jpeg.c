/* Decodes JPEG with libjpeg-turbo and Pillow's settings, which are the library's defaults: accurate
 * integer IDCT, smooth chroma upsampling.  libjpeg allocates all memory, the rows too. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "formats/image/exif.h"
#include "formats/image/image_codec.h"
#include "lib/base/size.h"

#include <jpeglib.h>
#include <jerror.h>

/* Encoders write about 10 scans, the most thorough encoders up to 25.  A file of 100 kB can have thousands, and each
 * scan is a pass over all blocks.  A file of more than SCANS scans is refused.  A picture of fewer than SCAN_PIXELS
 * pixels may have more scans, as many as take the time of SCANS scans of SCAN_PIXELS pixels. */
enum { SCANS = 32, SCAN_PIXELS = 8 << 20 };

struct jpeg {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    size_t scans;
    struct image *im;
    unsigned char *inks, *row;    /* a row of CMYK, or NULL if the file is not CMYK; a row of RGB */
    struct err *e;
    jmp_buf out;
};

static struct jpeg *self(j_common_ptr c) {
    return c->client_data;
}

static void failed(j_common_ptr c) {
    char text[JMSG_LENGTH_MAX];

    c->err->format_message(c, text);
    for (char *p = text; *p; p++)    /* house style: lower case first, no full stop */
        if (p == text && *p >= 'A' && *p <= 'Z' && !(p[1] >= 'A' && p[1] <= 'Z'))
            *p = (char)(*p + 32);
    err_set(self(c)->e, "%s", text);
    longjmp(self(c)->out, 1);
}

/* libjpeg calls this for a warning.  Damaged data is decoded, as in Pillow; the first warning becomes im->note. */
static void message(j_common_ptr c, int level) {
    struct jpeg *j = self(c);

    if (level < 0 && !j->errors.num_warnings++) {
        char text[JMSG_LENGTH_MAX];

        c->err->format_message(c, text);
        snprintf(j->im->note, sizeof j->im->note, "%.190s", text);
    }
}

static void no_output(j_common_ptr c) {
    (void)c;
}

static void no_source(j_decompress_ptr c) {
    (void)c;
}

/* libjpeg calls this for more data.  libjpeg got the whole file at the start, so the file ends early. */
static boolean fill(j_decompress_ptr c) {
    err_set(self((j_common_ptr)c)->e, "the JPEG data ends early");
    longjmp(self((j_common_ptr)c)->out, 1);
    return TRUE;
}

static void skip(j_decompress_ptr c, long n) {
    if (n <= 0)
        return;
    if ((size_t)n > c->src->bytes_in_buffer)
        fill(c);
    c->src->next_input_byte += n;
    c->src->bytes_in_buffer -= (size_t)n;
}

static void progress(j_common_ptr c) {
    struct jpeg *j = self(c);

    if ((size_t)j->c.input_scan_number > j->scans) {
        err_set(j->e, "more than %zu scans", j->scans);
        longjmp(j->out, 1);
    }
}

static void setup(struct jpeg *j, const unsigned char *p, size_t n) {
    j->c.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = failed;
    j->errors.emit_message = message;
    j->errors.output_message = no_output;
    j->c.client_data = j;
    jpeg_create_decompress(&j->c);
    j->source = (struct jpeg_source_mgr){
        .next_input_byte = p, .bytes_in_buffer = n, .init_source = no_source,
        .fill_input_buffer = fill, .skip_input_data = skip,
        .resync_to_restart = jpeg_resync_to_restart, .term_source = no_source,
    };
    j->c.src = &j->source;
    j->progress.progress_monitor = progress;
    j->c.progress = &j->progress;
}

static void cmyk(const unsigned char *in, unsigned char *out, size_t n) {
    for (size_t i = 0; i < n; i++, in += 4, out += 3)
        for (int c = 0; c < 3; c++)
            out[c] = image_cmyk(in[c], in[3]);
}

/* Reads the next row as RGB.  A row of CMYK is converted. */
static void read_row(struct jpeg *j, unsigned char *rgb) {
    unsigned char *in = j->inks ? j->inks : rgb;

    jpeg_read_scanlines(&j->c, &in, 1);
    if (j->inks)
        cmyk(in, rgb, j->im->w);
}

/* Returns true if a file of n bytes cannot hold all blocks, each of which takes at least one bit of Huffman code.
 * Called before decoding, because libjpeg holds 2 bytes for each coefficient of a progressive file. */
static bool too_short(const struct jpeg *j, size_t n) {
    uint64_t blocks = 0;

    for (int i = 0; i < j->c.num_components; i++)
        blocks += (uint64_t)j->c.comp_info[i].width_in_blocks * j->c.comp_info[i].height_in_blocks;
    return !j->c.arith_code && blocks / 8 > n;
}

/* j belongs to the caller, so no local variable changes between setjmp and longjmp. */
static int start(struct jpeg *j, const unsigned char *p, size_t n, const struct image_options *o) {
    struct image *im = j->im;

    setup(j, p, n);
    jpeg_read_header(&j->c, TRUE);
    if (image_size(j->c.image_width, j->c.image_height, o, j->e) < 0)
        return -1;
    im->w = j->c.image_width, im->h = j->c.image_height;
    if (too_short(j, n))
        return err_set(j->e, "the JPEG data ends early");
    j->scans = SCANS * size_max(1, SCAN_PIXELS / (im->w * im->h));
    if (j->c.num_components == 4)
        j->c.out_color_space = JCS_CMYK;
    else if (j->c.num_components == 3 || j->c.num_components == 1)
        j->c.out_color_space = JCS_RGB;
    else
        return err_set(j->e, "JPEG of %d components", j->c.num_components);
    return 0;
}

static int decode(struct jpeg *j, const unsigned char *p, size_t n, const struct image_options *o,
                  const struct image_rows *to) {
    struct image *im = j->im;

    if (setjmp(j->out))
        return -1;
    if (start(j, p, n, o) < 0 || image_begin(im, im->w, im->h, o, to, j->e) < 0)
        return -1;
    jpeg_start_decompress(&j->c);
    if (j->c.out_color_space == JCS_CMYK)
        j->inks = j->c.mem->alloc_large((j_common_ptr)&j->c, JPOOL_IMAGE, im->w * 4);
    j->row = j->c.mem->alloc_large((j_common_ptr)&j->c, JPOOL_IMAGE, im->w * 3);
    while (j->c.output_scanline < im->h) {
        read_row(j, j->row);
        to->row(to->of, j->row);
    }
    jpeg_finish_decompress(&j->c);
    return 0;
}

static int jpeg_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    struct jpeg j = {.im = im, .e = e};
    int r = decode(&j, p, n, o, to);

    jpeg_destroy_decompress(&j.c);
    return r;
}
static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "\xff\xd8\xff");
}

const struct image_codec image_codec_jpeg = {"JPEG", probe, jpeg_read, exif_jpeg, false};
