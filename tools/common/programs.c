#include "tools/common/programs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"

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

const char *program_beside(const char *up, const char *name) {
    static char path[4600];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    self[n] = 0;
    if (!(slash = strrchr(self, '/')))
        return NULL;
    *slash = 0;
    snprintf(path, sizeof path, "%s/%s%s", self, up, name);
    return access(path, F_OK) == 0 ? path : NULL;
}

noreturn void program_become(const char *name, char *const argv[]) {
    const char *path = program_beside("", name);

    if (path)
        execv(path, argv);
    execvp(name, argv);
    die_errno("%s", name);
}
