/* tool.h - what every main() in tools/ has: the shared options, memory, the count of what was done, the end
 *
 * What     Every program is one struct tool and this order:
 *
 *              struct tool t;
 *              operand = tool_start(&t, "name", argc, argv, SYNOPSIS, GROUPS, own, nown);
 *              ...open model, loop over records...
 *              return tool_finish(&t);                  stdout checked, status
 *
 *          Options and messages (options.h, say.h) come with it.  The other headers of this folder are for those that
 *          need them: machine (threads, kernels), paths (the model), input, output, samples, progress.
 * Status   0 all done, 1 some inputs failed, 2 usage or fatal.  SIGPIPE keeps its default.
 */
#ifndef UNCLIP_TOOL_H
#define UNCLIP_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/record/resume.h"
#include "lib/base/arena.h"
#include "lib/base/compute.h"
#include "tools/common/options.h"
#include "tools/common/say.h"

struct pack_cache;

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

/* ---- the parts, by topic; each is used by the file of that name ---- */

struct tool_model {
    struct strs paths;           /* -m */
    int activation;              /* index into ""|"quick_gelu"|"gelu" */
    const char *cache_dir;       /* --cache */
    struct pack_cache *cache;    /* of packed weights, after tool_models() */
};

struct tool_machine {
    int64_t threads;             /* 0: the cores available */
    const char *kernel;          /* --kernel, or NULL: the best there is */
    int precision;               /* 0 f32, 1 bf16; -1: bf16 where the CPU has it */
};

struct tool_noise {
    const char *seed_text, *id;  /* --seed, --noise-id */
    int64_t seed;                /* --seed random: what was drawn */
    int rng;                     /* 0 ours, 1 torch's */
    int64_t n;                   /* -n: results of each record */
};

struct tool_input {
    bool strict, keep_errors, nul;
    int64_t batch;
    const char *shard;
    uint64_t shard_i, shard_n;   /* 0-based I of N; N = 0: no shards */
    const char *name;            /* tool_next: the stream's name */
    uint64_t number;             /* and of the record in it, from 1 */
    void (*flush)(void *);       /* tool_next, tool_streams: do what is held back, before a failure is told
                                  * and where the next record has to be waited for */
    void *flush_of;
};

struct tool_output {
    const char *name;            /* -o; NULL or "-": standard output */
    bool text;                   /* the program writes text by itself: no records, a terminal is fine */
    int fd, held;                /* held: -o's file before the first result, locked, or -1 */
    bool open, there, full, append;    /* append: -o is what --skip-from names */
    const char *skip_from;
    struct resume resume;        /* what --skip-from holds */
};

/* Names of files. */
struct tool_names {
    const char *const *v;
    size_t n;
};

enum { TOOL_READS = 48 };        /* tool_reads and tool_reads_all may be called this often */

struct tool_files {
    struct tool_names reads[TOOL_READS];
    size_t nreads;
    struct strs writes;
};

struct tool_progress {
    int when;                    /* index into auto|json|none */
    double begun, shown, record_begun;    /* seconds of the monotonic clock */
    bool line;                   /* a progress line stands on the terminal */
};

struct tool {
    const char *name;
    unsigned groups;             /* TOOL_MODEL | ... */
    struct arena_mem mem;
    struct arena arena;          /* one reservation; everything comes from here */
    struct compute compute;      /* after tool_compute() */
    bool quiet, verbose;
    struct tool_model model;
    struct tool_machine machine;
    struct tool_noise noise;
    struct tool_input input;
    struct tool_output output;
    struct tool_files files;
    struct tool_progress progress;
    uint64_t done, failed, skipped;
    int status;                  /* what tool_finish returns unless something is worse */
};

/* Parse options; -h, -V and usage errors do not return.  Returns the index of the first
 * operand.  `synopsis` is one line after the name. */
int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown);
int tool_finish(struct tool *t);

/* SIGINT or SIGTERM came: write nothing more and call tool_finish, which raises it again. */
bool tool_stopped(void);

#endif
