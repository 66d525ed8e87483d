/* unclip.h - libunclip: CLIP, unCLIP and GLIDE in a C program
 *
 * unclip(3) describes each function.  A first look:
 *
 *      struct unclip *u = unclip_new();
 *      float v[512];
 *      const char *text = "a red heart";
 *
 *      if (!u || unclip_open(u, "clip-vit-base-patch32") < 0 || unclip_embed_texts(u, 1, &text, v) < 0)
 *          fprintf(stderr, "%s\n", unclip_error(u));
 *      unclip_free(u);
 *
 * Errors   Functions of type int return 0, or -1 for an error; functions that return a pointer return NULL for an error.
 *          Then unclip_error tells what is wrong.  No function ends the program, prints, or handles signals.  What a
 *          failed call wrote into the caller's arrays is unspecified, unless its comment says otherwise.
 * Arrays   Numbers are f32 in row-major order; [n, d] means n rows of d numbers.  The caller gives the memory.
 *          unclip_size tells the sizes before.
 * Texts    UTF-8 that ends in NUL.
 * Memory   All memory belongs to a handle, a reader or a record and is given back when that is freed.
 * Threads  Two threads must not use one handle, or a reader or record that was made with it, at the same time.  Different
 *          handles are independent of each other.
 * ABI      The structs are opaque, and options and facts have names, so that a program which was linked with one
 *          libunclip.so.0 works with every later one.
 */
#ifndef UNCLIP_H
#define UNCLIP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define UNCLIP_API __attribute__((visibility("default")))
#else
#define UNCLIP_API
#endif

struct unclip;           /* a model, its options and its threads */
struct unclip_reader;    /* a stream of records that is being read */
struct unclip_record;    /* one record, as unclip(5) describes it */

/* Returns the version of the library, for example "0.2". */
UNCLIP_API const char *unclip_version(void);

/* ---- a handle ---- */

/* Returns a handle without a model, or NULL if memory is lacking. */
UNCLIP_API struct unclip *unclip_new(void);

/* Frees the handle, which may be NULL.  The caller has freed its readers and records before. */
UNCLIP_API void unclip_free(struct unclip *u);

/* Returns the reason why the last call that failed on this handle, its readers or its records failed.  The text is one
 * line.  It is valid until the next call. */
UNCLIP_API const char *unclip_error(const struct unclip *u);

/* Adds a path of the model: a directory or a file, as it was downloaded.  Each component (text tower, image tower,
 * vocabulary, prior, decoder, upsampler) comes from the first path that has it, and is opened when a call first needs
 * it.  Paths cannot be added any more when a component is open. */
UNCLIP_API int unclip_open(struct unclip *u, const char *path);

/* Sets an option, which unclip(3) lists, for the calls that follow.  NULL stands for the default. */
UNCLIP_API int unclip_set(struct unclip *u, const char *option, const char *value);

/* Returns a fact, which unclip(3) lists, as text, or NULL.  The text is valid until the next call. */
UNCLIP_API const char *unclip_get(struct unclip *u, const char *fact);

enum unclip_size {
    UNCLIP_EMBED = 1,      /* E: numbers of an embedding */
    UNCLIP_CONTEXT = 2,    /* the most tokens of a text */
    UNCLIP_SIDE = 3,       /* S: side in pixels of a picture that unclip_decode draws */
    UNCLIP_RATIO = 4       /* how many times larger unclip_upsample makes the side of a picture */
};

/* Returns a size of the model, or 0 for an error. */
UNCLIP_API size_t unclip_size(struct unclip *u, enum unclip_size what);

/* Has `step` called after each step of a drawing that takes many.  `done` counts up to `steps`.  If step returns a number
 * other than 0, the drawing stops, and its function returns -1.  step must not use the handle. */
UNCLIP_API void unclip_watch(struct unclip *u, int (*step)(void *ctx, size_t done, size_t steps), void *ctx);

/* ---- tokens and embeddings ---- */

/* Writes the first `room` tokens of a text, start and end included, into token, and the number of all its tokens into
 * *n.  With room 0, token may be NULL. */
UNCLIP_API int unclip_tokens(struct unclip *u, const char *text, size_t room, int *token, size_t *n);

/* Write embeddings into embed [n, E], which are not normalised.  If an input fails, its row is filled with NaN, the
 * other inputs are computed, and the call returns -1 with the reason of the first failure. */
UNCLIP_API int unclip_embed_texts(struct unclip *u, size_t n, const char *const text[], float *embed);
UNCLIP_API int unclip_embed_files(struct unclip *u, size_t n, const char *const path[], float *embed);

/* Picture i is the content of a picture file (JPEG, PNG, ...), length[i] bytes at file[i]. */
UNCLIP_API int unclip_embed_bytes(struct unclip *u, size_t n, const void *const file[], const size_t length[], float *embed);

