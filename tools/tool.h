/* tool.h - what every main() in tools/ shares (tools/common): options, messages, memory, models, streams
 *
 * Only tools print and exit.  Messages are "tool: file: reason" on standard error, in
 * lower case and without a full stop.  Exit status: 0 all done, 1 some inputs failed,
 * 2 usage or fatal.  SIGPIPE keeps its default.  The order of a main:
 *
 *      struct tool t;
 *      operand = tool_start(&t, "name", argc, argv, SYNOPSIS, GROUPS, own, nown);
 *      ...open model, loop over records...
 *      return tool_finish(&t);                  stdout checked, status
 */
#ifndef UNCLIP_TOOL_H
#define UNCLIP_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "formats/checkpoint/model.h"
#include "formats/record/record.h"
#include "formats/record/resume.h"
#include "formats/record/stream.h"
#include "lib/layer/linear.h"
#include "tools/stage/sample.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_INT, OPT_FLOAT, OPT_CHOICE, OPT_MAYBE_INT, OPT_MAYBE_CHOICE };

enum { TOOL_LIST = 16 };    /* -m and its kin may be given this often */

struct strs {
    const char *v[TOOL_LIST];
    size_t n;
};

/* One option.  `to`: bool * (FLAG), const char ** (STR), struct strs * (LIST), int64_t * (INT),
 * double * (FLOAT), int * (CHOICE: index into choices, "f32|bf16"), int64_t * (MAYBE_INT: an INT that
 * may be left out, and is -1 then; long names only), int * (MAYBE_CHOICE: likewise, the first of them
 * then).  min and max bound numbers. */
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
    TOOL_COMPUTE = 8,    /* -j, --kernel, --precision, --cache */
    TOOL_BATCH = 16,     /* -b */
    TOOL_PROGRESS = 32,  /* -q, --progress=json */
    TOOL_NOISE = 64,     /* -s, --rng, --noise-id, -n */
    TOOL_NUL = 128       /* -0 */
};

struct tool {
    const char *name;
    struct arena_mem mem;
    struct arena arena;          /* one reservation; everything comes from here */
    struct compute compute;      /* after tool_compute() */
    /* shared options */
    struct strs model;
    const char *out;             /* NULL or "-": standard output */
    int64_t threads, batch;
    const char *seed_text, *noise_id;
    int64_t seed;                /* --seed random: what was drawn */
    int rng;                     /* 0 ours, 1 torch's */
    int64_t n;                   /* -n: results of each record */
    bool nul;
    const char *kernel;          /* --kernel, or NULL: the best there is */
    int precision, progress;     /* precision -1: bf16 where the CPU has it, else f32 */
    bool quiet, verbose, strict, keep_errors;
    const char *cache_dir;       /* --cache */
    struct pack_cache cache;     /* of packed weights, after tool_models() */
    int activation;              /* index into ""|"quick_gelu"|"gelu" */
    const char *shard, *skip_from;
    uint64_t shard_i, shard_n;   /* 0-based I of N; N = 0: no shards */
    int out_fd;
    bool text;                   /* the program writes text by itself: no records, a terminal is fine */
    struct resume resume;        /* what --skip-from holds */
    void (*flush)(void *);       /* tool_next, tool_streams: do what is held back, before a failure is told
                                  * and where the next record has to be waited for */
    void *flush_of;
    const char *in;              /* tool_next: the stream's name */
    uint64_t number;             /* and of the record in it, from 1 */
    uint64_t done, failed, skipped;
    double begun, shown, record_begun;    /* progress: seconds of the monotonic clock */
    bool line;                   /* a progress line stands on the terminal */
    int status;                  /* what tool_finish returns unless something is worse */
};

/* Parse options; -h, -V and usage errors do not return.  Returns the index of the first
 * operand.  `synopsis` is one line after the name. */
int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown);
int tool_finish(struct tool *t);

/* "0,0.25,1": numbers from 0 to max, `room` of them at most, or the program ends; how many. */
size_t tool_numbers(const char *option, const char *list, double max, double *v, size_t room);

/* "id,text": names, likewise; they point into the list. */
size_t tool_names(const char *option, const char *list, struct span *v, size_t room);

noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
noreturn void die_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Cores that this process may use: affinity and cgroup quota. */
int tool_cores(void);

/* Start the pool and choose the kernel (-j, --kernel, --precision). */
void tool_compute(struct tool *t);

/* -m, else $UNCLIP_MODEL, else the model that comes with unclip; with the cache of packed weights, which
 * tool_finish writes. */
struct model_paths tool_models(struct tool *t);

/* Open -o or standard output for records: refuses a terminal, reads --skip-from, and where that
 * is -o's own file cuts a torn tail and appends.  Installs the signal handlers.  `fields`:
 * what this program writes, for resume.h. */
void tool_output(struct tool *t, size_t nfields, const char *const fields[]);

/* Before tool_output: die if -o names this input file, which would be emptied. */
void tool_not_output(const struct tool *t, const char *name);
void tool_not_outputs(const struct tool *t, int n, char *name[]);

/* Open a stream for reading; "-" from a terminal is refused with a hint (exit 2). */
void tool_stream(struct tool *t, struct stream *s, const char *name);

/* Read the next record that this run is to do: garbage and cut tails are reported and counted,
 * other shards are passed over, records that carry an `error` are passed on and counted as failed.
 * 1, or 0 at the end or when a signal came. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Is this input another shard's?  root: its id, or the record's root. */
bool tool_other_shard(const struct tool *t, struct span root);

/* Does --skip-from hold this result already?  Counts it. */
bool tool_skip(struct tool *t, struct span id, struct span params, size_t nfields, const struct span fp[]);

/* Every record of the files named (none: standard input) through fn: 1 done, 0 nothing to do or held back for
 * t->flush, -1 failed.  a is the record's own arena; it is empty again for the next record. */
void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *ctx, struct record *r, struct arena *a, struct err *e),
                  void *ctx);

/* Samplers: --noise-id goes into the record; the first pairs of their params; are all -n results of this record
 * in --skip-from?  And the i-th of them, in which `field` was made. */
int tool_noise_id(struct tool *t, struct record *r, struct err *e);
void tool_params(const struct tool *t, struct mp *m);
bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a);
int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e);

/* Write one record (not where the output is text); dies when the output is lost. */
void tool_write(struct tool *t, const struct record *r, struct arena scratch);

/* A record failed: "tool: FILE: record N (id): reason", counted, and with --keep-errors written
 * with its `error` field.  Ends the program with --strict. */
void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason);

/* An input that is not a record failed: "tool: where: reason", counted; with --keep-errors a record
 * of that id and an `error` is written. */
void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch);

/* Bytes of a name as one printable line: control characters and bytes that are not UTF-8 as \xNN. */
const char *tool_quote(struct span s, char *buf, size_t room);

/* SIGINT or SIGTERM came: write nothing more and call tool_finish, which raises it again. */
bool tool_stopped(void);

/* "tool: 12 of 100, 3 s left" on a terminal; a JSON line with --progress=json; nothing with -q or
 * when standard error is a file.  At most ten times a second.  total 0: unknown. */
void tool_progress(struct tool *t, uint64_t total);

/* The same inside a record that takes many steps: "tool: record 3, step 12 of 25". */
void tool_step(struct tool *t, size_t step, size_t steps);

/* The same as the step of a sampler_watch, whose ctx is the tool: false when a signal came. */
bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0);

#endif
