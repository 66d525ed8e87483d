/* result_table.h - a program's results as lines of text instead of records: --tsv, --csv, --json
 *
 * What     tool_table opens the output.  If none of the options is given, results are records, which tool_table refuses
 *          to write to a terminal.  Lines are written one by one to a pipe or terminal, and in larger pieces to a file.
 */
#ifndef UNCLIP_RESULT_TABLE_H
#define UNCLIP_RESULT_TABLE_H

#include "formats/record/table.h"
#include "tools/common/tool.h"

struct result_table {
    struct table table;
    struct tool *t;
    bool header;    /* set by --header: a table in TSV begins with the names of its columns */
    bool by_path;   /* set by the program if the columns are the default ones: `path` may be added */
    bool line_by_line, any, ended;
    const char *with_path[8];    /* if the column `path` was added: the names of all columns */
};

/* Returns the format that the option which is true stands for, or TABLE_NONE if all three are false (the program then
 * writes records).  If more than one is true, prints an error and exits. */
enum table_format tool_table_format(bool tsv, bool csv, bool json);

/* Opens the output for rows of the n columns.  The caller has set r->table.format. */
void tool_table(struct tool *t, struct result_table *r, const char *const column[], size_t n);

/* For each result, the program calls tool_table_begin with the record `of` that the result belongs to, writes the rows of
 * the result, and calls tool_table_row.  If r->by_path is set and the first such record has the field `path`, the table
 * gets a last column `path`.  At the end of the run the program calls tool_table_end, so that a table without rows is
 * written, too. */
void tool_table_begin(struct result_table *r, const struct record *of);
void tool_table_row(struct result_table *r);
void tool_table_end(struct result_table *r);

#endif
