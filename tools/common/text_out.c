/* Writes text in larger pieces. */
#include "tools/common/text_out.h"

#include <unistd.h>

#include "formats/io/write_all.h"
#include "lib/base/utf8.h"
#include "tools/common/output.h"

static int write_text(void *out) {
    struct text_out *o = out;
    size_t n = o->text.n;

    o->text.n = 0;
    if (n && isatty(tool_out(o->t)))
        utf8_tame(o->text.p, n);
    return n ? write_all(tool_out(o->t), o->text.p, n) : 0;
}

void text_out_open(struct text_out *o, struct tool *t, struct arena *room) {
    o->t = t;
    mp_open(&o->text, room);
    tool_at_end(write_text, o);
}

void text_out_flush(struct text_out *o) {
    if (o->text.full)
        die("out of memory");
    if (write_text(o) < 0)
        die_errno("write error");
}
