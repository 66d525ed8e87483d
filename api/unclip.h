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
 *          After an error, unclip_error returns the reason.  No function ends the program, prints, or handles signals.
 *          What a failed call wrote into the caller's arrays is unspecified, unless the function's comment says otherwise.
 * Arrays   Arrays are in row-major order; [n, d] means n rows of d elements.  The caller allocates them, with sizes that
 *          unclip_size returns.
 * Texts    UTF-8 that ends in NUL.
 * Memory   The library's memory belongs to a handle, a reader or a record, and is released when the caller frees that.
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

/* Returns a handle without a model, or NULL if memory runs out. */
UNCLIP_API struct unclip *unclip_new(void);

/* Frees the handle, which may be NULL.  The caller must first free the readers and records that were made with it. */
UNCLIP_API void unclip_free(struct unclip *u);

/* Returns why the last call with this handle, or with a reader or record of this handle, failed.  The text is one line
 * without a newline.  It is empty if that call did not fail, and it is valid until the next call. */
UNCLIP_API const char *unclip_error(const struct unclip *u);

/* Adds a path of the model: a directory or a file, as it was downloaded.  Each component (text tower, image tower,
 * vocabulary, prior, decoder, upsampler) comes from the first path that has it.  A component is opened when a call first
 * needs it.  After the first component has been opened, no path can be added.  If a call fails before that, the caller may
 * add a path and try the call again. */
UNCLIP_API int unclip_open(struct unclip *u, const char *path);

/* Sets an option for the calls that follow.  unclip(3) lists the options.  If value is NULL, the option gets its default. */
UNCLIP_API int unclip_set(struct unclip *u, const char *option, const char *value);

/* Returns a fact about the model or the library as text, or NULL for an error.  unclip(3) lists the facts.  The text is
 * valid until the next call. */
UNCLIP_API const char *unclip_get(struct unclip *u, const char *fact);

enum unclip_size {
    UNCLIP_EMBED = 1,      /* E, the width of an embedding */
    UNCLIP_CONTEXT = 2,    /* the number of tokens at which a text is cut, start and end included */
    UNCLIP_SIDE = 3,       /* S, the side in pixels of a picture that unclip_decode draws */
    UNCLIP_RATIO = 4       /* the factor by which unclip_upsample enlarges the side of a picture */
};

/* Returns a size of the model, or 0 for an error. */
UNCLIP_API size_t unclip_size(struct unclip *u, enum unclip_size what);

/* Sets the function `step`, which unclip_prior, unclip_decode and unclip_upsample call after each sampling step; NULL
 * removes it.  The call has `steps` steps in total, of which `done` are complete.  If step returns a value other than 0,
 * sampling stops and the function that samples returns -1.  step must not use the handle. */
UNCLIP_API void unclip_watch(struct unclip *u, int (*step)(void *ctx, size_t done, size_t steps), void *ctx);

/* ---- tokens and embeddings ---- */

/* Writes the first `room` tokens of a text into token [room], and the number of all tokens of the text into *n.  The
 * start token and the end token are included in both.  If room is 0, token may be NULL. */
UNCLIP_API int unclip_tokens(struct unclip *u, const char *text, size_t room, int *token, size_t *n);

/* The four functions unclip_embed_texts, _files, _bytes and _rgb compute the embeddings of n inputs and write them into
 * embed [n, E].  The embeddings are not normalised.  If an input fails, its row of embed is filled with NaN, and the
 * function still computes the other rows; then it returns -1, and unclip_error returns the reason of the first failure.
 *   Input i is the text text[i], or the picture file with the name path[i]. */
UNCLIP_API int unclip_embed_texts(struct unclip *u, size_t n, const char *const text[], float *embed);
UNCLIP_API int unclip_embed_files(struct unclip *u, size_t n, const char *const path[], float *embed);

/* Input i is the content of a picture file (JPEG, PNG, ...): the length[i] bytes at file[i]. */
UNCLIP_API int unclip_embed_bytes(struct unclip *u, size_t n, const void *const file[], const size_t length[], float *embed);

/* The inputs are pictures of equal size: rgb [n, height, width, 3], one byte for each colour. */
UNCLIP_API int unclip_embed_rgb(struct unclip *u, size_t n, size_t height, size_t width, const unsigned char *rgb,
                                float *embed);

/* Writes the vectors of n labels into embed [n, E].  The option "templates" makes one or more sentences of a label.  The
 * label's vector is the mean of the normalised embeddings of these sentences, scaled to length 1. */
UNCLIP_API int unclip_embed_labels(struct unclip *u, size_t n, const char *const label[], float *embed);

/* Writes the cosine between query [width] and each row of rows [n, width] into cosine [n].  If a row is all zeros or not
 * finite, its cosine is NaN and the function returns -1. */
UNCLIP_API int unclip_cosines(struct unclip *u, size_t width, const float *query, size_t n, const float *rows,
                              double *cosine);

