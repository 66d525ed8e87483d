/* clip-tok - text to the tokens of CLIP or of another model, and back
 *
 * Reads: texts, one on each line of files or of standard input; or operands, each of which is a text.
 * Writes: for each text a record with id, text, tokens and truncated; with --ids or --decode, lines of text.
 * Memory: the vocabulary, and at most 100 bytes for each byte of the longest text (TEXT_MAX bytes).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/lines.h"
#include "tools/common/input.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/tool.h"
#include "tools/stage/token_line.h"
#include "tools/stage/vocabulary.h"

#define SYNOPSIS "[-0qv] [-m PATH]... [-f FILE]... [-o FILE] [option]... [text]...\n" \
                 "       clip-tok --decode [-0] [-m PATH]... [--ids] [file]..."

enum { TEXT_MAX = 16 << 20, SHOWN = 60 };
enum { CUT_WARN, CUT_ERROR, CUT_SILENT };

static const char *const FIELDS[] = {"tokens"};

struct job {
    struct tool t;
    struct vocabulary words;
    struct span params;        /* the parameters of this run, as records have them */
    int64_t context;           /* the most tokens of a text; 0 until the model's limit is known */
    int cut, id;
    bool special, ids, decode;
    struct strs files;
    struct lines lines;
};

/* ---- the vocabulary ---- */

