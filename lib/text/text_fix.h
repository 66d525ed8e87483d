/* text_fix.h - the two stages of text_clean that mend: ftfy's and HTML's
 *
 * What     text_fix: each segment (up to and with a "\n") goes through ftfy's steps until
 *          no step changes it: entities, C1 controls, ligatures, widths, quotes, line breaks,
 *          terminal escapes, control characters, NFC.  From the first segment with a "<" on,
 *          entities are left alone.  A CR LF becomes two line feeds and not one, which
 *          no later stage can tell.
 *          html_unescape: HTML's own rules, names without ";" among them; one pass.
 * Time     Linear.  ftfy takes one level of a nested entity off in each round; here the
 *          first round does as ftfy does and the others reduce all levels at once.  The result
 *          is equal, because entities never overlap, and only the first round can meet an escape
 *          sequence, the one rule that looks at what an entity has become.
 */
#ifndef UNCLIP_TEXT_FIX_H
#define UNCLIP_TEXT_FIX_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct points {        /* code points */
    uint32_t *v;
    size_t n, cap;
};

/* p->v is taken from a.  -1: not UTF-8, or no memory. */
int text_fix(const unsigned char *s, size_t n, struct points *p, struct arena *a, struct err *e);

void html_unescape(struct points *p);

#endif
