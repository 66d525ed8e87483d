/* stream.h - reading a stream of records, whatever is in it
 *
 * Reading  stream_next hands out one record at a time.  A regular file is mapped; everything else is read(2) into a
 *          buffer that grows only as data arrives.  Bytes that are not a record are reported once, with their offset,
 *          and reading goes on at the next RECORD_START.  A record that the end of the stream cuts is reported in this
 *          way, too.  A RECORD_START inside a tensor's bytes is harmless, because records are skipped as a whole.
 * Errors   stream_next returns 1 for a record and 0 at the end.  It returns -1 if something is wrong at this place; err
 *          says what, and the next call goes on.  It returns -2 if the stream cannot go on; if errno is then EINTR, a
 *          signal came while stream_next waited, and the next call goes on.  A program that maps a file is ended by
 *          SIGBUS when another program truncates the file; a file that may shrink can be read through a pipe.
 * Memory   A mapped file costs address space only, because the kernel can take its pages back after they were read
 *          (WINDOW in stream.c).  A record's spans live until the next call.
 * Work     The work is linear in the bytes of the stream, also for a hostile stream.  Damaged records may overlap, so
 *          reading gives up (-2) once more heads were read in damaged records than the stream has bytes, plus 2^20.
 */
#ifndef UNCLIP_STREAM_H
#define UNCLIP_STREAM_H

#include "formats/record/record.h"

struct stream {
    int fd;
    const char *name;            /* for messages: the file's name, "-" for standard input */
    const unsigned char *map;    /* the whole file if it is mapped, else NULL */
    unsigned char *buf;          /* if the file is not mapped, the bytes that have been read and are not yet used */
    size_t at, len;              /* offsets in map or buf of the next byte and of the end */
    uint64_t base;               /* offset in the file of buf[0] */
    uint64_t number;             /* records handed out so far, bad ones included */
    bool eof;
    bool lost;                   /* damage was found, and stream_next must look for the next RECORD_START */
    uint64_t wasted;             /* number of MessagePack items read in records that turned out to be damaged */
    size_t cap, behind;          /* size of buf; bytes of map whose pages were given back to the kernel */
    struct arena_mem mem;
    struct arena room;           /* the buffer's own region.  It points at mem, so a stream must not be moved. */
    struct arena *from;          /* the arena that the region was split from */
};

/* stream_open opens the file `name`; "-" is standard input.  `buffer` is the size of the address space for the longest
 * record of a pipe.  stream_close returns this space to the arena a, which must not be moved before. */
int stream_open(struct stream *s, const char *name, struct arena *a, size_t buffer, struct err *e);
int stream_next(struct stream *s, struct record *r, struct arena *a, struct err *e);
void stream_close(struct stream *s);

/* Closes the descriptor of a stream that was read to its end.  If the stream is mapped, its records stay in memory. */
void stream_release(struct stream *s);

/* Reads the first record of a file and copies its bytes to keep.  Returns 0, or -1; err names the file. */
int stream_first(const char *name, struct record *r, struct arena *keep, struct err *e);

/* Skips the next `bytes` bytes, of which the caller knows that they are `records` whole records. */
void stream_skip(struct stream *s, size_t bytes, uint64_t records);

/* Returns whether stream_next would return without waiting for an idle writer.  If the beginning of a record has
 * arrived, stream_ready assumes that the writer is not idle. */
bool stream_ready(const struct stream *s);

/* Returns the offset in the file of the next byte to be read.  After a record, this is the offset of its end. */
uint64_t stream_offset(const struct stream *s);

#endif
