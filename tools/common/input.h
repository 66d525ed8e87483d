/* input.h - the records that a run is to do, one after another, and those that fail
 *
 * What     A program that does one thing to each record calls tool_streams.  One that reads in another way calls
 *          tool_stream and tool_next.  A failure is named, counted, and with --keep-errors written as a record.
 */
#ifndef UNCLIP_INPUT_H
#define UNCLIP_INPUT_H

#include "formats/record/stream.h"
#include "tools/common/tool.h"

/* Opens a stream for reading.  If "-" is a terminal, the program ends with a hint and status 2.  Returns 0, or -1 if
 * the stream cannot be opened, which is reported and counted as a failed input. */
int tool_stream(struct tool *t, struct stream *s, const char *name);

/* Reads the next record that this run is to do.  Garbage and cut tails are reported and counted, and records of other
 * shards are passed over.  A record with the field `error` is written to the output and counted as failed.
 * Returns 1, or 0 at the end or when a signal came. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Returns whether --shard leaves this input to another run.  root: the input's id, or the record's root. */
bool tool_other_shard(const struct tool *t, struct span root);

/* Returns whether the file of --skip-from holds this result already.  If so, the result is counted as skipped.
 * The caller calls tool_skip once for each result: a result that the file holds n times is skipped n times. */
bool tool_skip(struct tool *t, struct span id, struct span params, size_t nfields, const struct span fp[]);

/* Calls fn for every record of the files, or of standard input where n is 0.  fn returns 1 when the record is done, 0
 * when there was nothing to do or the record waits for t->input.flush, and -1 when it failed.  a is the record's own
 * arena; it is empty again for the next record. */
void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *ctx, struct record *r, struct arena *a, struct err *e),
                  void *ctx);

/* Reports a record that failed, as "tool: FILE: record N (id): reason", and counts it.  With --keep-errors the record
 * is written with an `error` field.  With --strict the program ends. */
void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason);

/* Reports an input that is not a record, as "tool: where: reason", and counts it.  With --keep-errors a record with the
 * id `id` and an `error` field is written.  With --strict the program ends. */
void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch);

/* Ends an input that was a picture file, or a record of the current stream.  why: "" where it succeeded: r is written
 * and counted as done; else the reason why it failed.  file: the picture file's name; NULL for record `number`. */
void tool_item_end(struct tool *t, const char *file, uint64_t number, struct record *r, const char *why, struct arena scratch);

#endif
