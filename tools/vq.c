/* vq - pictures as tokens, and tokens as pictures, by a discrete autoencoder
 *
 * Reads: names of picture files or tar archives, or records with image; with -d, records with image_tokens and grid.
 * Writes: records with image_tokens and grid; with -d, with image.
 * Memory: the weights, the network's activations for one batch, which grow with the area of its pictures.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/pictures.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/stage/codes.h"

#define SYNOPSIS "[-dqv] [-m PATH]... [-b N] [-j N] [-o FILE] [option]... [file]..."

/* Without -b, at most this many pixels and this many inputs, or as many as there are threads, wait to be computed. */
enum { WAITING = 1 << 18, INPUTS = 16 };

static const char *const FIELDS[] = {"image_tokens"}, *const DECODED[] = {"image"};

struct job {
    struct tool t;
    struct vq_model m;
    struct codes_net net;
    struct codes_fit fit;
    struct picture_source source;
    struct arena_mem mem;
    struct arena room, empty;    /* room: the memory of one batch, of which some may be taken; empty: all of it */
    struct codes_item *item;           /* [capacity] */
    size_t capacity, n, waiting;       /* n: items that wait; waiting: their pixels */
    const char *files0;
    int64_t side, max_pixels;
    int id;
    bool whole, exif, tar;
};

static int params(struct job *j, bool file, struct span *out, struct arena *a, struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, "kernel"), mp_cstr(&m, j->t.compute.kern->name);
    mp_cstr(&m, "precision"), mp_cstr(&m, precision_name(j->t.compute.kern->precision));
    if (file) {
        mp_cstr(&m, "side"), mp_int(&m, (int64_t)j->fit.side);
        mp_cstr(&m, "whole"), mp_bool(&m, j->whole);
        if (j->exif)
            mp_cstr(&m, "exif"), mp_bool(&m, true);
    }
    if (j->net.decode && j->net.u8)
        mp_cstr(&m, "u8"), mp_bool(&m, true);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* ---- a batch ---- */

static int set_fields(struct job *j, struct codes_item *it, struct err *e) {
    struct span map;

    if (params(j, it->file != NULL, &map, &j->room, e) < 0 || codes_fill(it, &j->net, &j->room, e) < 0)
        return -1;
    return record_add_params(&it->r, j->t.name, map, e);
}

static void finish_item(struct job *j, struct codes_item *it) {
    struct arena before = j->room;

    if (!it->err.msg[0])
        set_fields(j, it, &it->err);
    tool_item_end(&j->t, it->file, it->number, &it->r, it->err.msg, j->room);
    j->room = before;
}

/* Run the network on the items that wait, and write their records in the order of the input. */
static void flush(void *job) {
    struct job *j = job;
    size_t n = j->n;

    j->n = j->waiting = 0;
    codes_run(j->item, n, &j->net, &j->room);
    for (size_t i = 0; i < n && !tool_stopped(); i++)
        finish_item(j, &j->item[i]);
    j->room = j->empty;
    if (n)
        tool_progress(&j->t, j->files0 || j->tar ? 0 : j->source.names.noperands);
}

/* Without -b, small pictures wait for each other, and a large one for none. */
static void push(struct job *j) {
    j->waiting += codes_pixels(&j->item[j->n], &j->net);
    if (++j->n == j->capacity || (!j->t.input.batch && j->waiting >= WAITING))
        flush(j);
}

/* ---- records ---- */

/* Take a copy of the record, because the stream uses the record's memory again for the next record. */
static int take_record(void *job, struct record *r, struct arena *scratch, struct err *e) {
    struct job *j = job;
    struct codes_item *it = &j->item[j->n];
    struct span map, fp = codes_fingerprint(&j->net);

    if (params(j, false, &map, scratch, e) < 0)
        return -1;
    if (tool_skip(&j->t, r->id, resume_stamp(r), map, 1, &fp))
        return 0;
    *it = (struct codes_item){.number = j->t.input.number};
    if (record_clone(&it->r, r, &j->room, e) < 0)
        return -1;
    codes_load(it, &j->net, &j->room);
    push(j);
    return 0;
}

/* ---- files ---- */

