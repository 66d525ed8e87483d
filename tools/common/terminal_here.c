/* Which protocol the terminal on standard output draws with. */
#include "tools/common/terminal_here.h"

#include <stdlib.h>
#include <unistd.h>

#include "tools/common/say.h"

enum terminal tool_terminal(void) {
    enum terminal found;

    if (!isatty(1))
        die("--show: standard output is not a terminal; --show=kitty and --show=sixel write anyway");
    found = terminal_of(getenv("TERM"), getenv("TERM_PROGRAM"), getenv("KITTY_WINDOW_ID"), getenv("KONSOLE_VERSION"));
    if (found == TERMINAL_UNKNOWN)
        die("this terminal is not known to draw pictures; if it does, say --show=kitty or --show=sixel");
    return found;
}