static void open_model(struct job *j) {
    struct model_paths p = tool_models(&j->t);
    struct err e = {0};

    if (vocabulary_open(&j->words, &p, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    if (j->context == 0)
        j->context = (int64_t)j->words.context;
    if (j->t.verbose)
        fprintf(stderr, "clip-tok: %s: %zu merges, vocabulary %s, at most %" PRId64 " tokens\n", j->words.path,
                j->words.words ? j->words.word.rules : j->words.bpe.merges, j->words.hash, j->context);
}

static void make_params(struct job *j) {
    struct mp m;
    size_t begin;

    mp_open(&m, &j->t.arena);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, "context"), mp_int(&m, j->context);
    mp_cstr(&m, "special"), mp_bool(&m, j->special);
    mp_map_end(&m, begin);
    if (m.full)
        die("out of memory");
    j->params = mp_span(&m);
}

/* ---- text to tokens ---- */

/* Lines of text are written through stdout: make standard output the file of -o. */
static void open_text(struct job *j) {
    if (!j->t.output.open && dup2(tool_out(&j->t), 1) < 0)
        die_errno("%s", j->t.output.name);
}

static void print_ids(struct job *j, const struct bpe_tokens *t) {
    open_text(j);
    for (size_t i = 0; i < t->n; i++)
        printf("%s%d", i ? " " : "", t->id[i]);
    putchar(j->t.input.nul ? 0 : '\n');
}

static void write_record(struct job *j, struct span id, bool bin, struct span text,
                         const struct bpe_tokens *t, bool truncated, struct arena a) {
    int64_t *ids = arena_take(&a, t->n, sizeof *ids);
    struct err e = {0};
    struct record r;

    for (size_t i = 0; ids && i < t->n; i++)
        ids[i] = t->id[i];
    if (!ids || record_new(&r, id, bin, &a, &e) < 0 || record_set_text(&r, "text", text, &e) < 0 ||
        record_set_ints(&r, "tokens", ids, t->n, &e) < 0 ||
        record_set_bool(&r, "truncated", truncated, &e) < 0 ||
        record_set_sub_text(&r, "model", "tokens", span_of(j->words.hash), &e) < 0 ||
        record_add_params(&r, "clip-tok", j->params, &e) < 0)
        die("%s", e.msg[0] ? e.msg : "out of memory");
    tool_write(&j->t, &r, a);
}

/* Quote the part of a text that is cut off: the whole part if it is short, else its beginning. */
static void cut_message(char *msg, size_t room, const struct job *j, const struct bpe_tokens *t, struct span clean) {
    struct span s = span_bytes(clean.p + t->cut, clean.n - t->cut);
    char shown[4 * SHOWN + 16];
    bool more = s.n > SHOWN;

    if (more)
        for (s.n = SHOWN; s.n > 0 && (s.p[s.n] & 0xc0) == 0x80; s.n--)
            ;
    if (!s.n) {    /* a vocabulary that does not say where a token ends in the text */
        snprintf(msg, room, "%zu tokens, the limit is %" PRId64 ": the end is cut off", t->n, j->context);
        return;
    }
    snprintf(msg, room, "%zu tokens, the limit is %" PRId64 ": '%s%s' is cut off", t->n, j->context,
             tool_quote(s, shown, sizeof shown), more ? "..." : "");
}

/* Encode one text.  `where` is the text's place, as messages name it. */
static void do_text(struct job *j, struct span text, const char *where) {
    struct span hash = span_of(j->words.hash), id, clean;
    struct arena a = j->t.arena;
    struct bpe_tokens t;
    struct err e = {0};
    char msg[512];
    bool bin = false, truncated;

    if ((j->id ? record_content_id(text.p, text.n, &id, &a, &e) : record_id(text, &id, &bin, &a, &e)) < 0)
        die("%s", e.msg);
    if (tool_other_shard(&j->t, id) || tool_skip(&j->t, id, (struct file_stamp){0}, j->params, 1, &hash))
        return;
    if (vocabulary_encode(&j->words, text, j->special, (size_t)j->context, &t, &clean, &a, &e) < 0) {
        tool_input_failed(&j->t, where, id, e.msg, a);
        return;
    }
    truncated = t.n > (size_t)j->context;
    if (truncated && j->cut != CUT_SILENT) {
        cut_message(msg, sizeof msg, j, &t, clean);
        if (j->cut == CUT_ERROR) {
            tool_input_failed(&j->t, where, id, msg, a);
            return;
        }
        if (!j->t.quiet)
            warn("%s: %s", where, msg);
    }
    vocabulary_truncate(&j->words, &t, (size_t)j->context);
    if (j->ids)
        print_ids(j, &t);
    else
        write_record(j, id, bin, text, &t, truncated, a);
    j->t.done++;
}

/* ---- tokens to text ---- */

static void print_text(struct job *j, const int64_t *id, size_t n, struct arena a, struct err *e) {
    size_t len;
    char *s = vocabulary_decode(&j->words, id, n, j->special, &len, &a, e);

    if (!s)
        return;
    open_text(j);
    fwrite(s, 1, len, stdout);
    putchar(j->t.input.nul ? 0 : '\n');
    j->t.done++;
}

/* Decode a line of token ids, as --ids writes them. */
static void do_ids(struct job *j, struct span line, const char *where) {
    struct arena a = j->t.arena;
    struct err e = {0};
    int64_t *id;
    size_t n;

    if (token_line(line, &id, &n, &a, &e) == 0)
        print_text(j, id, n, a, &e);
    if (e.msg[0])
        tool_input_failed(&j->t, where, (struct span){0}, e.msg, a);
}

static void do_record(struct job *j, const struct stream *s, struct record *r, struct arena a) {
    struct err e = {0};
    struct span hash;
    int64_t *id;
    size_t n;

    if (record_sub_str(r, "model", "tokens", &hash, &e) > 0 &&
        !span_is(hash, j->words.hash))
        err_set(&e, "its tokens are of another vocabulary");
    if (!e.msg[0] && record_ints(r, "tokens", &id, &n, &a, &e) == 0)
        err_set(&e, "no tokens (clip-tok makes them of a text)");
    if (!e.msg[0])
        print_text(j, id, n, a, &e);
    if (e.msg[0])
        tool_record_failed(&j->t, s->name, s->number, r, e.msg);
}

static void do_stream(struct job *j, const char *name) {
    struct stream s;
    struct record r;

    if (tool_stream(&j->t, &s, name) < 0)
        return;
    for (;;) {
        struct arena a = j->t.arena;
        if (!tool_next(&j->t, &s, &r, &a))
            break;
        do_record(j, &s, &r, a);
    }
    stream_close(&s);
}

/* ---- input ---- */

static void do_items(struct job *j, const char *name) {
    struct lines *in = &j->lines;
    struct err e = {0};
    struct span line;
    char where[4200];
    int r;

    if (lines_open(in, name, j->t.input.nul ? 0 : '\n', TEXT_MAX, &j->t.arena, &e) < 0) {
        tool_input_failed(&j->t, name, (struct span){0}, e.msg, j->t.arena);
        return;
    }
    while (!tool_stopped() && (err_clear(&e), r = lines_next(in, &line, &e)) != 0) {
        if (r == -2 && errno == EINTR)
            continue;
        snprintf(where, sizeof where, "%s: %s %" PRIu64, name, j->t.input.nul ? "item" : "line", in->number);
        if (r < 0)
            tool_input_failed(&j->t, r == -2 ? name : where, (struct span){0}, e.msg, j->t.arena);
        else if (j->decode)
            do_ids(j, line, where);
        else
            do_text(j, line, where);
        if (r == -2)
            break;
        tool_progress(&j->t, 0);
    }
    lines_close(in);
}

static void do_operands(struct job *j, int n, char *text[]) {
    char where[32];

    for (int i = 0; i < n && !tool_stopped(); i++) {
        snprintf(where, sizeof where, "text %d", i + 1);
        do_text(j, span_of(text[i]), where);
    }
}

static void open_output(struct job *j) {
    j->t.output.text = j->ids || j->decode;
    if (j->t.output.text && j->t.output.skip_from)
        die("--skip-from needs records, not lines");
    tool_output(&j->t, sizeof FIELDS / sizeof *FIELDS, FIELDS);
}

enum { TEXTS = 1, DECODE = 2, LINES = 4 };

static const char *const mode[] = {"texts", "--decode of records", "--decode --ids"};
static const struct opt_use uses[] = {{TEXTS, "file truncate context id"}, {TEXTS | DECODE, "shard"}};

int main(int argc, char *argv[]) {
    static struct job j;
    const struct opt own[] = {
        {'f', "file", OPT_LIST, &j.files, "FILE", "texts are the lines of FILE; - is standard input", 0, 0, NULL},
        {0, "truncate", OPT_CHOICE, &j.cut, "HOW", "texts over the limit: warn, error or silent", 0, 0, "warn|error|silent"},
        {0, "context", OPT_INT, &j.context, "N", "at most N tokens; default: the model's limit", 2, 1 << 20, NULL},
        {0, "special", OPT_FLAG, &j.special, NULL, "<|startoftext|> and <|endoftext|> in texts are special", 0, 0, NULL},
        {0, "id", OPT_CHOICE, &j.id, "KIND", "ids are the text, or a hash of its content", 0, 0, "text|content"},
        {0, "ids", OPT_FLAG, &j.ids, NULL, "write (or with --decode read) lines of token ids", 0, 0, NULL},
        {0, "decode", OPT_FLAG, &j.decode, NULL, "tokens to text: operands are files of records", 0, 0, NULL},
    };
    int at = tool_start(&j.t, "clip-tok", argc, argv, SYNOPSIS,
                        TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_NUL | TOOL_PROGRESS, own,
                        sizeof own / sizeof *own);

    TOOL_CHECK_USES(&j.t, uses, mode, !j.decode ? TEXTS : j.ids ? LINES : DECODE);
    tool_reads_all(&j.t, (int)j.files.n, (char **)(uintptr_t)j.files.v);
    if (j.decode)
        tool_reads_all(&j.t, argc - at, argv + at);
    open_output(&j);
    open_model(&j);
    make_params(&j);
    if (at == argc && j.files.n == 0)
        j.files.v[j.files.n++] = "-";
    if (!j.decode)
        do_operands(&j, argc - at, argv + at);
    for (int i = at; j.decode && i < argc; i++)
        j.ids ? do_items(&j, argv[i]) : do_stream(&j, argv[i]);
    for (size_t i = 0; i < j.files.n; i++)
        j.decode && !j.ids ? do_stream(&j, j.files.v[i]) : do_items(&j, j.files.v[i]);
    return tool_finish(&j.t);
}