/* Is the file another shard's, or does the output hold its result already? */
static bool not_ours(struct job *j, const struct record *r) {
    struct arena a = j->room;
    struct span map, fp = codes_fingerprint(&j->net);
    struct err e = {0};

    if (params(j, true, &map, &a, &e) < 0)
        die("%s", e.msg);
    return tool_other_shard(&j->t, r->id) || tool_skip(&j->t, r->id, resume_stamp(r), map, 1, &fp);
}

static void read_picture(struct job *j, struct codes_item *it, const unsigned char *p, size_t n) {
    const struct image_options o = {.max_pixels = (uint64_t)j->max_pixels, .exif = j->exif};
    struct image im;
    float *x = NULL;

    if (image_read(&im, p, n, &o, &it->err) < 0)
        return;
    if (im.note[0] && j->t.verbose)
        warn("%s: %s", it->file, im.note);
    codes_picture(&j->fit, im.rgb, im.h, im.w, &x, &it->h, &it->w, &j->room, &it->err);
    it->x = x;
    image_free(&im);
}

/* Make the picture's record.  The hash of its bytes is the record's id, or its name if hash is NULL. */
static void start_record(struct job *j, struct codes_item *it, const struct picture *p, const char *hash) {
    struct err e = {0};

    if (record_of_file(&it->r, it->file, hash, &p->stamp, &j->room, &e) < 0 ||
        record_set_member(&it->r, p->archive, p->caption, &e) < 0)
        die("%s", e.msg);
}

/* Read the picture's bytes.  Returns false for a member of an archive that is not a picture. */
static bool load(struct job *j, struct codes_item *it, struct picture *p) {
    const int got = p->file ? image_file_read(it->file, &p->bytes, &p->n, &it->err) : tool_load_picture(&j->t, &j->source, p, &it->err);

    return got != 0 || p->file;
}

/* Take one picture into the batch.  Returns false if the picture is passed over: it is another shard's, or done, or not a
 * picture. */
static bool take_picture(struct job *j, struct codes_item *it, struct picture *p) {
    struct span hash = {0};
    struct err e = {0};

    if (it->err.msg[0])
        return start_record(j, it, p, NULL), true;
    if (p->file)
        p->stamp = file_stamp_named(it->file);
    if (!j->id) {
        start_record(j, it, p, NULL);
        if (not_ours(j, &it->r))
            return false;
    }
    if (!load(j, it, p) || tool_stopped())
        return false;
    if (j->id && p->bytes && record_content_id(p->bytes, p->n, &hash, &j->room, &e) < 0)
        die("%s", e.msg);
    start_record(j, it, p, (const char *)hash.p);    /* with the caption, which is known now */
    if (j->id && p->bytes && not_ours(j, &it->r))
        return false;
    if (p->bytes)
        read_picture(j, it, p->bytes, p->n);
    return true;
}

static void take_files(struct job *j, char *names[], size_t n) {
    struct picture p;
    struct err e = {0};

    if (picture_source_open(&j->source, names, n, j->files0, &j->t.arena, &e) < 0)
        die("%s: %s", j->files0, e.msg);
    for (j->source.tar = j->tar;;) {
        struct codes_item *it = &j->item[j->n];
        struct arena before = j->room;

        if (j->n && !picture_source_ready(&j->source)) {
            flush(j);
            continue;
        }
        *it = (struct codes_item){0};
        if (tool_next_picture(&j->t, &j->source, &p, &it->err) == 0)
            break;
        if (!(it->file = arena_str(&j->room, p.name, strlen(p.name))))
            die("out of memory");
        if (take_picture(j, it, &p))
            push(j);
        else
            j->room = before;
        image_file_free(p.bytes);
    }
    flush(j);
    picture_source_close(&j->source);
}

