/* clip-embed - turn tokens and pictures into the embeddings of CLIP
 *
 * Reads: names of picture files, or records with `tokens` or `image` on standard input.
 * Writes: records with text_embed and text_states, or image_embed.
 * Memory: the towers that are needed, one batch, and a ring of cropped pictures.  It does not grow with the input.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "formats/image/image_queue.h"
#include "tools/common/about.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/overlays.h"
#include "tools/common/paths.h"
#include "tools/common/pictures.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/stage/embed.h"

#define SYNOPSIS "[-Sqv] [-m PATH]... [-b N] [-j N] [-o FILE] [option]... [file]..."

enum { BATCH = 16, RING = 3, SIDE_MAX = 4096 };    /* RING: batches of crops that are read ahead */

static const char *const FIELDS[] = {"text_embed", "image_embed"};

struct job {
    struct tool t;
    struct embed_options o;
    struct towers w;
    struct arena_mem mem;
    struct arena room, empty;   /* room: the memory of one batch, of which some may be taken; empty: all of it */
    struct embed_item *item;    /* [batch] */
    size_t n;
    struct picture_source source;
    struct image_queue *queue;
    const char *files0;
    struct overlays overlay;
    int only, dtype, id, crop;
    bool no_states, features, exif, tar, info, verify, prune;
    int64_t keep, max_pixels;
};

/* ---- a batch ---- */

static bool skip(struct job *j, struct span id, struct file_stamp stamp, struct span map, const struct record *r,
                 unsigned todo) {
    struct span fp[2];

    embed_fingerprints(&j->w, r, todo, fp);
    return tool_skip(&j->t, id, stamp, map, 2, fp);
}

static void finish_item(struct job *j, struct embed_item *it) {
    struct arena before = j->room;    /* restored at the end, which frees what embed_set takes */

    if (!it->err.msg[0])
        embed_set(it, &j->o, &j->w, &j->room, &it->err);
    tool_item_end(&j->t, it->file, it->number, &it->r, it->err.msg, j->room);
    j->room = before;
}

/* Embed the items that wait, and write their records in the order of the input. */
static void flush(void *job) {
    struct job *j = job;
    struct err e = {0};
    size_t n = j->n;

    j->n = 0;
    if (n && embed_run(j->item, n, &j->o, &j->w, &j->room, &e) < 0)
        die("%s", e.msg);
    for (size_t i = 0; i < n && !tool_stopped(); i++)
        finish_item(j, &j->item[i]);
    j->room = j->empty;
    if (n)
        tool_progress(&j->t, j->files0 || j->tar ? 0 : j->source.names.noperands);
}

/* ---- records ---- */

/* Is the result in the output already?  If nothing is to be computed, the record's own clip-embed parameters are compared. */
static bool skip_record(struct job *j, const struct embed_item *it) {
    struct arena a = j->room;
    struct err e = {0};
    struct span map;

    if (!j->t.output.skip_from || it->err.msg[0])
        return false;
    if (it->todo && embed_params(&j->o, &j->w, it->todo, false, NULL, &map, &a, &e) < 0)
        die("%s", e.msg);
    if (!it->todo && record_params_of(&it->r, j->t.name, &map) <= 0)
        return tool_written(&j->t, &it->r, a) && ++j->t.skipped;
    return skip(j, it->r.id, resume_stamp(&it->r), map, &it->r, it->todo);
}

/* Take a copy of the record, because the stream uses the record's memory again for the next record. */
static int take_record(void *job, struct record *r, struct arena *scratch, struct err *e) {
    struct job *j = job;
    struct embed_item *it = &j->item[j->n];

    (void)scratch;
    *it = (struct embed_item){.number = j->t.input.number};
    if (record_clone(&it->r, r, &j->room, e) < 0 || embed_plan(it, &j->o, &j->w, e) < 0)
        die("%s", e->msg);
    if (!skip_record(j, it)) {
        if (embed_load(it, &j->w, &j->room, e) < 0)
            die("%s", e->msg);
        j->n++;
    }
    if (j->n == (size_t)j->t.input.batch)
        flush(j);
    if (!j->n)
        j->room = j->empty;
    return 0;
}

/* ---- files ---- */

/* Is the picture another shard's, or does the output hold its result already?  name is the file's name or hash. */
static bool not_ours(struct job *j, const char *name, struct file_stamp stamp, const struct overlay *o) {
    struct arena a = j->room;
    const char *text = overlay_name(o, name, &a);
    struct span id, map;
    struct err e = {0};
    bool bin;

    if (!text)
        die("out of memory");
    if (record_id(span_of(text), &id, &bin, &a, &e) < 0 ||
        embed_params(&j->o, &j->w, EMBED_IMAGE, j->o.keep, o, &map, &a, &e) < 0)
        die("%s", e.msg);
    return tool_other_shard(&j->t, id) || skip(j, id, stamp, map, NULL, EMBED_IMAGE);
}

