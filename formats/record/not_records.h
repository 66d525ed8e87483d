/* not_records.h - tells what an input is that is not a stream of records
 *
 * What     Recognizes pictures, JSON, lists of names, text, archives and arrays by their first bytes, and gives a
 *          phrase for the error message.
 */
#ifndef UNCLIP_NOT_RECORDS_H
#define UNCLIP_NOT_RECORDS_H

#include <stddef.h>

/* Looks at the first n bytes of an input that does not begin with a record.  Returns a phrase for a message, like "a
 * PNG picture, not records (clip-embed FILE ...)".  Returns NULL if the kind of input is not known, or if a record
 * begins within these bytes. */
const char *not_records(const unsigned char *p, size_t n);

#endif