/* The n pictures have equal sizes: rgb [n, height, width, 3], one byte for each colour. */
UNCLIP_API int unclip_embed_rgb(struct unclip *u, size_t n, size_t height, size_t width, const unsigned char *rgb,
                                float *embed);

/* Writes the vectors of n labels into embed [n, E], each of length one.  A label's vector is the mean of the vectors of
 * its sentences, which the option "templates" gives. */
UNCLIP_API int unclip_embed_labels(struct unclip *u, size_t n, const char *const label[], float *embed);

/* Writes the cosines of a vector, query [width], with rows [n, width] into cosine [n]. */
UNCLIP_API int unclip_cosines(struct unclip *u, size_t width, const float *query, size_t n, const float *rows,
                              double *cosine);

/* Writes the probabilities of `labels` labels for each of n pictures into prob [n, labels]: the softmax of the cosines,
 * multiplied by the model's logit scale.  embed is [n, E], label [labels, E]. */
UNCLIP_API int unclip_classify(struct unclip *u, size_t n, const float *embed, size_t labels, const float *label,
                               double *prob);

/* ---- drawing ---- */

/* Draws n image embeddings for a text and writes them into embed [n, E]. */
UNCLIP_API int unclip_prior(struct unclip *u, const char *text, size_t n, float *embed);

/* Draws n pictures into image [n, 3, S, S], with values around [-1, 1].  Picture i is drawn from row i of embed [n, E]
 * and from the text.  One of the two may be NULL.  A GLIDE draws from the text alone and reads no embedding. */
UNCLIP_API int unclip_decode(struct unclip *u, const char *text, size_t n, const float *embed, float *image);

/* Enlarges n pictures, image [n, 3, side, side], into large [n, 3, L, L], with L = side x UNCLIP_RATIO.  Only a GLIDE
 * reads the text, which may be NULL. */
UNCLIP_API int unclip_upsample(struct unclip *u, const char *text, size_t n, size_t side, const float *image, float *large);

/* Converts a picture that was drawn, image [3, height, width], to rgb [height, width, 3] bytes. */
UNCLIP_API void unclip_rgb(size_t height, size_t width, const float *image, unsigned char *rgb);

/* ---- records ---- */

/* Opens a file of records; "-" is standard input. */
UNCLIP_API struct unclip_reader *unclip_reader_new(struct unclip *u, const char *path);

/* Makes *r the next record, which is valid until the next call for this reader.  Returns 1, or 0 at the end, or -1 if the
 * stream is damaged at this place; the next call goes on behind the damage. */
UNCLIP_API int unclip_reader_next(struct unclip_reader *s, struct unclip_record **r);
UNCLIP_API void unclip_reader_free(struct unclip_reader *s);

/* Returns a new record without fields.  unclip_record_free frees it, and ignores a record of a reader. */
UNCLIP_API struct unclip_record *unclip_record_new(struct unclip *u, const char *id);
UNCLIP_API void unclip_record_free(struct unclip_record *r);

/* Texts that these functions give end in NUL, which *n does not count; n may be NULL.  They and the bytes of a record are
 * valid until the record is freed or the reader goes on. */
UNCLIP_API const char *unclip_record_id(struct unclip_record *r, size_t *n);

/* Get a field.  They return 1, or 0 if the record does not have the field, or -1 for an error. */
UNCLIP_API int unclip_record_text(struct unclip_record *r, const char *field, const char **text, size_t *n);

/* Writes the first `room` numbers of a tensor into v, and how many it has into *n.  With room 0, v may be NULL. */
UNCLIP_API int unclip_record_floats(struct unclip_record *r, const char *field, size_t room, float *v, size_t *n);

/* Gives a field of any type as JSON.  A tensor is an array of numbers.  If `field` is NULL, gives the whole record. */
UNCLIP_API int unclip_record_json(struct unclip_record *r, const char *field, const char **json, size_t *n);

/* Set a field, which is replaced or added.  `model` is the fingerprint of the model that made the numbers (unclip_get),
 * or NULL.  shape has nd sizes, nd from 1 to 8. */
UNCLIP_API int unclip_record_set_text(struct unclip_record *r, const char *field, const char *text);
UNCLIP_API int unclip_record_set_number(struct unclip_record *r, const char *field, double v);
UNCLIP_API int unclip_record_set_floats(struct unclip_record *r, const char *field, const char *model, size_t nd,
                                        const size_t shape[], const float *v);

/* Gives the bytes of the record, which the caller appends to a stream. */
UNCLIP_API int unclip_record_bytes(struct unclip_record *r, const void **bytes, size_t *n);

#ifdef __cplusplus
}
#endif

#endif
