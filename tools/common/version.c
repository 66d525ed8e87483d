/* Prints what -V shows: the versions of this program and of its libraries, and the kernels for this CPU. */
#include "tools/common/common.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <msgpack.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <zlib.h>

#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"

noreturn void tool_print_version(void) {
    const char *arch = cpu_blis_arch();

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    printf("%s (unclip) %s\n", tool_prog, UNCLIP_VERSION);
    printf("BLIS %s (%s), msgpack-c %s, jansson %s, utf8proc %s, zlib %s, xxHash %u.%u.%u\n",
           kern_blis_version(), kern_blis_arch(), msgpack_version(), jansson_version_str(), utf8proc_version(),
           zlibVersion(), XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
    printf("pictures: libjpeg-turbo, libpng");
#ifdef HAVE_LIBWEBP
    printf(", libwebp");
#endif
#ifdef HAVE_LIBHEIF
    printf(", libheif");
#endif
#ifdef HAVE_LIBTIFF_4
    printf(", libtiff");
#endif
#ifdef HAVE_FREETYPE2
    printf(", FreeType");
#endif
    printf("\nkernels:");
    for (size_t i = 0; kern_list(i, cpu_flags()); i++)
        printf(" %s (%s)", kern_list(i, cpu_flags())->name,
               precision_name(kern_list(i, cpu_flags())->precision));
    printf("\n");
    exit(fflush(stdout) || ferror(stdout) ? 2 : 0);
}
