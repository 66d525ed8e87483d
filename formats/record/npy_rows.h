/* npy_rows.h - fields of a stream as columns of .npy files, and back
 *
 * What     A file holds one field of all N records, one row for each record.  Vectors of length D become an array of
 *          shape [N, D], numbers [N], pictures [N, 3, S, S].  The first record decides type and shape.  Integers
 *          become i8, bools b1, floats f8; tensors keep their type.
 * Errors   A record whose type or shape does not fit is refused before a part of it is written, so row i of every file
 *          and of the list of ids belongs to the same record.
 * Files    The rows are written to temporary files (file_replace.h), because the number of rows in the head is known at the
 *          end.  The files of one writer take their names only when all of them are whole.  If the program is killed before
 *          that, what was there stays.
 * Memory   One row.  The output must be a file whose beginning can be overwritten, not a pipe.
 */
#ifndef UNCLIP_NPY_ROWS_H
#define UNCLIP_NPY_ROWS_H

#include <stdio.h>

#include "formats/io/file_replace.h"
#include "formats/io/lines.h"
#include "formats/record/record.h"

struct npy_out {
    const char *field, *file;
    FILE *f;                    /* writes to `to`; NULL if no file is open */
    struct file_new to;
    struct tensor form;         /* the type and shape that every row has; set by the first record */
    size_t rows, head;
    struct tensor row;          /* the field's value in the record that was checked last */
    unsigned char number[8];    /* the data of `row` if the value is a number or a bool */
};

/* Writes several fields and the ids, each to its own file, one row for each record.  The temporary files are made when the
 * first row is written, or by npy_writer_close if no row was written. */
struct npy_writer {
    struct npy_out *out;        /* [n]; the caller sets field and file */
    size_t n;
    bool open;
    const char *ids;            /* name of the file of ids; NULL: no ids are written */
    FILE *id_file;
    struct file_new id_to;
    char end;                   /* the byte written after each id, newline or NUL */
};

/* npy_writer_add writes the record's row to every file, and npy_writer_close ends the files and gives them their names.  They
 * return 0, -1 if the record does not fit, or -2 if writing failed; err then names the file, and the temporary files are
 * removed. */
int npy_writer_add(struct npy_writer *w, const struct record *r, struct err *e);
int npy_writer_close(struct npy_writer *w, struct err *e);

/* Removes the temporary files.  What had the names before stays. */
void npy_writer_drop(struct npy_writer *w);

struct npy_in {
    const char *field, *file;
    struct tensor t;            /* the array in the file, with nd >= 1 */
};

/* Makes records from several files with equal numbers of rows and a list of ids.  Without a list, the id of a row is
 * its number, counted from 0. */
struct npy_reader {
    struct npy_in *in;          /* [n] */
    size_t n, row;              /* row: index of the next record's row */
    const char *ids;            /* name of the list of ids; NULL without a list */
    struct lines *lines;        /* the lines of the list of ids */
    char number[24];
};

/* Maps a file, whose rows become the values of `field`. */
int npy_reader_add(struct npy_reader *p, const char *field, const char *file, struct err *e);

/* Makes the next record.  Returns 1, or 0 at the end.  Returns -1 if this row fails; r then has at least its id.
 * Returns -2 if memory runs out, or if the list of ids cannot be read; err then names the list. */
int npy_reader_next(struct npy_reader *p, struct record *r, struct arena *a, struct arena scratch, struct err *e);

#endif
