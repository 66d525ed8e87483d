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
    bool by_path;   /* set by the program if the columns are the default ones */
    bool line_by_line, any, ended;
    const char *with_path[8];    /* the columns, and path */
};

/* Returns the format that the option which is true stands for, or TABLE_NONE if all three are false (the program then
 * writes records).  If more than one is true, prints an error and exits. */
enum table_format tool_table_format(bool tsv, bool csv, bool json);

/* Opens the output for rows of the n columns.  The caller has set r->table.format. */
void tool_table(struct tool *t, struct result_table *r, const char *const column[], size_t n);

/* The program calls tool_table_begin before the rows of the result of the record `of`, and tool_table_row after the rows.
 * If the first of these records has a path and `r->by_path` is set, the table gets a last column `path`.  It calls
 * tool_table_end if the run came to its end: even a table without rows is then a result, which is written. */
void tool_table_begin(struct result_table *r, const struct record *of);
void tool_table_row(struct result_table *r);
void tool_table_end(struct result_table *r);

#endif
