/* Writes JPEG files with libjpeg-turbo, which allocates its own memory. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "formats/image/image_encode.h"

enum { FULL_CHROMA = 91, SIDE_MAX = 65500, COMMENT = 65533 };    /* COMMENT: the most bytes of a comment marker */

static int check(const struct record_image *im, struct err *e) {
    if (im->w > SIDE_MAX || im->h > SIDE_MAX)
        return err_set(e, "%zu x %zu pixels: JPEG has %d at most on a side", im->w, im->h, SIDE_MAX);
    return 0;
}

static int quality_of(const struct image_about *about) {
    return about->quality ? about->quality : IMAGE_QUALITY;
}

#include <jpeglib.h>
#include <jerror.h>

enum { ROOM = 1 << 14 };

struct jpeg {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr to;
    struct mp *out;
    struct err *e;
    jmp_buf fail;
    unsigned char buf[ROOM];
};

static void failed(j_common_ptr c) {
    struct jpeg *j = c->client_data;
    char text[JMSG_LENGTH_MAX];

    c->err->format_message(c, text);
    err_set(j->e, "libjpeg: %s", text);
    longjmp(j->fail, 1);
}

static void no_message(j_common_ptr c) {
    (void)c;
}

static void begin(j_compress_ptr c) {
    struct jpeg *j = c->client_data;

    j->to.next_output_byte = j->buf;
    j->to.free_in_buffer = ROOM;
}

static boolean full(j_compress_ptr c) {
    struct jpeg *j = c->client_data;

    mp_raw(j->out, span_bytes(j->buf, ROOM));
    begin(c);
    return TRUE;
}

static void end(j_compress_ptr c) {
    struct jpeg *j = c->client_data;

    mp_raw(j->out, span_bytes(j->buf, ROOM - j->to.free_in_buffer));
}

static void setup(struct jpeg *j, const struct record_image *im, int quality) {
    j->c.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = failed;
    j->errors.output_message = no_message;
    j->c.client_data = j;
    jpeg_create_compress(&j->c);
    j->to = (struct jpeg_destination_mgr){.init_destination = begin, .empty_output_buffer = full,
                                          .term_destination = end};
    j->c.dest = &j->to;
    j->c.image_width = (JDIMENSION)im->w;
    j->c.image_height = (JDIMENSION)im->h;
    j->c.input_components = 3;
    j->c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j->c);
    jpeg_set_quality(&j->c, quality, TRUE);
    j->c.optimize_coding = TRUE;
    if (quality >= FULL_CHROMA)
        j->c.comp_info[0].h_samp_factor = j->c.comp_info[0].v_samp_factor = 1;
}

/* j belongs to the caller, so no local variable changes between setjmp and longjmp. */
static int encode(struct jpeg *j, const struct record_image *im, const struct image_about *about) {
    struct span s = about->params;

    if (setjmp(j->fail))
        return -1;
    setup(j, im, quality_of(about));
    jpeg_start_compress(&j->c, TRUE);
    for (size_t at = 0; s.p && at < s.n; at += COMMENT)
        jpeg_write_marker(&j->c, JPEG_COM, s.p + at, (unsigned)(s.n - at < COMMENT ? s.n - at : COMMENT));
    for (size_t y = 0; y < im->h; y++) {
        union {    /* libjpeg takes rows by a pointer without const */
            const unsigned char *from;
            JSAMPROW row;
        } u = {im->rgb + y * im->w * 3};

        jpeg_write_scanlines(&j->c, &u.row, 1);
    }
    jpeg_finish_compress(&j->c);
    return 0;
}

int jpeg_write(struct mp *out, const struct record_image *im, const struct image_about *about, struct err *e) {
    struct jpeg j = {.out = out, .e = e};
    int r = check(im, e) < 0 ? -1 : encode(&j, im, about);

    jpeg_destroy_compress(&j.c);
    return r;
}
