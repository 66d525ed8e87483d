/* codes.h - runs pictures or tokens of records and files through an autoencoder and writes the results into records
 *
 * What     A picture file is resized and cut to sides that are multiples of f, as the encoder needs.  A record's
 *          picture is neither resized nor cut.  A record's image_tokens and grid are checked against the codebook.
 * Source   openai/DALL-E 5be4b23 notebooks/usage.ipynb, function preprocess: the shorter side is resized to S by
 *          Pillow's Lanczos, sides are rounded half to even, the square in the middle is cut out.  The notebook of
 *          taming-transformers does the same.
 * Shapes   pictures f32 [3, H, W] in [-1, 1]; tokens [h, w], raster order.
 * Errors   codes_tokens returns 1 if the tokens were found, 0 if the record has none, and -1 if they are malformed.
 *          The other int functions return 0, or -1 for an error.
 */
#ifndef UNCLIP_CODES_H
#define UNCLIP_CODES_H

#include "formats/checkpoint/vq_model.h"
#include "formats/image/image_read.h"
#include "formats/record/record.h"

struct codes_fit {
    size_t side;      /* the shorter side in pixels after resizing; 0: the picture is not resized */
    bool whole;       /* true: each side is cut to a multiple of f; false: the middle square is cut out */
    size_t factor;    /* f, the side in pixels of the square that a token stands for */
};

/* The size [h, w] of a picture after resizing, and the rectangle that is cut out of the resized picture. */
struct codes_place {
    size_t h, w;
    size_t y, x, rows, cols;
};

/* Computes how a picture of h x w pixels is resized and cut, and writes this into *p.  Returns 0, or -1 if less than
 * one token is left or the resized picture is too large. */
int codes_where(const struct codes_fit *f, size_t h, size_t w, struct codes_place *p, struct err *e);

/* Resizes and cuts a picture of bytes, rgb [h, w, 3].  *x receives the result, f32 [3, *rows, *cols], in memory from
 * the arena a. */
int codes_picture(const struct codes_fit *f, const unsigned char *rgb, size_t h, size_t w, float **x, size_t *rows,
                  size_t *cols, struct arena *a, struct err *e);

/* Reads a record's image_tokens, which must be in [0, codes), into *tokens, and the record's grid into *h and *w. */
int codes_tokens(const struct record *r, size_t codes, int **tokens, size_t *h, size_t *w, struct arena *a, struct err *e);

/* Sets the fields image_tokens and grid of r, and writes the codebook's fingerprint into r's field `model`. */
int codes_set(struct record *r, const int *tokens, size_t h, size_t w, const char *fingerprint, struct err *e);

/* Returns true if r's tokens were made with another codebook than the one whose fingerprint is `fingerprint`; *theirs
 * receives the fingerprint of r's codebook.  Returns false if vq did not make the tokens or dalle was run on the
 * record, because then r's codebook is not known. */
bool codes_differ(const struct record *r, const char *fingerprint, struct span *theirs);

/* ---- a batch ---- */

struct codes_net {
    const struct vq_model *m;
    const struct compute *compute;
    bool decode;    /* true: tokens become pictures; false: pictures become tokens */
    bool u8;        /* pictures are written as bytes */
    bool force;     /* true: tokens of another codebook are decoded, too */
    size_t together;        /* the most inputs that go through the network at once */
    struct arena *alone;    /* for each thread of `compute`, memory in which it computes a small picture; or NULL */
};

/* One input of a batch.  If the input failed, `err` has the reason; otherwise the message in `err` is empty. */
struct codes_item {
    struct record r;
    const char *file;     /* the picture file; NULL if the input is a record of a stream */
    uint64_t number;      /* the record's number in the stream */
    size_t h, w;          /* size of the input: of a picture in pixels, or of a grid in tokens */
    const float *x;       /* the picture: the input of the encoder, or the result of the decoder */
    const int *tokens;    /* the tokens: the input of the decoder, or the result of the encoder */
    struct err err;
};

/* Reads the picture of it->r into it->x; if n->decode is set, reads the tokens of it->r into it->tokens instead. */
void codes_load(struct codes_item *it, const struct codes_net *n, struct arena *a);

/* Returns how many pixels the picture has that the network reads or makes. */
size_t codes_pixels(const struct codes_item *it, const struct codes_net *net);

/* Takes net->alone from the arena a, if that has room and there is more than one thread. */
void codes_alone(struct codes_net *net, struct arena *a);

/* Runs n items through the network.  Neighbouring items of equal size are run together.  If that fails, for example
 * because memory is lacking, these items are run one by one.  Items that have failed already are left out.
 *
 * If at least as many small neighbours are of equal size as there are threads, each thread computes whole pictures, because
 * the threads of one small network wait for each other in every layer.  The result does not depend on it. */
void codes_run(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a);

/* Stores the tokens or the picture that codes_run made, with the fingerprint of codes_fingerprint, in it->r. */
int codes_fill(struct codes_item *it, const struct codes_net *n, struct arena *a, struct err *e);

/* Returns the fingerprint that is stored with the results: that of the network for pictures, that of the codebook for
 * tokens. */
struct span codes_fingerprint(const struct codes_net *n);

#endif
