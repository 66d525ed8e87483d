#include "tools/common/programs.h"

#include <string.h>

const struct program tool_programs[] = {
#include UNCLIP_PROGRAMS_INC
    {NULL, NULL},
};

const char *tool_about(const char *name) {
    const struct program *a = tool_programs;

    while (a->name && strcmp(a->name, name) != 0)
        a++;
    return a->does;
}