/* Queues each picture once for each overlay, until the queue is full.  Returns false if no picture is left or at a stop. */
static bool push_pictures(struct job *j, size_t slots) {
    while (image_queue_count(j->queue) + j->overlay.n <= slots && !tool_stopped()) {
        struct picture p;
        struct err e = {0};
        bool loaded = false;
        int got;

        if (image_queue_count(j->queue) && !picture_source_ready(&j->source))
            return true;
        if ((got = tool_next_picture(&j->t, &j->source, &p, &e)) == 0)
            return false;
        if (j->t.output.skip_from && got > 0 && p.file)
            p.stamp = file_stamp_named(p.name);
        for (size_t i = 0; i < (got < 0 ? 1 : j->overlay.n); i++) {
            if (got > 0 && !j->id && not_ours(j, p.name, p.stamp, &j->overlay.v[i]))
                continue;
            if (got > 0 && !loaded)
                got = tool_load_picture(&j->t, &j->source, &p, &e), loaded = true;
            if (got == 0 || tool_stopped())    /* got == 0: a member of an archive that is not a picture */
                break;
            image_queue_push(j->queue, &p, &j->overlay.v[i], e.msg);
        }
        image_file_free(p.bytes);
    }
    return true;
}

static void add_file(struct job *j, struct image_item *q) {
    struct embed_item *it = &j->item[j->n];
    const char *key = j->id && q->hash[0] ? q->hash : q->name, *name = overlay_name(q->overlay, key, &j->room);
    struct err e = {0};

    if (q->note[0] && j->t.verbose)
        warn("%s: %s", q->name, q->note);
    if (!name)
        die("out of memory");
    if (key == q->hash && not_ours(j, key, (struct file_stamp){0}, q->overlay))
        return;
    *it = (struct embed_item){.file = q->name, .overlay = q->overlay, .todo = EMBED_IMAGE, .crop = q->crop,
                              .kept = q->kept, .err = q->err};
    if (record_of_file(&it->r, q->name, name, &q->stamp, &j->room, &e) < 0 ||
        record_set_member(&it->r, q->archive, q->caption, &e) < 0)
        die("%s", e.msg);
    j->n++;
}

static void start_queue(struct job *j, size_t slots) {
    struct image_queue_options q = {
        .slots = slots, .threads = (size_t)j->t.machine.threads, .hash = j->id,
        .read = {.max_pixels = (uint64_t)j->max_pixels, .exif = j->exif},
    };
    struct embed_item file = {.file = ""};
    struct err e = {0};

    if (embed_plan(&file, &j->o, &j->w, &e) < 0)
        die("%s", e.msg);
    tool_check_vocabulary(&j->t, &j->w.paths, j->w.vision_model);
    j->o.keep = j->keep > 0 ? (size_t)j->keep : j->keep ? j->w.vision_model->prep.crop : 0;
    embed_crops(&j->o, &j->w, &q);
    j->queue = image_queue_start(&q, &j->t.arena, &e);
    if (!j->queue)
        die("%s", e.msg);
}

static void embed_files(struct job *j, char *names[], size_t n) {
    size_t slots = (size_t)(RING * j->t.input.batch + j->t.machine.threads) + j->overlay.n - 1, count;
    struct err e = {0};
    bool more = true;

    if (picture_source_open(&j->source, names, n, j->files0, &j->t.arena, &e) < 0)
        die("%s: %s", j->files0, e.msg);
    j->source.tar = j->tar;
    for (start_queue(j, slots); !tool_stopped(); j->room = j->empty) {
        more = more && push_pictures(j, slots);
        count = image_queue_count(j->queue);
        if (!count && !more)
            break;
        count = count < (size_t)j->t.input.batch ? count : (size_t)j->t.input.batch;
        for (size_t i = 0; i < count; i++)
            add_file(j, image_queue_at(j->queue, i));
        flush(j);
        image_queue_pop(j->queue, count);
    }
    image_queue_stop(j->queue);
    picture_source_close(&j->source);
}

/* ---- options ---- */

enum { FILES = 1, RECORDS = 2, ABOUT = 4 };

