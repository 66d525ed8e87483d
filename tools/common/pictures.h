/* pictures.h - the input pictures of a program (picture_source.h), with the messages and the ends that tools have
 *
 * What     tool_next_picture finds the next picture.  It returns 1, or 0 at the end of the pictures or when the program is
 *          to stop.  It returns -1 if a name, a pipe or an archive cannot be read; the caller then reports p->name and err
 *          and goes on.  The program ends if the list of names cannot be read.  A warning says that the rest of a pipe is
 *          ignored.
 *          tool_load_picture reads the bytes of a picture in a pipe or an archive (picture_source_load).  A warning says why a
 *          .json or a link gave no caption.
 */
#ifndef UNCLIP_PICTURES_H
#define UNCLIP_PICTURES_H

#include "formats/image/picture_source.h"
#include "tools/common/tool.h"

int tool_next_picture(struct tool *t, struct picture_source *s, struct picture *p, struct err *e);
int tool_load_picture(struct tool *t, struct picture_source *s, struct picture *p, struct err *e);

#endif
