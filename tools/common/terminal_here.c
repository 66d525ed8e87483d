/* Finds the protocol by which the terminal on standard output draws pictures, and draws with it. */
#include "tools/common/terminal_here.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/image/image_write.h"
#include "formats/io/write_all.h"
#include "tools/common/say.h"
#include "tools/stage/caption.h"

enum terminal tool_terminal(void) {
    enum terminal found;

    if (!isatty(1))
        die("--show: standard output is not a terminal; --show=kitty and --show=sixel write anyway");
    found = terminal_of(getenv("TERM"), getenv("TERM_PROGRAM"), getenv("KITTY_WINDOW_ID"), getenv("KONSOLE_VERSION"));
    if (found == TERMINAL_UNKNOWN)
        die("this terminal is not known to draw pictures; if it does, say --show=kitty or --show=sixel");
    return found;
}

int tool_draw(struct mp *out, enum terminal kind, const struct record_image *im, struct mp *file, struct arena a, struct err *e) {
    const struct image_about none = {.quality = 0};

    out->n = file->n = 0;
    if (kind == TERMINAL_SIXEL)
        return terminal_sixel(out, im, a, e);
    if (image_write(file, IMAGE_PNG, im, &none, a, e) < 0 || terminal_kitty(out, mp_span(file)) < 0)
        return err_set(e, "out of memory");
    return 0;
}

int tool_show(enum terminal kind, const struct record *r, const struct record_image *im, const char *caption, struct mp *out,
              struct mp *file, struct arena a, struct err *e) {
    char line[1024];

    if (tool_draw(out, kind, im, file, a, e) < 0)
        return -1;
    if (write_all(1, out->p, out->n) < 0)
        die_errno("write error");
    out->n = 0;
    if (caption_write(out, r, caption, a, e) < 0)
        return -1;
    if (out->n) {
        tool_quote(mp_span(out), line, sizeof line - 1);
        strcat(line, "\n");
        if (write_all(1, line, strlen(line)) < 0)
            die_errno("write error");
    }
    return 0;
}
