/* make_glide - writes GLIDE's four networks with random weights, under the original names
 *
 *     make_glide [-t] [-d f32|f16|mix] [-s seed] [-v vocabulary] DIR [NAME ...]
 *
 * NAME is base, base_inpaint, upsample or upsample_inpaint; without a NAME, all four are written.  Each becomes
 * DIR/NAME.safetensors.  -t writes tiny networks (glide_weights.h).  -v sets another size of the vocabulary.  Full-size
 * files in f32 need 6.2 GB of disk.
 *
 * The program is not installed.  Its files are for tests, also for those that take too long for `make check`.
 */
#define _DEFAULT_SOURCE

#include <getopt.h>

#include "tests/glide_weights.h"

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: make_glide [-t] [-d f32|f16|mix] [-s seed] [-v vocabulary] DIR [NAME ...]\n");
    exit(2);
}

int main(int argc, char *argv[]) {
    struct shape s[2] = {glide_full[0], glide_full[1]};
    size_t vocab = 0, made = 0;
    int is_tiny = 0, c;

    program = "make_glide";
    while ((c = getopt(argc, argv, "d:s:tv:")) != -1)
        switch (c) {
        case 'd': dtype_opt = optarg; break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        case 't': s[0] = glide_tiny[0], s[1] = glide_tiny[1], is_tiny = 1; break;
        case 'v': vocab = strtoull(optarg, NULL, 10); break;
        default: usage();
        }
    if (argc - optind < 1 || vocab > 1 << 20 || (strcmp(dtype_opt, "f32") && strcmp(dtype_opt, "f16") && strcmp(dtype_opt, "mix")))
        usage();
    if (mkdir(argv[optind], 0777) < 0 && errno != EEXIST)
        fail(argv[optind], strerror(errno));
    for (size_t i = 0; i < sizeof glide_networks / sizeof *glide_networks; i++) {
        const struct network *n = &glide_networks[i];
        struct shape one = s[n->upsampler];
        int wanted = argc - optind == 1;

        for (int k = optind + 1; k < argc; k++)
            wanted |= !strcmp(argv[k], n->name);
        if (vocab)
            one.vocab = vocab;
        if (wanted)
            glide_write(argv[optind], n, &one, !is_tiny && !vocab), made++;
    }
    if (!made)
        usage();
    return 0;
}
