/* image_queue.h - pictures are read, decoded, resized and cropped while the caller computes
 *
 * What     A ring of `slots` pictures between the caller and `threads` workers.  The caller pushes
 *          file names and takes crops in the order of the names; workers read, decode, resize and
 *          crop.  Workers never wait for each other, and are at most `slots` pictures ahead.
 * Shapes   crop u8 [S, S, 3] by options.prep; kept u8 [K, K, 3] by options.keep, where given.
 * Errors   Per picture: item->err.  image_queue_start fails when memory or
 *          threads run out; nothing else does.
 * Memory   slots x (3 S S + 3 K K + 5 kB), and for each worker one file, what its decoder needs
 *          (image_read.h: of a JPEG some rows, of others the whole picture) and at most 256 MiB of
 *          address space for the resize.
 * Threads  One caller.  An item that image_queue_at returned is the caller's until popped.
 */
#ifndef UNCLIP_IMAGE_QUEUE_H
#define UNCLIP_IMAGE_QUEUE_H

#include "formats/image/image_read.h"
#include "formats/io/names.h"
#include "lib/base/arena.h"
#include "lib/image/prep.h"

struct image_queue;

struct image_queue_options {
    size_t slots, threads;
    struct image_options read;
    struct prep prep, keep;       /* keep.crop == 0: nothing is kept */
    bool hash;                    /* XXH128 of the file's bytes */
};

struct image_item {
    char name[NAMES_MAX];
    unsigned char *crop, *kept;
    char hash[33];                /* 32 hex digits */
    char note[200];               /* what the decoder repaired, or "" */
    struct err err;               /* why it failed, or "" */
};

struct image_queue *image_queue_start(const struct image_queue_options *o, struct arena *a,
                                      struct err *e);

/* Pictures pushed and not yet popped. */
size_t image_queue_count(const struct image_queue *q);

/* count < slots; name is shorter than NAMES_MAX.  failed: "", or why the name stands for no file.  Then the item
 * only keeps its place in the order and gets that message. */
void image_queue_push(struct image_queue *q, const char *name, const char *failed);

/* The i-th oldest, i < count; waits until it is done. */
struct image_item *image_queue_at(struct image_queue *q, size_t i);

/* Forget the n oldest, all of which were waited for. */
void image_queue_pop(struct image_queue *q, size_t n);

/* What is being decoded is finished, the rest dropped. */
void image_queue_stop(struct image_queue *q);

#endif
