/* tool.h - what every main() in tools/ shares: options, messages, memory, models, streams
 *
 * Only tools print and exit.  Messages are "tool: file: reason" on standard error, in
 * lower case and without a full stop.  Exit status: 0 all done, 1 some inputs failed,
 * 2 usage or fatal.  SIGPIPE keeps its default.  The order of a main:
 *
 *      struct tool t;
 *      tool_start(&t, "name", argv, argc, &spec);     options, help, version
 *      ...open model, loop over records...
 *      return tool_finish(&t);                        stdout checked, status
 */
#ifndef UNCLIP_TOOL_H
#define UNCLIP_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "formats/record.h"
#include "formats/stream.h"
#include "lib/linear.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_INT, OPT_FLOAT, OPT_CHOICE };

enum { TOOL_LIST = 16 };    /* -m and its kin may be given this often */

struct strs {
    const char *v[TOOL_LIST];
    size_t n;
};

/* One option.  `to`: bool * (FLAG), const char ** (STR), struct strs * (LIST), int64_t * (INT),
 * double * (FLOAT), int * (CHOICE: index into choices, "f32|bf16").  min and max bound numbers. */
struct opt {
    int letter;            /* 0: long name only */
    const char *name;
    enum opt_kind kind;
    void *to;
    const char *arg;       /* what -h calls the argument */
    const char *help;      /* one line */
    double min, max;
    const char *choices;
};

/* Shared options, by group; a tool names the groups that it takes. */
enum {
    TOOL_MODEL = 1,      /* -m, --activation, --crop is clip-embed's own */
    TOOL_STREAM = 2,     /* reads records: --strict, --keep-errors, --shard, --skip-from */
    TOOL_RECORDS = 4,    /* writes records: -o, refuses a terminal */
    TOOL_COMPUTE = 8,    /* -j, --kernel, --precision */
    TOOL_BATCH = 16,     /* -b */
    TOOL_PROGRESS = 32,  /* -q, --progress=json */
    TOOL_SEED = 64       /* -s, --rng, --noise-id */
};

struct tool {
    const char *name;
    struct arena_mem mem;
    struct arena arena;          /* one reservation; everything comes from here */
    struct compute compute;      /* after tool_compute() */
    /* shared options */
    struct strs model;
    const char *out;             /* NULL or "-": standard output */
    int64_t threads, batch, seed;
    int kernel;                  /* index into kern names; 0 auto */
    int precision, progress;
    bool quiet, verbose, strict, keep_errors;
    const char *activation, *shard, *skip_from;
    unsigned shard_i, shard_n;   /* 0-based I of N; N = 0: no shards */
    int out_fd;
    uint64_t done, failed;       /* records */
    int status;                  /* what tool_finish returns unless something is worse */
};

/* Parse options; -h, -V and usage errors do not return.  Returns the index of the first
 * operand.  `synopsis` is one line after the name. */
int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown);
int tool_finish(struct tool *t);

noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void die_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One input failed: message "tool: where: reason", count it, and end if --strict. */
void tool_failed(struct tool *t, const char *where, const char *reason);

/* Start the pool and choose the kernel (-j, --kernel, --precision). */
void tool_compute(struct tool *t);

/* Open -o or standard output for records: refuses a terminal, opens for append with
 * --skip-from on the same file (cutting a torn tail), installs the signal handlers. */
void tool_output(struct tool *t);

/* Read the next record that this run is to do: garbage and cut tails are reported and counted,
 * other shards and records that --skip-from holds are passed over, records that carry an
 * `error` are passed on (--keep-errors) or counted.  1 or 0 at the end. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Write one record; dies when the output is lost. */
void tool_write(struct tool *t, const struct record *r);

/* A record failed: report as "tool: FILE: record N (id): reason", count, and with
 * --keep-errors write it with its `error` field. */
void tool_record_failed(struct tool *t, const struct stream *s, struct record *r, const char *reason);

/* SIGINT or SIGTERM came: finish what is being written and call tool_finish, which raises it again. */
bool tool_stopped(void);

void tool_progress(struct tool *t, uint64_t done, uint64_t total);    /* total 0: unknown */

#endif
