/* file_stamp.h - the size of a file and the time of its last change, which tell whether it has changed since
 *
 * Units    mtime is in seconds since 1970, as Python's os.path.getmtime gives it: every bit is equal.
 * Numbers  A double tells times apart that differ by 0.3 us.
 * Errors   The stamp of what is not a regular file is not known.  A change that keeps both the size and the time, such as
 *          two changes in one tick of the file system's clock, is not seen.
 */
#ifndef UNCLIP_FILE_STAMP_H
#define UNCLIP_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct stat;

struct file_stamp {
    bool known;
    int64_t size;     /* bytes */
    double mtime;
};

struct file_stamp file_stamp_of(const struct stat *st);
struct file_stamp file_stamp_named(const char *name);    /* follows symbolic links; "-" is not a name */
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);    /* both must be known */

#endif
