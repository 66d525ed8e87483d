/* missing.h - says that a record lacks a field, and which program makes the field
 */
#ifndef UNCLIP_MISSING_H
#define UNCLIP_MISSING_H

#include "formats/record/record.h"

/* Writes into e that r lacks the field: "no image (decode64 makes it)".  If no program makes a field of this name, and r
 * has a field of a near name (near.h), the message asks whether that field was meant.  Returns -1. */
int field_missing(const struct record *r, const char *field, struct err *e);

/* Returns which programs make the field, as " (PROGRAM makes it)", or "" if no program makes a field of this name. */
const char *field_maker(const char *field);

#endif
