/* image-out - records' pictures to files, to a contact sheet, to a page, or onto the terminal
 *
 * Reads: records with image or the name of a picture file, or for SVG with svg; with --read, picture files that image-out wrote.
 * Writes: PNG, JPEG, PPM, SVG or HTML files; escape sequences; with --read, JSON lines.
 * Memory: one picture and its file; for a sheet all pictures, 67 million pixels at most.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "formats/image/image_write.h"
#include "formats/io/file_replace.h"
#include "formats/io/pathname.h"
#include "formats/io/write_all.h"
#include "lib/image/sheet.h"
#include "tools/common/input.h"
#include "tools/common/output.h"
#include "tools/common/page_out.h"
#include "tools/common/terminal_here.h"
#include "tools/common/tool.h"
#include "tools/stage/caption.h"
#include "tools/stage/missing.h"
#include "tools/stage/name_pattern.h"
#include "tools/stage/named_picture.h"

#define SYNOPSIS                                                                                    \
    "[-o PATTERN] [-Q N] [--format NAME] [--sheet[=COLUMNS]] [--caption LIST] [file ...]\n"        \
    "       image-out --html FILE [--caption LIST] [file ...]\n"                                   \
    "       image-out --show[=PROTOCOL] [--sheet[=COLUMNS]] [--caption LIST] [file ...]\n"          \
    "       image-out --read picture ..."

struct job {
    struct tool t;
    const char *out, *caption, *font, *html;
    int64_t quality, columns, side;    /* columns: 0: no sheet, -1: sheet_plan chooses the number */
    int format, show;              /* format: 0: the file's name decides; show: -1: not given, else an enum terminal */
    bool read, svg;
    enum image_kind kind;
    bool to_stdout, named;         /* named: a record referred to a picture file, so the pattern may expand to its name */
    size_t directives;
    uint64_t files;
    struct name_set names;
    struct page_out page;
    struct sheet sheet;
    struct sheet_cell *cell;       /* [sheet.n] */
    struct mp params, title, file;
    struct arena_mem mem[6];
    struct arena params_room, title_room, file_room, names_room, keep, cell_room;
};

/* ---- options ---- */

static int parse(struct job *j, int argc, char *argv[]) {
    const struct opt own[] = {
        {'o', "output", OPT_STR, &j->out, "PATTERN", "names of the files: %d number, %i id, %b its base, %r root, %s sample; - is stdout", 0, 0, NULL},
        {'Q', "quality", OPT_INT, &j->quality, "N", "of JPEG, 1 to 100 (92)", 1, 100, NULL},
        {0, "caption", OPT_STR, &j->caption, "LIST", "fields below the pictures of a sheet; default: text, else id; none", 0, 0, NULL},
        {0, "font", OPT_STR, &j->font, "FILE", "of the captions of a sheet", 0, 0, NULL},
        {0, "format", OPT_CHOICE, &j->format, "NAME", "png, jpeg, ppm or svg; default: what the name ends in", 0, 0, "auto|png|jpeg|ppm|svg"},
        {0, "html", OPT_STR, &j->html, "FILE", "all pictures on one page for a browser, with labels and scores", 0, 0, NULL},
        {0, "read", OPT_FLAG, &j->read, NULL, "print the parameters inside PNG and JPEG files as JSON lines", 0, 0, NULL},
        {0, "shard", OPT_STR, &j->t.input.shard, "I/N", "do only the records whose root hashes to part I of N", 0, 0, NULL},
        {0, "sheet", OPT_MAYBE_INT, &j->columns, "COLUMNS", "all pictures on one", 1, 1000000, NULL},
        {0, "show", OPT_MAYBE_CHOICE, &j->show, "PROTOCOL", "draw on the terminal: auto, kitty or sixel", 0, 0, "auto|kitty|sixel"},
        {0, "size", OPT_INT, &j->side, "N", "scale each picture so that its longer side has N pixels", 1, 16384, NULL},
        {0, "strict", OPT_FLAG, &j->t.input.strict, NULL, "stop at the first record that fails", 0, 0, NULL},
        {0, "svg", OPT_FLAG, &j->svg, NULL, "write the strokes of clip-draw: --format=svg", 0, 0, NULL},
    };

    return tool_start(&j->t, "image-out", argc, argv, SYNOPSIS, 0, own, sizeof own / sizeof *own);
}

enum { TO_FILES = 1, SHEET = 2, SHOW = 4, READ = 8, HTML = 16 };
static const char *const mode[] = {"files", "--sheet", "--show", "--read", "--html"};
static const struct opt_use uses[] = {
    {TO_FILES, "output quality format svg"}, {SHEET | SHOW | HTML, "caption"}, {TO_FILES | SHOW, "sheet"},
    {TO_FILES | SHOW | HTML, "shard size"}, {TO_FILES | SHEET | SHOW, "show"}, {HTML, "html"},
};

