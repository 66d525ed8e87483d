/* input.h - the records that a run is to do, one after another, and those that fail
 *
 * What     A program that does one thing to each record calls tool_streams.  One that reads in another way calls
 *          tool_stream and tool_next.  A failure is named, counted, and with --keep-errors written as a record.
 */
#ifndef UNCLIP_INPUT_H
#define UNCLIP_INPUT_H

#include "formats/record/stream.h"
#include "tools/common/tool.h"

/* Open a stream for reading; "-" from a terminal is refused with a hint (exit 2).  0, or -1: it cannot be opened, which
 * is told and counted as a failed input. */
int tool_stream(struct tool *t, struct stream *s, const char *name);

/* Read the next record that this run is to do: garbage and cut tails are reported and counted,
 * other shards are passed over, records that carry an `error` are passed on and counted as failed.
 * 1, or 0 at the end or when a signal came. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Is this input another shard's?  root: its id, or the record's root. */
bool tool_other_shard(const struct tool *t, struct span root);

/* Does --skip-from hold this result already?  Counts it.  Asked once for each result: what the file holds n times is
 * skipped n times. */
bool tool_skip(struct tool *t, struct span id, struct span params, size_t nfields, const struct span fp[]);

/* Every record of the files named (none: standard input) through fn: 1 done, 0 nothing to do or held back for
 * t->flush, -1 failed.  a is the record's own arena; it is empty again for the next record. */
void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *ctx, struct record *r, struct arena *a, struct err *e),
                  void *ctx);

/* A record failed: "tool: FILE: record N (id): reason", counted, and with --keep-errors written
 * with its `error` field.  Ends the program with --strict. */
void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason);

/* An input that is not a record failed: "tool: where: reason", counted; with --keep-errors a record
 * of that id and an `error` is written. */
void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch);

#endif
