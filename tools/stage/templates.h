/* templates.h - sentences that a label is put into before it is embedded
 *
 * What     Each template is a line of text with one placeholder, "{}", which the label replaces.
 *          The article is not adapted: "a origami apple" is intended.
 *          "openai80" and "openai7" are the lists that openai/CLIP publishes for ImageNet.
 *          "none" is the label as it is.  Another name is that of a file with one template a line.
 * Source   openai/CLIP @d05afc4 notebooks/Prompt_Engineering_for_ImageNet.ipynb (MIT
 *          licence, copyright (c) 2021 OpenAI): the 80, and the 7 found by forward
 *          selection.
 * Errors   A file without templates, a template without placeholder or with several, text
 *          that is not UTF-8: named with the line.
 */
#ifndef UNCLIP_TEMPLATES_H
#define UNCLIP_TEMPLATES_H

#include "formats/record/record.h"

struct template {
    struct span before, after;    /* of the placeholder */
};

struct templates {
    struct template *v;
    size_t n;
};

/* name is NULL for "a photo of a {}." */
int templates_open(struct templates *t, const char *name, struct arena *a, struct err *e);

/* The templates in a text of n bytes, which stays where it is. */
int templates_parse(struct templates *t, const char *text, size_t n, struct arena *a,
                    struct err *e);

/* The label in its sentence. */
int template_fill(const struct template *t, struct span label, struct span *out,
                  struct arena *a);

#endif
