/* templates.h - sentences into which a label is put before a text tower embeds them
 *
 * What     Each template is a line of text with one placeholder, "{}", which the label replaces.
 *          The article before the label is not adapted: "a origami apple" is intended.
 *          "openai80" and "openai7" are the lists that openai/CLIP publishes for ImageNet.
 *          "none" is the list with the single template "{}".  Any other name is the name of a file
 *          with one template a line.
 * Source   openai/CLIP @d05afc4 notebooks/Prompt_Engineering_for_ImageNet.ipynb (MIT
 *          licence, copyright (c) 2021 OpenAI): its 80 templates, and the 7 of them that it
 *          found by forward selection.
 * Errors   A file without templates, a template without placeholder or with several, text
 *          that is not UTF-8.  The message names the line.
 */
#ifndef UNCLIP_TEMPLATES_H
#define UNCLIP_TEMPLATES_H

#include "formats/record/record.h"

struct template {
    struct span before, after;    /* text before and after the placeholder */
};

struct templates {
    struct template *v;
    size_t n;
};

/* Opens the list or file that `name` names.  If `name` is NULL, the only template is "a photo of a {}." */
int templates_open(struct templates *t, const char *name, struct arena *a, struct err *e);

/* Reads the templates in `text`, n bytes with one template a line.  The text must outlive t. */
int templates_parse(struct templates *t, const char *text, size_t n, struct arena *a,
                    struct err *e);

/* Puts the label into the template.  *out receives the sentence, in memory from the arena a.  Returns 0, or -1 if
 * memory runs out. */
int template_fill(const struct template *t, struct span label, struct span *out,
                  struct arena *a);

#endif
