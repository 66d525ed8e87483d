/* codes.h - pictures and tokens through an autoencoder, out of records and files and into records
 *
 * What     A picture file becomes what the encoder takes: resized, cut to sides that are multiples of f.  A record's
 *          picture is taken as it is.  image_tokens and grid are read and checked against the codebook.
 * Source   openai/DALL-E 5be4b23 notebooks/usage.ipynb (preprocess): the shorter side to S by Pillow's Lanczos, sides
 *          rounded half to even, the square in the middle; taming-transformers' notebook, the same.
 * Shapes   pictures f32 [3, H, W] in [-1, 1]; tokens [h, w], raster order.
 * Errors   1 found, 0 absent, -1 malformed; functions without something to find: 0 or -1.
 */
#ifndef UNCLIP_CODES_H
#define UNCLIP_CODES_H

#include "formats/checkpoint/vq_model.h"
#include "formats/image/image_read.h"
#include "formats/record/record.h"

struct codes_fit {
    size_t side;      /* of the shorter side after resizing; 0: not resized */
    bool whole;       /* not a square: only what exceeds a multiple of f is cut off */
    size_t factor;    /* f */
};

/* Size after resizing, and what is cut out of that. */
struct codes_place {
    size_t h, w;
    size_t y, x, rows, cols;
};

/* -1 where less than one token is left. */
int codes_where(const struct codes_fit *f, size_t h, size_t w, struct codes_place *p, struct err *e);

/* A picture of bytes [h, w, 3] as [3, *rows, *cols], in a. */
int codes_picture(const struct codes_fit *f, const unsigned char *rgb, size_t h, size_t w, float **x, size_t *rows,
                  size_t *cols, struct arena *a, struct err *e);

/* The tokens of a record, each in [0, codes), and their grid. */
int codes_tokens(const struct record *r, size_t codes, int **tokens, size_t *h, size_t *w, struct arena *a, struct err *e);

/* Set image_tokens, grid, and the codebook's fingerprint. */
int codes_set(struct record *r, const int *tokens, size_t h, size_t w, const char *fingerprint, struct err *e);

/* Do these tokens mean codes of another codebook?  Known of tokens that vq made and no dalle changed afterwards. */
bool codes_differ(const struct record *r, const char *fingerprint, struct span *theirs);

/* ---- a batch ---- */

struct codes_net {
    const struct vq_model *m;
    const struct compute *compute;
    bool decode;    /* tokens to pictures */
    bool u8;        /* pictures as bytes */
    bool force;     /* decode tokens of another codebook */
};

/* One input on its way.  err says why it failed. */
struct codes_item {
    struct record r;
    const char *file;     /* NULL: a record of a stream, */
    uint64_t number;      /* its number there */
    size_t h, w;          /* of the picture in pixels, or of the grid */
    const float *x;       /* the picture that is read, or made */
    const int *tokens;    /* likewise */
    struct err err;
};

/* The picture or the tokens in it->r. */
void codes_load(struct codes_item *it, const struct codes_net *n, struct arena *a);

/* n items through the network, those of one size together, one by one where the memory is too small for them. */
void codes_run(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a);

/* What was made, and its fingerprint, into it->r. */
int codes_fill(struct codes_item *it, const struct codes_net *n, struct arena *a, struct err *e);

/* That fingerprint: of the network for pictures, of the codebook for tokens. */
struct span codes_fingerprint(const struct codes_net *n);

#endif
