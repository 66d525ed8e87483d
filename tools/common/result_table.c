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

void tool_table(struct tool *t, struct result_table *r, const char *const column[], size_t n) {
    struct stat st;

    if (!r->table.format && !t->out && isatty(1))
        die("records are not for a terminal: use --tsv, --csv or --json, -o FILE, a pipe, or -o - "
            "to have them all the same");
    t->text = r->table.format != TABLE_NONE;
    tool_output(t, 0, NULL);
    if (!t->text)
        return;
    if (table_open(&r->table, t->out_fd, r->table.format, column, n, &t->arena) < 0)
        die("out of memory");
    if (t->progress == 0 && isatty(t->out_fd))
        t->progress = 2;    /* no progress line: the table's lines go to the same terminal */
    r->line_by_line = fstat(t->out_fd, &st) < 0 || !S_ISREG(st.st_mode);
}

void tool_table_row(struct result_table *r) {
    if (r->line_by_line && table_flush(&r->table) < 0)
        die_errno("write error");
}

void tool_table_end(struct result_table *r) {
    if (r->table.format && table_flush(&r->table) < 0)
        die_errno("write error");
}
