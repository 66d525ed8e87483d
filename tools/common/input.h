/* input.h - reads the records that a run is to process, one after another, and reports those that fail
 *
 * What     A program that does one thing to each record calls tool_streams.  A program that reads in another way calls
 *          tool_stream and tool_next.  A failure is named, counted, and with --keep-errors written as a record.
 */
#ifndef UNCLIP_INPUT_H
#define UNCLIP_INPUT_H

#include "formats/record/stream.h"
#include "tools/common/tool.h"

/* Opens a stream for reading.  If `name` is "-" and standard input is a terminal, the program ends with a hint and
 * status 2.  Returns 0.  A stream that cannot be opened is reported, counted as a failed input, and -1 is returned. */
int tool_stream(struct tool *t, struct stream *s, const char *name);

/* Reads the next record that this run is to process into *r.  Reports and counts garbage and a last record that is cut,
 * and skips records of other shards.  Writes a record with the field `error` to the output and counts it as failed.
 * Returns 1 with a record, or 0 at the end of the stream or after a signal. */
int tool_next(struct tool *t, struct stream *s, struct record *r, struct arena *a);

/* Returns whether --shard leaves this input to another run.  `root` is the root of a record, or the id of an input that
 * is not a record. */
bool tool_other_shard(const struct tool *t, struct span root);

/* Returns whether the file of --skip-from holds this result already.  If so, the result is counted as skipped.
 * `stamp` is the stamp of the file that the id names, or unknown.  A record without a stamp in the file of --skip-from
 * matches every `stamp`, because earlier versions wrote no stamps.
 * The caller calls tool_skip once for each result: a result that the file holds n times is skipped n times. */
bool tool_skip(struct tool *t, struct span id, struct file_stamp stamp, struct span params, size_t nfields,
               const struct span fp[]);

/* Returns whether the file of --skip-from holds a record of these bytes, and counts it as met: for records that a program
 * passes on unchanged. */
bool tool_written(struct tool *t, const struct record *r, struct arena scratch);

/* Calls fn for every record of the n files, or of standard input if n is 0.  fn returns 1 if the record is done, 0 if
 * there was nothing to do or the record waits for t->input.flush, and -1 if the record failed.  The arena a is empty at
 * the beginning of each record. */
void tool_streams(struct tool *t, int n, char *files[], int (*fn)(void *ctx, struct record *r, struct arena *a, struct err *e),
                  void *ctx);

/* Reports a record that failed, as "tool: FILE: record N (id): reason", and counts the failure.  With --keep-errors,
 * writes the record with an `error` field.  With --strict, ends the program. */
void tool_record_failed(struct tool *t, const char *file, uint64_t number, struct record *r, const char *reason);

/* Reports the failure of an input that is not a record, as "tool: WHERE: reason", and counts it.  With --keep-errors,
 * writes a record with the id `id` and an `error` field.  With --strict, ends the program. */
void tool_input_failed(struct tool *t, const char *where, struct span id, const char *reason,
                       struct arena scratch);

/* Ends the work on one input.  `file` is the name of a picture file, or NULL if the input was record `number` of the
 * current stream.  If `why` is "", writes r and counts it as done.  Otherwise `why` is the reason of a failure, which
 * is reported. */
void tool_item_end(struct tool *t, const char *file, uint64_t number, struct record *r, const char *why, struct arena scratch);

#endif
