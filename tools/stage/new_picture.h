/* new_picture.h - what of a record is about its earlier picture, and goes when the record gets another one
 *
 * What     A program that gives a record a picture, or the tokens of a picture, copies the other fields (unclip(5)).
 *          Those that describe the earlier picture would be taken for a description of the new one: upsample would
 *          paste the known part of an earlier inpainting into it, image-out would write an earlier drawing's strokes.
 * Fields   image_embed stays: the picture may be made from it, and clip-embed computes it again.  What rank and probe
 *          found stays too, because it describes the vector that they read.
 * Errors   -1 if memory is out or `model` is not a map.
 */
#ifndef UNCLIP_NEW_PICTURE_H
#define UNCLIP_NEW_PICTURE_H

#include "formats/record/record.h"

enum new_picture {
    PICTURE_MADE = 1,         /* decode64: another picture */
    PICTURE_DRAWN = 2,        /* clip-draw: another picture, whose cosine is known */
    PICTURE_SKETCHED = 4,     /* clip-draw: a partial picture, whose cosine is not known */
    PICTURE_FORETOLD = 8,     /* dalle: the tokens of another picture, which is not there yet */
    PICTURE_CODED = 16,       /* vq: the tokens of the record's picture */
    PICTURE_DECODED = 32,     /* vq -d: the picture of the record's tokens */
    PICTURE_ENLARGED = 64     /* upsample: the record's picture with more pixels */
};

/* Drops the fields that are wrong after the change, and their fingerprints.  The caller then sets its own fields. */
int new_picture(struct record *r, enum new_picture change, struct err *e);

#endif
