/* stream.h - reading and writing streams of records, with everything that can go wrong
 *
 * Reading  stream_next hands out one record at a time.  Regular files are mapped, the rest is
 *          read(2) into a buffer that grows only as data arrives.  Whatever is no record is
 *          reported once, with its byte offset; reading goes on at the next RECORD_START.
 *          A record that the end of the stream cuts is reported the same way.  A start
 *          inside a tensor's bytes is harmless: records are passed over whole.
 * Writing  One write(2) per record (looped only if the system takes less).
 * Errors   stream_next: 1 record, 0 end, -1 something was wrong at this place (err) and
 *          the caller may call again: the stream goes on.  -2: it cannot go on; with errno
 *          EINTR a signal came while it waited, and it can go on after all.
 *          A file that another program truncates while it is mapped ends this one (SIGBUS),
 *          as it does every program that maps files; pipe it if it may shrink.
 * Memory   A mapped file costs address space only: pages are given back as they are passed
 *          (WINDOW in stream.c).  A record's spans live until the next call.
 * Work     Linear in the bytes of the stream, also for hostile ones: damaged records whose
 *          claims overlap are given up (-2) once their heads outnumber the stream's bytes.
 */
#ifndef UNCLIP_STREAM_H
#define UNCLIP_STREAM_H

#include "formats/record/record.h"

struct stream {
    int fd;
    const char *name;            /* for messages: the file's name, "-" for standard input */
    const unsigned char *map;    /* the whole file where it is mapped, else NULL */
    unsigned char *buf;          /* else what has been read and not yet used */
    size_t at, len;              /* next byte, end; in map or buf */
    uint64_t base;               /* offset in the file of buf[0] */
    uint64_t number;             /* records handed out so far, bad ones included */
    bool eof;
    bool lost;                   /* what comes next is no record: look for a start */
    uint64_t wasted;             /* heads walked in records that turned out bad */
    size_t cap, behind;          /* bytes of buf; bytes of map given back */
    struct arena_mem mem;
    struct arena room;           /* the buffer's own region; points at mem: do not move a stream */
    struct arena *from;          /* what the region was cut off */
};

/* name "-" is standard input.  buffer: address space for the longest record of a pipe; stream_close gives it back to a,
 * which must stay where it is. */
int stream_open(struct stream *s, const char *name, struct arena *a, size_t buffer, struct err *e);
int stream_next(struct stream *s, struct record *r, struct arena *a, struct err *e);
void stream_close(struct stream *s);

/* The first record of a file, its bytes copied to keep.  -1 with the file's name in err. */
int stream_first(const char *name, struct record *r, struct arena *keep, struct err *e);

/* Pass over bytes from s->at on that are known to be whole records, so many of them. */
void stream_skip(struct stream *s, size_t bytes, uint64_t records);

/* Is there something to hand out, or the end, without waiting for the writer of a pipe?  (A record
 * of which only the beginning is there counts: its writer is at work.) */
bool stream_ready(const struct stream *s);

/* The offset in the file of the next byte to be read: after a record, of its end. */
uint64_t stream_offset(const struct stream *s);

#endif
