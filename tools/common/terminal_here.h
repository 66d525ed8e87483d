/* terminal_here.h - the terminal on standard output, as one that draws pictures
 */
#ifndef UNCLIP_TERMINAL_HERE_H
#define UNCLIP_TERMINAL_HERE_H

#include "formats/image/terminal.h"

/* The program ends where standard output is not a terminal, or not one that is known to draw. */
enum terminal tool_terminal(void);

#endif
