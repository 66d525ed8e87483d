/* scan.h - cosines of all records in a stretch of a file, on all threads
 *
 * What     A stretch is cut into parts.  A part's thread looks for the first record that
 *          starts in the part, goes from record to record, scores each vector without copying
 *          it, and notes the records whose score is good enough.  The parts are then taken in
 *          the order of the stream.
 *
 *          A part of a file is either copied by read(2) into a buffer that stays in the
 *          processor's cache, or read through the file's map.  Which way is faster depends on
 *          the processor and on the size of the pages in the page cache.  So one stretch of
 *          SCAN_TRIAL parts or more uses both ways in turn.  Afterwards the map is used if it
 *          was faster, until pages have to come from a disk.  Bytes from a pipe are one part.
 *
 *          If only cosines above a threshold count (the fields over and least), sim_below compares a
 *          record with the threshold in f32 first.  A record below the threshold is never scored in f64.
 *
 *          Most records of a file differ only in the id, the elements of the vector, and a few short fields before the
 *          vector (size, mtime, path).  After one record was parsed, the next record is accepted without parsing if all
 *          other bytes are equal to those of the parsed record.  Otherwise it is parsed.
 * Safety   Only plain records are scanned.  A record is not plain if it is cut, malformed or longer
 *          than SCAN_BUFFER, carries an error, lacks the vector, or does not fit the query (a vector of the query's other
 *          tower counts as fitting after scan_fits has accepted its model once).  Such a
 *          record ends the part.  The caller goes on at this record with stream_next, which says
 *          what is wrong.  A RECORD_START inside a tensor's bytes is harmless, because a part
 *          counts only if it begins exactly where the record before it ended.
 * Numbers  Cosines are those of similarity.h.  They do not depend on the parts, the threads, the filter or
 *          the outcome of the trial.
 * Memory   SCAN_BUFFER for each thread, as much of a map as stream.h keeps, and up to
 *          SCAN_PARTS x SCAN_HITS x 16 bytes of hits.
 */
#ifndef UNCLIP_SCAN_H
#define UNCLIP_SCAN_H

#include "lib/base/pool.h"
#include "lib/vector/similarity.h"
#include "tools/stage/origin.h"
#include "tools/stage/result.h"
#include "tools/stage/vector.h"

enum { SCAN_PARTS = 256, SCAN_STEP = 1 << 18, SCAN_BUFFER = 1 << 19, SCAN_HITS = 2048,
       SCAN_MOULD = 4096, SCAN_HOLES = 4, SCAN_TRIAL = 32 };

enum scan_way { SCAN_UNTRIED, SCAN_TRY, SCAN_READ, SCAN_MAP };    /* with SCAN_UNTRIED, parts are read */

/* The CLIP that a query's tower belongs to. */
struct scan_clip {
    struct origin origin;
    char fits[17];          /* fingerprint of the last model whose vectors were found to fit `origin`, or "" */
};

struct scan_query {
    struct sim_query sim;
    struct vector from;     /* has the query's own width, field and model */
    const char *field;      /* the field of the records that is compared; may be NULL, as in vector_find */
    bool joint, force;
    struct scan_clip *clip; /* set if the file of the query's tower lacks the other tower; NULL: vectors of the other
                             * tower are not checked */
    bool into;              /* results of `kind` become fields of the records, which must have room (result_fits) */
    enum result_kind kind;
};

struct scan_hit {
    double score;
    unsigned at, n;         /* the record's first byte, counted from the part's `first`, and its length */
};

struct scan_part {
    size_t lo, hi;          /* records that start in [lo, hi) belong to the part */
    size_t first, end;      /* the records that were scored are the bytes [first, end); end may be beyond hi */
    uint64_t count;         /* records that were scored */
    int64_t ns;             /* in a trial: the nanoseconds that the part took */
    size_t nhit;
    struct scan_hit *hit;   /* [SCAN_HITS] */
};

