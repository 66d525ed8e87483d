/* text_fix.h - the two stages of text_clean that repair a text: ftfy's and HTML's
 *
 * What     text_fix cuts the text into segments that end with "\n", and applies ftfy's steps to each segment until no
 *          step changes it.  The steps are entities, C1 controls, ligatures, widths, quotes, line breaks, terminal
 *          escapes, control characters and NFC.  From the first segment with a "<" on, entities are left alone.  A CR
 *          LF becomes two line feeds.  ftfy makes one line feed of a CR LF, but text_clean turns one or two line feeds
 *          into one space.
 *          html_unescape makes one pass with HTML's own rules, which allow some names without ";".
 * Source   ftfy 6.3.1, fix_text with fix_encoding=False; Python's html.unescape.
 * Errors   text_fix returns -1 with a message in e if the text is not UTF-8 (with the offset of the first bad byte),
 *          becomes too long, or memory is exhausted.
 * Time     Linear.  ftfy takes off one level of a nested entity in each round.  Here only the first round does so, and
 *          later rounds reduce all levels at once.  The result is equal to ftfy's for two reasons.  Entities never
 *          overlap.  The rule for escape sequences, which alone looks at what an entity has become, can only apply in
 *          the first round.
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

/* Apply ftfy's steps to the n bytes s.  p receives the code points, with memory from a. */
int text_fix(const unsigned char *s, size_t n, struct points *p, struct arena *a, struct err *e);

/* Replace the character references of p in place. */
void html_unescape(struct points *p);

#endif
