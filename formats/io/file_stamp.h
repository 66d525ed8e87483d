/* file_stamp.h - the size of a file and the time of its last change, to tell later whether the file has changed
 *
 * Units    mtime is in seconds since 1970, with the same bits as Python's os.path.getmtime.
 * Numbers  Times that differ by 0.3 us or more are different doubles.
 * Errors   Only a regular file has a stamp.  Otherwise `known` is false.  A change that keeps both the size and the time,
 *          such as two changes in one tick of the file system's clock, is not seen.
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
struct file_stamp file_stamp_named(const char *name);    /* follows symbolic links; unknown for "-" */
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);    /* false if either is unknown */

#endif