static void open_model(struct job *j) {
    struct model_paths p = tool_models(&j->t);
    struct err e = {0};

    if (vq_open(&j->m, j->net.decode ? VQ_DECODER : VQ_ENCODER, &p, &j->t.compute, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    j->net.m = &j->m;
    j->net.compute = &j->t.compute;
    j->fit = (struct codes_fit){(size_t)(j->side < 0 ? (int64_t)j->m.side : j->side), j->whole, j->m.config.factor};
    if (!j->net.decode && j->fit.side % j->m.config.factor)
        die("--side: %zu is not a multiple of %zu", j->fit.side, j->m.config.factor);
    if (j->t.verbose)
        warn("%s: %s of %zu codes, a token stands for %zu x %zu pixels", j->m.file, vq_config_name(&j->m.config), j->m.config.codes,
             j->net.decode ? j->m.config.ratio : j->m.config.factor, j->net.decode ? j->m.config.ratio : j->m.config.factor);
}

/* ---- options ---- */

enum { FILES = 1, RECORDS = 2, DECODE = 4 };

static const char *const mode[] = {"files", "records", "-d"};
static const struct opt_use uses[] = {{FILES, "files0-from side whole id exif max-pixels tar"}, {DECODE, "u8 force"}};

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}, .side = -1, .max_pixels = IMAGE_MAX_PIXELS};
    const struct opt own[] = {
        {'d', "decode", OPT_FLAG, &j.net.decode, NULL, "tokens to pictures", 0, 0, NULL},
        {0, "files0-from", OPT_STR, &j.files0, "F", "read picture names, each ended by NUL, from F (-: standard input)", 0, 0, NULL},
        {0, "side", OPT_INT, &j.side, "S", "scale files to S on the shorter side (the model's; 0: leave them)", 0, 16384, NULL},
        {0, "whole", OPT_FLAG, &j.whole, NULL, "do not cut a square out of files", 0, 0, NULL},
        {0, "id", OPT_CHOICE, &j.id, "KIND", "ids of files: their path, or a hash of their content", 0, 0, "path|content"},
        {0, "exif", OPT_FLAG, &j.exif, NULL, "turn files as their EXIF says", 0, 0, NULL},
        {0, "max-pixels", OPT_INT, &j.max_pixels, "N", "refuse larger files before they are decoded", 1, 4e9, NULL},
        {0, "tar", OPT_FLAG, &j.tar, NULL, "the files are tar archives of pictures (none: standard input)", 0, 0, NULL},
        {0, "u8", OPT_FLAG, &j.net.u8, NULL, "write pictures as bytes", 0, 0, NULL},
        {0, "force", OPT_FLAG, &j.net.force, NULL, "decode tokens of another codebook", 0, 0, NULL},
    };
    int at = tool_start(&j.t, "vq", argc, argv, SYNOPSIS,
                        TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_BATCH | TOOL_PROGRESS, own,
                        sizeof own / sizeof *own);

    static char dash[] = "-", *standard_input[] = {dash};
    const bool files = !j.net.decode && (j.files0 || j.tar || at < argc);

    TOOL_CHECK_USES(&j.t, uses, mode, j.net.decode ? DECODE : files ? FILES : RECORDS);
    if (files && !j.files0 && at == argc)
        argv = standard_input, argc = 1, at = 0;
    if (j.files0 && at < argc)
        die("%s: files cannot be named together with --files0-from", argv[at]);
    if (!j.net.decode && j.t.machine.precision < 0)    /* in f32 the tokens are those of the reference */
        j.t.machine.precision = PREC_F32;
    tool_reads_all(&j.t, argc - at, argv + at);
    tool_reads(&j.t, j.files0);
    j.t.output.prune = files;
    tool_output(&j.t, 1, j.net.decode ? DECODED : FIELDS);
    tool_compute(&j.t);
    open_model(&j);
    j.net.together = j.t.input.batch ? (size_t)j.t.input.batch : 1;
    j.capacity = j.t.input.batch ? j.net.together : size_max(INPUTS, (size_t)pool_threads(j.t.compute.pool));
    codes_alone(&j.net, &j.t.arena);
    j.item = arena_take(&j.t.arena, j.capacity, sizeof *j.item);
    if (!j.item || arena_split(&j.t.arena, (size_t)(j.t.arena.end - j.t.arena.at) / 2, &j.mem, &j.room) < 0)
        die("out of memory");
    j.empty = j.room;
    j.t.input.flush = flush;
    j.t.input.flush_of = &j;
    if (files)
        take_files(&j, argv + at, (size_t)(argc - at));
    else
        tool_streams(&j.t, argc - at, argv + at, take_record, &j);
    return tool_finish(&j.t);
}