/* Zero-shot classification of n embeddings, embed [n, E], with `labels` label vectors, label [labels, E].  Row i of prob
 * [n, labels] becomes the softmax over the labels of s * cos(embedding i, label), where s is the model's logit scale, or
 * 100 if the model has no logit scale.  If an embedding is all zeros or not finite, its row of prob is filled with NaN and
 * the function returns -1. */
UNCLIP_API int unclip_classify(struct unclip *u, size_t n, const float *embed, size_t labels, const float *label,
                               double *prob);

/* ---- drawing ---- */

/* Samples n image embeddings from the prior for a text and writes them into embed [n, E]. */
UNCLIP_API int unclip_prior(struct unclip *u, const char *text, size_t n, float *embed);

/* Samples n pictures from the decoder and writes them into image [n, 3, S, S].  The value -1 is black and 1 is white; some
 * values may lie slightly outside this range.  An unCLIP decoder draws picture i from the text and from row i of embed
 * [n, E]; either text or embed may be NULL, but not both.  A GLIDE decoder draws from the text alone and ignores embed;
 * NULL stands for the empty text. */
UNCLIP_API int unclip_decode(struct unclip *u, const char *text, size_t n, const float *embed, float *image);

/* Enlarges n pictures, image [n, 3, side, side], with the upsampler, and writes them into large [n, 3, L, L].  L is side
 * times the size UNCLIP_RATIO.  The upsampler of a GLIDE is conditioned on the text.  For every upsampler, the text
 * determines the noise if the option noise-id is not set.  NULL stands for the empty text. */
UNCLIP_API int unclip_upsample(struct unclip *u, const char *text, size_t n, size_t side, const float *image, float *large);

/* Converts a picture that was drawn, image [3, height, width] with values from -1 to 1, to bytes, rgb [height, width, 3].
 * Values outside this range are clamped. */
UNCLIP_API void unclip_rgb(size_t height, size_t width, const float *image, unsigned char *rgb);

/* ---- records ---- */

/* Opens a file of records; "-" is standard input. */
UNCLIP_API struct unclip_reader *unclip_reader_new(struct unclip *u, const char *path);

/* Reads the next record of the stream and sets *r to it.  *r is valid until the next call for this reader.  Returns 1, or
 * 0 at the end of the stream, or -1 for an error.  If the stream is damaged, the next call goes on after the damage. */
UNCLIP_API int unclip_reader_next(struct unclip_reader *s, struct unclip_record **r);
UNCLIP_API void unclip_reader_free(struct unclip_reader *s);

/* Returns a new record that has an id and no fields.  The caller frees it with unclip_record_free.  unclip_record_free
 * does nothing if the record came from a reader. */
UNCLIP_API struct unclip_record *unclip_record_new(struct unclip *u, const char *id);
UNCLIP_API void unclip_record_free(struct unclip_record *r);

/* Returns the id of a record.
 *   unclip_record_id, _text and _json return texts that end in NUL.  They set *n to the length of the text without the NUL,
 * unless n is NULL.  A text is valid until the record is freed or, for the record of a reader, until the next call of
 * unclip_reader_next. */
UNCLIP_API const char *unclip_record_id(struct unclip_record *r, size_t *n);

/* unclip_record_text, _floats and _json read a field.  They return 1, or 0 if the record does not have the field, or -1
 * for an error.  unclip_record_text sets *text to the value of a text field. */
UNCLIP_API int unclip_record_text(struct unclip_record *r, const char *field, const char **text, size_t *n);

/* Writes the first `room` elements of a tensor into v [room], and the number of all its elements into *n.  If room is 0,
 * v may be NULL. */
UNCLIP_API int unclip_record_floats(struct unclip_record *r, const char *field, size_t room, float *v, size_t *n);

/* Sets *json to the value of a field of any type, as JSON.  A tensor becomes arrays of numbers.  If `field` is NULL, *json
 * is the whole record. */
UNCLIP_API int unclip_record_json(struct unclip_record *r, const char *field, const char **json, size_t *n);

/* The three functions unclip_record_set_text, _number and _floats replace a field or add it.  unclip_record_set_floats
 * stores a tensor with the elements v and nd axes of the sizes shape [nd]; nd is from 1 to 8.  `model` is the fingerprint
 * of the model that computed the tensor, as unclip_get returns it, or NULL; then the record has none for this field. */
UNCLIP_API int unclip_record_set_text(struct unclip_record *r, const char *field, const char *text);
UNCLIP_API int unclip_record_set_number(struct unclip_record *r, const char *field, double v);
UNCLIP_API int unclip_record_set_floats(struct unclip_record *r, const char *field, const char *model, size_t nd,
                                        const size_t shape[], const float *v);

/* Encodes the record and sets *bytes to the n bytes of the result, which the caller can append to a stream.  The bytes are
 * valid until the next call for this record or its reader. */
UNCLIP_API int unclip_record_bytes(struct unclip_record *r, const void **bytes, size_t *n);

#ifdef __cplusplus
}
#endif

#endif
