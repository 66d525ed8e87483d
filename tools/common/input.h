/* input.h - the records that a run is to do, one after another, and those that fail
 *
 * What     A program that does one thing to each record calls tool_streams.  One that reads in another way calls
 *          tool_stream and tool_next.  A failure is named, counted, and with --keep-errors written as a record.
 */
#ifndef UNCLIP_INPUT_H
#define UNCLIP_INPUT_H

#include "formats/record/stream.h"
#include "tools/common/tool.h"

/* Open a stream for reading.  "-" from a terminal is refused with a hint (exit 2).  0, or -1: the stream cannot be
 * opened, which is reported and counted as a failed input. */
int tool_stream(struct tool *t, struct stream *s, const char *name);

/* Read the next record that this run is to do.  Garbage and cut tails are reported and counted,
 * other shards are passed over, and records that carry an `error` are passed on and counted as failed.
 * 1, or 0 at the end or when a signal came. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Is this input another shard's?  root: its id, or the record's root. */
bool tool_other_shard(const struct tool *t, struct span root);

/* Does --skip-from hold this result already?  If so, it is counted as skipped.  To be called once for each result: a
 * result that the file holds n times is skipped n times. */
bool tool_skip(struct tool *t, struct span id, struct span params, size_t nfields, const struct span fp[]);

/* Call fn for every record of the files, or of standard input where n is 0.  fn returns 1 when the record is done, 0 when
 * there was nothing to do or the record waits for t->input.flush, and -1 when it failed.  a is the record's own arena;
 * it is empty again for the next record. */
void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *ctx, struct record *r, struct arena *a, struct err *e),
                  void *ctx);

/* Report a record that failed, as "tool: FILE: record N (id): reason", and count it.  With --keep-errors it is written
 * with an `error` field.  With --strict the program ends. */
void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason);

/* Report an input that is not a record, as "tool: where: reason", and count it.  With --keep-errors a record of that id
 * with an `error` field is written.  With --strict the program ends. */
void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch);

#endif