/* A template of similar records: the bytes that they share.  Three parts of a record may differ from the template: the id,
 * the elements of the vector, and the holes.  A hole is the value of a field before the vector, if the value is a number, a
 * str or a bin.  A mould has at most SCAN_HOLES holes, those of the first such fields. */
struct scan_mould {
    size_t bytes;           /* length of the vector's elements in bytes; 0: the mould is not made yet */
    size_t before, after;   /* how many bytes of `text` are before the elements, and how many after them */
    size_t hole[SCAN_HOLES], holes;    /* hole i is just before text[hole[i]]; hole[i] <= before */
    enum dtype dtype;
    unsigned char text[SCAN_MOULD];
};

/* Both functions return the elements of the vector of the record at p, where n bytes are left, and set *used to the length
 * of the record.  scan_fill does not parse the record: it returns NULL if the record differs from the mould m outside the
 * id, the elements and the holes.  scan_make parses the record and makes the mould m from it.  It returns NULL if the
 * record is not plain. */
const unsigned char *scan_fill(const struct scan_mould *m, const unsigned char *p, size_t n, size_t *used);
const void *scan_make(struct scan_mould *m, const struct scan_query *q, const unsigned char *p, size_t n, size_t *used,
                      struct arena *a);

struct scan_thread {
    struct arena_mem mem;
    struct arena room;      /* for one record's tables */
    unsigned char *buf;     /* [SCAN_BUFFER], begins at the start of a page */
    size_t longest;         /* length of the longest record so far */
    bool mapped;            /* the current part is read through the file's map */
    struct scan_mould mould;
};

struct scan {
    const struct scan_query *q;
    struct pool *pool;
    struct scan_part *part;           /* [SCAN_PARTS] */
    struct scan_thread *thread;
    double over, least;               /* a record is a hit if its cosine is > over and >= least */
    struct sim_filter filter;         /* used if limit > -1; {0} filters nothing */
    enum scan_way way;
    size_t warm;                      /* number of parts of a stretch; doubles up to SCAN_PARTS */
    /* the current stretch */
    const unsigned char *p;           /* [n]: the whole mapped file, or a pipe's buffer */
    size_t n, hi;                     /* hi: where the stretch ends */
    int fd;                           /* descriptor of the mapped file, or -1 for a pipe */
    double limit;                     /* the greater of over and least */
    size_t parts, next;
};

int scan_start(struct scan *s, const struct scan_query *q, struct pool *pool, struct arena *a,
               struct err *e);

/* Returns true if v is of the query's other tower, and scan_fits has not accepted the model of v yet. */
bool scan_unsure(const struct scan_query *q, const struct vector *v);

/* Returns 0 if v, the vector of r, may be compared with the query: as vector_fits says, and not of another CLIP than
 * q->clip.  Otherwise returns -1 with the reason in e. */
int scan_fits(const struct scan_query *q, const struct record *r, const struct vector *v, struct arena scratch, struct err *e);

/* Writes the cosine of one record with the query into *cos.  Returns 0, or -1 with the reason in e. */
int scan_record(const struct scan_query *q, const struct record *r, double *cos,
                struct arena scratch, struct err *e);

/* Scores the plain records of a stretch that begins at byte `at` of p.  If fd >= 0, p is a mapped
 * file, and the stretch has at most SCAN_PARTS parts; else the stretch goes to the end of the n bytes. */
void scan_run(struct scan *s, const unsigned char *p, size_t n, size_t at, int fd);

/* Takes the results of scan_run from byte `at` on, up to the first record that was not scored.  Calls
 * each(ctx, score, bytes) for the hits in order, and stops if `each` returns -1.  Returns the byte at
 * which the first record begins that was not taken.  Adds the number of records taken to *count. */
size_t scan_take(struct scan *s, size_t at, uint64_t *count,
                 int (*each)(void *ctx, double score, struct span bytes), void *ctx);

#endif
