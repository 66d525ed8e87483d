/* image_queue.h - read, decode, resize and crop pictures in threads while the caller computes
 *
 * What     A ring of `slots` pictures between the caller and `threads` workers.  The caller pushes
 *          pictures (picture_source.h) and takes their crops in the same order.  The workers read files, decode, resize and
 *          crop.  Workers never wait for each other, and are at most `slots` pictures ahead.
 * Shapes   item->crop is u8 [S, S, 3], made as options.prep says.  item->kept is u8 [K, K, 3], made as options.keep
 *          says, or NULL if keep.crop is 0.
 * Errors   item->err says why a picture failed.  image_queue_start fails when memory or threads run out; no other
 *          function fails.
 * Memory   slots x (3 S S + 3 K K + 14 kB), and the encoded bytes of the pictures in the queue that are not files.  Each
 *          worker also takes the bytes of one file, what the decoder needs (image_read.h: some rows of a JPEG, the whole
 *          picture in other formats) and at most 256 MiB of address space for the resize.
 * Threads  There is one caller.  An item that image_queue_at returned is the caller's until popped.
 */
#ifndef UNCLIP_IMAGE_QUEUE_H
#define UNCLIP_IMAGE_QUEUE_H

#include "formats/image/image_read.h"
#include "formats/image/overlay.h"
#include "formats/image/picture_source.h"
#include "lib/base/arena.h"
#include "lib/image/prep.h"

struct image_queue;

struct image_queue_options {
    size_t slots, threads;
    struct image_options read;
    struct prep prep, keep;       /* if keep.crop is 0, item->kept is NULL */
    bool hash;                    /* compute item->hash, the XXH128 of the file's bytes */
};

struct image_item {
    char name[NAMES_MAX], archive[NAMES_MAX], caption[CAPTION_MAX];    /* as in struct picture; "" if absent */
    unsigned char *bytes;         /* [n] the encoded bytes of a picture that is not a file; NULL once decoded */
    size_t n;
    const struct overlay *overlay;
    unsigned char *crop, *kept;
    char hash[33];                /* 32 hex digits */
    struct file_stamp stamp;      /* of the file, taken just before the file was read, or of the archive */
    char note[200];               /* says what the decoder repaired, or "" */
    struct err err;               /* says why the picture failed, or "" */
};

struct image_queue *image_queue_start(const struct image_queue_options *o, struct arena *a,
                                      struct err *e);

/* Returns how many pictures were pushed and not yet popped. */
size_t image_queue_count(const struct image_queue *q);

/* Appends a picture to the queue.  image_queue_count must be less than `slots`.  p->bytes are copied.  `overlay` is drawn on
 * the picture before it is resized, unless `overlay` is NULL or its text is empty.  `failed` is "", or a message that says
 * why the picture cannot be read.  If `failed` is a message, nothing is read, and item->err gets the message. */
void image_queue_push(struct image_queue *q, const struct picture *p, const struct overlay *overlay, const char *failed);

/* Appends a picture of which the caller has the content of the file, the n bytes at p.  They are copied.  The name of its
 * item is empty. */
void image_queue_push_bytes(struct image_queue *q, const void *p, size_t n, const char *failed);

/* Waits until the i-th oldest picture is done, and returns its item.  i must be less than image_queue_count. */
struct image_item *image_queue_at(struct image_queue *q, size_t i);

/* Removes the n oldest pictures from the queue.  The caller must have called image_queue_at for each of them. */
void image_queue_pop(struct image_queue *q, size_t n);

/* Waits until the workers have finished the pictures that they are decoding, drops all others and ends the threads.
 * Returns the workers' memory to the arena that image_queue_start got.  The caller must not have moved that struct. */
void image_queue_stop(struct image_queue *q);

#endif
