/* not_records.h - what was given in the place of a stream of records
 *
 * What     A phrase for a message, told by the first bytes: pictures, JSON, names, text, archives, arrays.
 */
#ifndef UNCLIP_NOT_RECORDS_H
#define UNCLIP_NOT_RECORDS_H

#include <stddef.h>

/* The n bytes at the beginning, which are not those of a record: "a PNG picture, not records (clip-embed FILE)", or NULL where
 * they tell nothing or a record follows. */
const char *not_records(const unsigned char *p, size_t n);

#endif
