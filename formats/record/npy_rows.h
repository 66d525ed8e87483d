/* npy_rows.h - fields of a stream as columns of .npy files, and back
 *
 * What     A file has one field of all records, a row for each record.  Vectors of D become [N, D], numbers [N], pictures
 *          [N, 3, S, S].  The first record decides type and shape.  Integers become i8, bools b1, floats f8; tensors
 *          keep their type.
 * Errors   A record that does not fit is refused before a part of it is written, so that row i of every file and
 *          of the list of ids belongs to the same record.
 * Memory   One row.  Writing needs a file that can be written over at its beginning.
 */
#ifndef UNCLIP_NPY_ROWS_H
#define UNCLIP_NPY_ROWS_H

#include <stdio.h>

#include "formats/io/lines.h"
#include "formats/record/record.h"

struct npy_out {
    const char *field, *file;
    FILE *f;
    struct tensor form;         /* type and shape of a row; known once rows > 0 */
    size_t rows, head;
    struct tensor row;          /* of the record checked last */
    unsigned char number[8];    /* its data where it is a number */
};

/* Several fields and the ids, row by row together.  The files are opened, and what they held is lost, when the first row
 * is written, or at the end where there was none. */
struct npy_writer {
    struct npy_out *out;        /* [n] field, file */
    size_t n;
    bool open;
    const char *ids;            /* NULL: no ids are written */
    FILE *id_file;
    char end;                   /* of an id: newline or NUL */
};

/* 0; -1: the record does not fit; -2: writing failed, and err names the file. */
int npy_writer_add(struct npy_writer *w, const struct record *r, struct err *e);
int npy_writer_close(struct npy_writer *w, struct err *e);

struct npy_in {
    const char *field, *file;
    struct tensor t;            /* nd >= 1 */
};

/* Makes records of several files with equal numbers of rows, and their ids.  Without ids, the id of a row is its number,
 * from 0. */
struct npy_reader {
    struct npy_in *in;          /* [n] */
    size_t n, row;              /* row: of the next record */
    const char *ids;            /* NULL: there are none */
    struct lines *lines;        /* of ids */
    char number[24];
};

/* Add a file. */
int npy_reader_add(struct npy_reader *p, const char *field, const char *file, struct err *e);

/* 1, or 0 at the end.  -1: this row fails, and r has at least its id.  -2: the list of ids fails; err names it. */
int npy_reader_next(struct npy_reader *p, struct record *r, struct arena *a, struct arena scratch, struct err *e);

#endif
