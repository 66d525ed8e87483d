/* Results as text instead of records: --tsv, --csv, --json. */
#include "tools/common/result_table.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/output.h"
#include "tools/common/say.h"

enum table_format tool_table_format(bool tsv, bool csv, bool json) {
    if (tsv + csv + json > 1)
        die("one of --tsv, --csv and --json");
    return tsv ? TABLE_TSV : csv ? TABLE_CSV : json ? TABLE_JSON : TABLE_NONE;
}

static int flush(void *table) {
    struct result_table *r = table;

    if (!r->any && (!r->ended || (r->t->failed && !r->t->output.open)))
        return 0;    /* without a result, the buffer holds at most the table's head line, which is not written */
    if (r->table.n)
        r->table.fd = tool_out(r->t);
    return table_flush(&r->table);
}

void tool_table(struct tool *t, struct result_table *r, const char *const column[], size_t n) {
    struct stat st;

    if (!r->table.format && !t->output.name && isatty(1))
        die("records are not for a terminal: use --tsv, --csv or --json, -o FILE, a pipe, or -o - "
            "to have them all the same");
    t->output.text = r->table.format != TABLE_NONE;
    tool_output(t, 0, NULL);
    if (!t->output.text)
        return;
    r->t = t;
    if (table_open(&r->table, 1, r->table.format, column, n, &t->arena) < 0)
        die("out of memory");
    r->table.nul = t->input.nul;
    if (r->header && r->table.format == TABLE_TSV)
        table_head(&r->table);
    if (t->progress.when == 0 && t->output.open && isatty(1))
        t->progress.when = 2;    /* no progress line, because the table's lines go to the same terminal */
    r->line_by_line = (t->output.open ? fstat(1, &st) : stat(t->output.name, &st)) == 0 && !S_ISREG(st.st_mode);
    tool_at_end(flush, r);
}

/* Adds the column `path`.  The buffer holds no rows yet: a head line in it is dropped and written again with this column. */
static void add_path(struct result_table *r) {
    struct table *t = &r->table;

    if (t->ncols >= sizeof r->with_path / sizeof *r->with_path)
        return;
    for (size_t i = 0; i < t->ncols; i++)
        r->with_path[i] = t->name[i];
    r->with_path[t->ncols++] = "path";
    t->name = r->with_path;
    t->n = 0;
    if (t->format == TABLE_CSV || (r->header && t->format == TABLE_TSV))
        table_head(t);
}

void tool_table_begin(struct result_table *r, const struct record *of) {
    if (!r->any && r->by_path && record_has(of, "path"))
        add_path(r);
    r->any = true;
    r->table.fd = tool_out(r->t);
}

void tool_table_row(struct result_table *r) {
    if (r->line_by_line && table_flush(&r->table) < 0)
        die_errno("write error");
}

void tool_table_end(struct result_table *r) {
    r->ended = true;
}