static void choose_output(struct job *j) {
    struct err e = {0};

    TOOL_CHECK_USES(&j->t, uses, mode, j->read ? READ : j->html ? HTML : (j->show >= 0 ? SHOW : TO_FILES) | (j->columns ? SHEET : 0));
    if (j->html) {
        tool_page_file(j->html);
        tool_writes(&j->t, j->html);
    }
    if (j->read || j->html)
        return;
    if (j->show == TERMINAL_UNKNOWN)
        j->show = (int)tool_terminal();
    if (j->show >= 0)
        return;
    if (!j->out && isatty(1))
        die("pictures are not for a terminal: use -o FILE, --show, a pipe, or -o -");
    j->to_stdout = !j->out || !strcmp(j->out, "-");
    j->kind = j->format ? (enum image_kind)(j->format - 1) : j->svg ? IMAGE_SVG : IMAGE_PNG;
    if (j->svg && j->kind != IMAGE_SVG)
        die("--svg: --format names another format");
    if (!j->to_stdout && name_parse(j->out, &j->directives, &e) < 0)
        die("-o: %s", e.msg);
    if (!j->to_stdout && !j->format && !j->svg && !image_kind_of(j->out, &j->kind))
        die("-o: '%s' ends in none of .png .jpg .jpeg .ppm .svg: use --format", j->out);
    if (j->quality && j->kind != IMAGE_JPEG)
        die("--quality is for JPEG");
    if (j->kind == IMAGE_SVG && (j->columns || j->side))
        die("--%s: an SVG file has no pixels", j->columns ? "sheet" : "size");
}

/* Make regions for what grows from record to record. */
static void make_rooms(struct job *j) {
    struct arena *const room[] = {&j->params_room, &j->title_room, &j->names_room, &j->cell_room, &j->file_room, &j->keep};
    size_t all = (size_t)(j->t.arena.end - j->t.arena.at);

    for (size_t i = 0; i < sizeof room / sizeof *room; i++)
        if (arena_split(&j->t.arena, all / (i < 4 ? 16 : 8), &j->mem[i], room[i]) < 0)
            die("out of memory");
    mp_open(&j->params, &j->params_room);
    mp_open(&j->title, &j->title_room);
    mp_open(&j->file, &j->file_room);
}

/* ---- pictures to where they go ---- */

static void write_stdout(const void *p, size_t n) {
    if (write_all(1, p, n) < 0)
        die_errno("write error");
}

/* Would the next picture fail for the same reason?  why is an errno. */
static bool for_all(int why) {
    return why == ENOSPC || why == EDQUOT || why == EROFS || why == EIO || why == ENOENT;
}

/* Write j->file.  im is the picture, or NULL for SVG. */
static int put_file(struct job *j, const struct record *r, const struct record_image *im, struct arena a, struct err *e) {
    const char *name = j->to_stdout ? "" : name_make(j->out, r, j->files + 1, &a, e);
    struct err why = {0};
    int new;

    if (!name)
        return -1;
    if (j->to_stdout)
        return write_stdout(j->file.p, j->file.n), 0;
    if (!j->directives && j->files)
        die("%s: a second picture for the same file (use %%d or %%i in its name, --sheet, or -o -)", j->out);
    new = name_set_add(&j->names, name, &j->names_room);
    if (new <= 0)
        return err_set(e, new ? "out of memory" : "'%s' was written already: use %%d in its name", name);
    if (tool_is_input(&j->t, name))
        return err_set(e, "%s: input file is output file", name);
    if (tool_has_records(name))
        return err_set(e, "%s: a stream of records, which pictures do not replace", name);
    if (j->named && image_is_foreign(name, a))
        return err_set(e, "%s: a picture in which image-out stored no record is not replaced", name);
    errno = 0;
    if (file_replace(name, j->file.p, j->file.n, &why) < 0 && for_all(errno))
        die("%s: %s", name, why.msg);
    if (why.msg[0])
        return err_set(e, "%s: %s", name, why.msg);
    if (j->t.verbose)
        im ? warn("%s: %zu x %zu pixels", name, im->w, im->h) : warn("%s", name);
    j->files++;
    return 0;
}

/* Show a picture, or write it and its parameters as one file. */
static int deliver(struct job *j, const struct record *r, const struct record_image *im, struct arena a, struct err *e) {
    struct image_about about = {.params = mp_span(&j->params), .title = mp_span(&j->title), .quality = (int)j->quality};

    j->file.n = 0;
    if (j->show >= 0)    /* a sheet's captions are in the sheet's picture */
        return tool_show((enum terminal)j->show, r, im, j->columns ? "none" : j->caption, &j->title, &j->file, a, e);
    while (about.params.n && about.params.p[about.params.n - 1] == '\n')
        about.params.n--;
    return image_write(&j->file, j->kind, im, &about, a, e) < 0 ? -1 : put_file(j, r, im, a, e);
}

/* ---- a sheet ---- */

