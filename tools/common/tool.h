/* tool.h - what every main() in tools/ uses: shared options, memory, counts of what was done, the end
 *
 * What     Every program has one struct tool and calls, in this order:
 *
 *              struct tool t;
 *              operand = tool_start(&t, "name", argc, argv, SYNOPSIS, GROUPS, own, nown);
 *              ...open model, loop over records...
 *              return tool_finish(&t);                  checks stdout; the exit status
 *
 *          This header includes options.h and say.h.  A program includes the other headers of the directory when it
 *          needs them: machine (threads, kernels), paths (the model), input, output, samples, progress.
 * Status   0: all was done; 1: some inputs failed; 2: wrong usage or a fatal error.  SIGPIPE keeps its default.
 */
#ifndef UNCLIP_TOOL_H
#define UNCLIP_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/checkpoint/model.h"
#include "formats/record/resume.h"
#include "lib/base/arena.h"
#include "lib/base/compute.h"
#include "tools/common/options.h"
#include "tools/common/say.h"

struct pack_cache;

/* Shared options by group.  A program names the groups that it has. */
enum {
    TOOL_MODEL = 1,      /* -m, --activation */
    TOOL_STREAM = 2,     /* reads records: --strict, --keep-errors, --shard, --skip-from */
    TOOL_RECORDS = 4,    /* writes records: -o, refuses a terminal */
    TOOL_COMPUTE = 8,    /* -j, --kernel, --precision, --cache */
    TOOL_BATCH = 16,     /* -b */
    TOOL_PROGRESS = 32,  /* -q, --progress=json */
    TOOL_NOISE = 64,     /* -s, --rng, --noise-id, -n */
    TOOL_NUL = 128       /* -0 */
};

/* ---- the parts of struct tool by topic; the file of the same name uses each part ---- */

struct tool_model {
    struct strs paths;           /* -m */
    int activation;              /* --activation: index into auto|quick_gelu|gelu */
    const char *cache_dir;       /* --cache */
    struct pack_cache *cache;    /* packed weights; set by tool_models() */
    bool listed;                 /* true after tool_list_models has set `paths` */
    struct model_host host;
    const char *toy;             /* the path of the model in the box, if it is used because no model was named */
};

struct tool_machine {
    int64_t threads;             /* -j; 0: as many as there are cores available */
    const char *kernel;          /* --kernel; NULL: the best kernels for this CPU */
    int precision;               /* 0: f32; 1: bf16; -1: bf16 if the kernel of --kernel, or else a fast one, has it */
};

struct tool_noise {
    const char *seed_text, *id;  /* --seed, --noise-id */
    int64_t seed;                /* the number of --seed; with --seed random, the number that was drawn */
    int rng;                     /* 0: unclip's generator; 1: torch's */
    int64_t n;                   /* -n: how many results are made of each record */
};

struct tool_input {
    bool strict, keep_errors, nul;
    int64_t batch;
    const char *shard;
    uint64_t shard_i, shard_n;   /* the I (from 0) and N of --shard I/N; shard_n is 0 without --shard */
    const char *name;            /* the stream of the record that tool_next read last */
    uint64_t number;             /* the number of that record, from 1 */
    void (*flush)(void *);       /* processes the records that wait in a batch.  Called before a failure is reported,
                                  * and before the program waits for the next record */
    void *flush_of;
};

struct tool_output {
    const char *name;            /* -o; NULL or "-": standard output */
    bool text;                   /* the program writes text, not records: a terminal may get it */
    int fd, held;                /* held: descriptor of the locked file of -o before the first result, or -1 */
    bool open, there, full, append;    /* there: the file of -o existed at the start; full: the file held something;
                                        * append: -o and --skip-from name the same file */
    const char *skip_from;
    bool prune;                  /* set by programs that embed files; with `append`, drop the records of changed files */
    struct resume resume;        /* the results that the file of --skip-from holds */
};

/* A list of files' names. */
struct tool_names {
    const char *const *v;
    size_t n;
};

enum { TOOL_READS = 48 };        /* how often tool_reads and tool_reads_all, taken together, may be called */

struct tool_files {
    struct tool_names reads[TOOL_READS];
    size_t nreads;
    struct strs writes;
};

struct tool_progress {
    int when;                    /* --progress: index into auto|json|none */
    double begun, shown, record_begun;    /* seconds of the monotonic clock */
    bool line;                   /* a progress line is on the terminal */
};

struct tool {
    const char *name;
    unsigned groups;             /* TOOL_MODEL | ... */
    struct arena_mem mem;
    struct arena arena;          /* all memory of the program */
    struct compute compute;      /* set by tool_compute() */
    bool quiet, verbose;
    const char *given[OPT_MAX];  /* the long names of the options on the command line; NULL ends the list */
    struct tool_model model;
    struct tool_machine machine;
    struct tool_noise noise;
    struct tool_input input;
    struct tool_output output;
    struct tool_files files;
    struct tool_progress progress;
    uint64_t done, failed, skipped;
    int status;                  /* unless it is 0, what tool_finish returns */
};

/* tool_start parses the options and sets the program up.  It returns the index of the first operand; with -h, -V or a
 * usage error it does not return.  -h prints `synopsis` after the program's name.  tool_finish writes the rest of the
 * output and returns the exit status. */
int tool_start(struct tool *t, const char *name, int argc, char *argv[], const char *synopsis,
               unsigned groups, const struct opt *own, size_t nown);
int tool_finish(struct tool *t);

/* Returns whether SIGINT or SIGTERM came.  The program then writes nothing more and calls tool_finish, which raises the
 * signal a second time. */
bool tool_stopped(void);

#endif