static const char *const mode[] = {"files", "records", "--info, --verify and --prune"};
static const struct opt_use uses[] = {
    {FILES, "keep-image id exif max-pixels tar"},
    {FILES | RECORDS, "output batch shard skip-from keep-errors only no-states features dtype"},
};

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.input = {.batch = BATCH}}, .max_pixels = IMAGE_MAX_PIXELS, .overlay = {.size = 0.2}};
    const struct opt own[] = {
        {0, "files0-from", OPT_STR, &j.files0, "F", "read picture names, each ended by NUL, from F (-: standard input)", 0, 0, NULL},
        {0, "only", OPT_CHOICE, &j.only, "SIDE", "compute text or image, not both", 0, 0, "both|text|image"},
        {'S', "no-states", OPT_FLAG, &j.no_states, NULL, "leave out text_states", 0, 0, NULL},
        {0, "features", OPT_FLAG, &j.features, NULL, "add image_features, the vector before the projection", 0, 0, NULL},
        {0, "keep-image", OPT_MAYBE_INT, &j.keep, "SIDE", "store each file's crop, SIDE pixels wide", 1, SIDE_MAX, NULL},
        {0, "dtype", OPT_CHOICE, &j.dtype, "TYPE", "of the vectors: f32 or f16", 0, 0, "f32|f16"},
        {0, "id", OPT_CHOICE, &j.id, "KIND", "ids of files: their path, or a hash of their content", 0, 0, "path|content"},
        {0, "exif", OPT_FLAG, &j.exif, NULL, "turn files as their EXIF says", 0, 0, NULL},
        {0, "crop", OPT_CHOICE, &j.crop, "RULE", "of rounding: the model's, torchvision or hf", 0, 0, "model|torchvision|hf"},
        {0, "max-pixels", OPT_INT, &j.max_pixels, "N", "refuse larger files before they are decoded", 1, 4e9, NULL},
        OVERLAY_OPTIONS(j.overlay),
        {0, "info", OPT_FLAG, &j.info, NULL, "print what was recognised in the model, and end", 0, 0, NULL},
        {0, "tar", OPT_FLAG, &j.tar, NULL, "the files are tar archives of pictures (none: standard input)", 0, 0, NULL},
        {0, "prune", OPT_FLAG, &j.prune, NULL, "remove from the indexes FILE... the records of pictures that changed or are gone, and end", 0, 0, NULL},
        {0, "verify", OPT_FLAG, &j.verify, NULL, "check the weights against OpenAI's published SHA-256, and end", 0, 0, NULL},
    };
    int at = tool_start(&j.t, "clip-embed", argc, argv, SYNOPSIS,
                        TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_BATCH | TOOL_PROGRESS,
                        own, sizeof own / sizeof *own);

    static char dash[] = "-", *standard_input[] = {dash};
    const bool files = j.files0 || j.tar || at < argc;

    TOOL_CHECK_USES(&j.t, uses, mode, j.info || j.verify || j.prune ? ABOUT : files ? FILES : RECORDS);
    if (j.tar && !j.files0 && at == argc)
        argv = standard_input, argc = 1, at = 0;
    if (j.prune)
        return tool_prune(&j.t, argc - at, argv + at), tool_finish(&j.t);
    j.w = (struct towers){.paths = tool_models(&j.t), .compute = &j.t.compute, .keep = &j.t.arena,
                          .batch = (size_t)j.t.input.batch};
    j.o = (struct embed_options){.program = j.t.name, .states = !j.no_states, .features = j.features, .exif = j.exif,
        .sides = j.only == 1 ? EMBED_TEXT : j.only == 2 ? EMBED_IMAGE : EMBED_TEXT | EMBED_IMAGE,
        .dtype = j.dtype == 1 ? DT_F16 : DT_F32,
        .rule = j.crop == 1 ? CROP_TORCHVISION : j.crop == 2 ? CROP_HF : -1};
    if (j.info || j.verify)
        return tool_about_clip(&j.t, &j.w.paths, j.info, j.verify), tool_finish(&j.t);
    if (j.files0 && at < argc)
        die("%s: files cannot be named together with --files0-from", argv[at]);
    if (files && j.only == 1)
        die("--only text: files have no text");
    if (j.overlay.text.n && !files)
        die("--overlay: only picture files get text");
    tool_overlays(&j.t, &j.overlay);
    tool_reads_all(&j.t, argc - at, argv + at);
    tool_reads(&j.t, j.files0), tool_reads(&j.t, j.overlay.font);
    j.t.output.prune = files;
    tool_output(&j.t, 2, FIELDS);
    tool_compute(&j.t);
    j.item = arena_take(&j.t.arena, (size_t)j.t.input.batch, sizeof *j.item);
    if (!j.item || arena_split(&j.t.arena, (size_t)(j.t.arena.end - j.t.arena.at) / 4, &j.mem, &j.room) < 0)
        die("out of memory");
    j.empty = j.room;
    if (files) {
        embed_files(&j, argv + at, (size_t)(argc - at));
    } else {
        j.t.input.flush = flush, j.t.input.flush_of = &j;
        tool_streams(&j.t, 0, NULL, take_record, &j);
    }
    return tool_finish(&j.t);
}
