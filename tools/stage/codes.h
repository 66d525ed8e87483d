/* codes.h - runs pictures or tokens of records and files through an autoencoder and writes the results into records
 *
 * What     A picture file is resized and cut to sides that are multiples of f, as the encoder needs.  A record's
 *          picture is neither resized nor cut.  image_tokens and grid are read and checked against the codebook.
 * Source   openai/DALL-E 5be4b23 notebooks/usage.ipynb (preprocess): the shorter side is resized to S by Pillow's
 *          Lanczos, sides are rounded half to even, the square in the middle is cut out.  taming-transformers'
 *          notebook does the same as preprocess.
 * Shapes   pictures f32 [3, H, W] in [-1, 1]; tokens [h, w], raster order.
 * Errors   codes_tokens returns 1 where the tokens were found, 0 where they are absent, -1 where they are malformed.
 *          The other int functions return 0 or -1.
 */
#ifndef UNCLIP_CODES_H
#define UNCLIP_CODES_H

#include "formats/checkpoint/vq_model.h"
#include "formats/image/image_read.h"
#include "formats/record/record.h"

struct codes_fit {
    size_t side;      /* the shorter side in pixels after resizing; 0: the picture is not resized */
    bool whole;       /* true: only what exceeds a multiple of f is cut off; false: the middle square is cut out */
    size_t factor;    /* f, the side in pixels of the square that a token stands for */
};

/* The size [h, w] of a picture after resizing, and the rectangle that is cut out of the resized picture. */
struct codes_place {
    size_t h, w;
    size_t y, x, rows, cols;
};

/* Writes into *p how a picture of [h, w] is resized and cut.  Returns -1 where less than one token is left or the
 * resized picture is too large. */
int codes_where(const struct codes_fit *f, size_t h, size_t w, struct codes_place *p, struct err *e);

/* Resizes and cuts a picture of bytes [h, w, 3].  *x receives the result [3, *rows, *cols], taken from a. */
int codes_picture(const struct codes_fit *f, const unsigned char *rgb, size_t h, size_t w, float **x, size_t *rows,
                  size_t *cols, struct arena *a, struct err *e);

/* Reads a record's image_tokens, each in [0, codes), into *tokens, and its grid into *h and *w. */
int codes_tokens(const struct record *r, size_t codes, int **tokens, size_t *h, size_t *w, struct arena *a, struct err *e);

/* Sets r's image_tokens and grid, and writes the codebook's fingerprint into r's `model`. */
int codes_set(struct record *r, const int *tokens, size_t h, size_t w, const char *fingerprint, struct err *e);

/* Returns true if r's tokens were made with another codebook than that of `fingerprint`; *theirs receives the
 * fingerprint of that codebook.  Returns false where vq did not make the tokens or dalle was run on the record,
 * because then the codebook is not known. */
bool codes_differ(const struct record *r, const char *fingerprint, struct span *theirs);

/* ---- a batch ---- */

struct codes_net {
    const struct vq_model *m;
    const struct compute *compute;
    bool decode;    /* true: tokens become pictures; false: pictures become tokens */
    bool u8;        /* pictures are written as bytes */
    bool force;     /* tokens of another codebook are decoded, too */
};

/* One input of a batch.  err says why the input failed; its message is empty otherwise. */
struct codes_item {
    struct record r;
    const char *file;     /* NULL where the input is a record of a stream */
    uint64_t number;      /* the record's number in the stream */
    size_t h, w;          /* size of the input: of the picture in pixels, or of the grid in tokens */
    const float *x;       /* the picture: the input of the encoder, or the result of the decoder */
    const int *tokens;    /* the tokens: the input of the decoder, or the result of the encoder */
    struct err err;
};

/* Reads the picture of it->r into it->x; if n->decode is set, reads the tokens of it->r into it->tokens instead. */
void codes_load(struct codes_item *it, const struct codes_net *n, struct arena *a);

/* Runs n items through the network.  Neighbouring items of equal size are run together; where that fails, for example
 * for want of memory, they are run one by one.  Items that have failed are left out. */
void codes_run(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a);

/* Sets the tokens or the picture that codes_run made, and the fingerprint of codes_fingerprint, in it->r. */
int codes_fill(struct codes_item *it, const struct codes_net *n, struct arena *a, struct err *e);

/* Returns the fingerprint of what the network makes: for pictures that of the network, for tokens that of the
 * codebook. */
struct span codes_fingerprint(const struct codes_net *n);

#endif