static int add_cell(struct job *j, const struct record *r, const struct record_image *im, struct arena a, struct err *e) {
    struct sheet_cell *c;
    unsigned char *rgb;

    j->title.n = 0;
    if (caption_write(&j->title, r, j->caption, a, e) < 0 || sheet_add(&j->sheet, im->h, im->w, e) < 0)
        return -1;
    if (!j->cell ? !(j->cell = arena_take(&j->cell_room, 1, sizeof *j->cell))
                 : arena_grow(&j->cell_room, j->cell, (j->sheet.n - 1) * sizeof *j->cell, j->sheet.n * sizeof *j->cell) < 0)
        die("out of memory");
    c = &j->cell[j->sheet.n - 1];
    rgb = arena_take(&j->keep, im->h * im->w, 3);
    *c = (struct sheet_cell){rgb, im->h, im->w, caption_string(mp_span(&j->title), &j->keep)};
    if (!rgb || !c->caption)
        die("out of memory");
    memcpy(rgb, im->rgb, im->h * im->w * 3);
    return 1;
}

static void finish_sheet(struct job *j) {
    struct arena a = j->t.arena;
    struct err e = {0}, no = {0};
    struct record_image im;
    struct record r;
    unsigned char *rgb;

    if (!j->sheet.n || tool_stopped())
        return;
    if (caption_font(&j->sheet, j->cell, j->font, &j->keep, &no) < 0 || no.msg[0])
        j->font && !j->sheet.font ? die("--font: %s", no.msg) : warn("captions %s: %s", j->sheet.font ? "with boxes" : "in ASCII", no.msg);
    if (sheet_plan(&j->sheet, j->cell, j->columns > 0 ? (size_t)j->columns : 0, &e) < 0)
        die("%s", e.msg);
    rgb = arena_take(&a, j->sheet.h * j->sheet.w, 3);
    if (!rgb || record_new(&r, SPAN("sheet"), false, &a, &e) < 0)
        die("out of memory");
    sheet_draw(&j->sheet, j->cell, rgb);
    im = (struct record_image){rgb, j->sheet.h, j->sheet.w};
    j->title = (struct mp){.a = &j->title_room};
    if (deliver(j, &r, &im, a, &e) < 0)
        die("%s", e.msg);
}

/* ---- records ---- */

static int one_svg(struct job *j, const struct record *r, struct arena a, struct err *e) {
    struct span text;
    int got = record_str(r, "svg", &text, e);

    if (got <= 0)
        return got < 0 ? -1 : field_missing(r, "svg", e);
    j->file.n = 0;
    mp_raw(&j->file, text);
    return j->file.full ? err_set(e, "out of memory") : put_file(j, r, NULL, a, e) < 0 ? -1 : 1;
}

static int one(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    struct record_image im = {NULL, 0, 0};
    int got;

    j->named = j->named || !record_has(r, "image") || path_is_file(named_file(r, a));
    if (j->kind == IMAGE_SVG)
        return one_svg(j, r, *a, e);
    got = named_picture(r, j->side ? (size_t)j->side : j->columns || j->html ? PAGE_SIDE : 0, &im, a, e);
    if (got <= 0)
        return got < 0 ? -1 : field_missing(r, "image", e);
    if (picture_scale(&im, (size_t)j->side, a, e) < 0)
        return -1;
    if (j->html)
        return tool_page_add(&j->page, r, im, j->caption, *a, e);
    j->params.n = j->columns ? j->params.n : 0;
    if (image_params(&j->params, r, *a, e) < 0)
        return -1;
    if (j->columns)
        return add_cell(j, r, &im, *a, e);
    j->title.n = 0;
    if (caption_write(&j->title, r, NULL, *a, e) < 0)
        return -1;
    return deliver(j, r, &im, *a, e) < 0 ? -1 : 1;
}

/* ---- parameters out of files ---- */

static void read_file(struct job *j, const char *name) {
    struct err e = {0};

    j->params.n = 0;
    if (image_params_file(&j->params, name, j->t.arena, j->keep, &e) < 0) {
        tool_input_failed(&j->t, name, (struct span){0}, e.msg, j->t.arena);
        return;
    }
    write_stdout(j->params.p, j->params.n);
    j->t.done++;
}

int main(int argc, char *argv[]) {
    static struct job j = {.show = -1};
    int i = parse(&j, argc, argv);

    if (j.read && i == argc)
        die("--read: name the pictures");
    choose_output(&j);
    j.t.output.text = true;
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_output(&j.t, 0, NULL);
    make_rooms(&j);
    if (j.read) {
        for (; i < argc && !tool_stopped(); i++)
            read_file(&j, argv[i]);
        return tool_finish(&j.t);
    }
    if (j.html)
        tool_page(&j.page, j.html, (size_t)j.side, &j.keep, &j.file_room, &j.title_room);
    tool_streams(&j.t, argc - i, argv + i, one, &j);
    if (j.html && !tool_stopped())
        tool_page_end(&j.page);
    if (j.columns)
        finish_sheet(&j);
    return tool_finish(&j.t);
}
