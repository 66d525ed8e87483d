#define _XOPEN_SOURCE 700    /* realpath */
#include "tools/common/page_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/base64.h"
#include "formats/io/file_replace.h"
#include "tools/common/output.h"
#include "tools/stage/caption.h"
#include "tools/stage/named_picture.h"

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>unclip</title>\n<style>\n"
    "body { font: 14px/1.35 sans-serif; margin: 1em; color: #222; background: #fff }\n"
    "main { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 1em }\n"
    "figure { margin: 0; overflow-wrap: anywhere }\n"
    "img { width: 100%; height: 200px; object-fit: contain; background: #f2f2ef }\n"
    "figcaption { color: #555 }\n"
    "</style>\n<main>\n";

static void put(struct mp *m, const char *s) {
    mp_raw(m, span_of(s));
}

/* Appends a text, with the characters that HTML takes for markup escaped. */
static void put_text(struct mp *m, const char *s) {
    for (; *s; s++)
        switch (*s) {
        case '&': put(m, "&amp;"); break;
        case '<': put(m, "&lt;"); break;
        case '>': put(m, "&gt;"); break;
        case '"': put(m, "&quot;"); break;
        case '\'': put(m, "&#39;"); break;
        default: mp_raw(m, span_bytes(s, 1));
        }
}

/* Appends the address of a file.  Every byte that is not in `plain` becomes %XX. */
static void put_address(struct mp *m, const char *path) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    char hex[8];

    put(m, "file://");
    for (; *path; path++)
        if (strchr(plain, *path)) {
            mp_raw(m, span_bytes(path, 1));
        } else {
            snprintf(hex, sizeof hex, "%%%02X", (unsigned char)*path);
            put(m, hex);
        }
}

void tool_page_file(const char *file) {
    if (!strcmp(file, "-"))
        die("--html: a page needs a file name");
    if (tool_has_records(file))
        die("%s: a stream of records, which a page does not replace", file);
    if (image_is_picture(file))
        die("%s: a picture, which a page does not replace", file);
}

void tool_page(struct page_out *p, const char *file, size_t side, struct arena *html, struct arena *jpeg, struct arena *text) {
    *p = (struct page_out){.file = file, .side = side ? side : PAGE_SIDE};
    mp_open(&p->html, html);
    mp_open(&p->jpeg, jpeg);
    mp_open(&p->text, text);
    put(&p->html, HEAD);
}

static int put_caption(struct page_out *p, const struct record *r, const char *fields, struct arena a, struct err *e) {
    const char *line;

    p->text.n = 0;
    if (caption_write(&p->text, r, fields, a, e) < 0)
        return -1;
    if (!(line = caption_string(mp_span(&p->text), &a)))
        return err_set(e, "out of memory");
    if (*line) {
        put_text(&p->html, line);
        put(&p->html, "<br>");
    }
    return 0;
}

/* Writes the picture as an <img> whose address, "data:...", holds a JPEG. */
static int put_picture(struct page_out *p, const struct record_image *im, struct arena a, struct err *e) {
    const struct image_about none = {.quality = 85};
    char *text;
    size_t n;

    p->jpeg.n = 0;
    if (image_write(&p->jpeg, IMAGE_JPEG, im, &none, a, e) < 0)
        return -1;
    n = base64_length(p->jpeg.n);
    if (!(text = arena_take(&a, n, 1)))
        return err_set(e, "out of memory");
    base64_encode(text, p->jpeg.p, p->jpeg.n);
    put(&p->html, "<img loading=\"lazy\" alt=\"\" src=\"data:image/jpeg;base64,");
    mp_raw(&p->html, span_bytes(text, n));
    put(&p->html, "\">");
    return 0;
}

int tool_page_add(struct page_out *p, const struct record *r, struct record_image im, const char *fields, struct arena a,
                  struct err *e) {
    const size_t before = p->html.n;
    const char *file = named_file(r, &a);
    char *path = file ? realpath(file, NULL) : NULL;
    int got;

    put(&p->html, "<figure>");
    if (path) {
        put(&p->html, "<a href=\"");
        put_address(&p->html, path);
        put(&p->html, "\">");
    }
    got = picture_reduce(&im, p->side, &a, e) < 0 ? -1 : put_picture(p, &im, a, e);
    put(&p->html, path ? "</a><figcaption>" : "<figcaption>");
    free(path);
    if (got == 0)
        got = fields ? put_caption(p, r, fields, a, e)
                     : put_caption(p, r, "label,prob,cos", a, e) < 0 ? -1 : put_caption(p, r, NULL, a, e);
    if (got < 0) {
        p->html.n = before;
        return -1;
    }
    put(&p->html, "</figcaption></figure>\n");
    p->pictures++;
    return p->html.full ? err_set(e, "out of memory") : 1;
}

void tool_page_end(struct page_out *p) {
    struct err e = {0};

    put(&p->html, "</main>\n</html>\n");
    if (p->html.full)
        die("%s: out of memory", p->file);
    if (file_replace(p->file, p->html.p, p->html.n, &e) < 0)
        die("%s: %s", p->file, e.msg);
}
