/* unclip-label - label pictures with words: a program on libunclip, unclip(3)
 *
 *      cc -o unclip-label unclip-label.c $(pkg-config --cflags --libs unclip)
 *      ./unclip-label MODEL cat,dog,horse photo.jpg ...
 *
 * Prints a line for each picture: its name, the label that fits best, and the label's probability.  A picture that cannot
 * be read is named, and the others are labelled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unclip.h>

/* Splits a list at its commas.  Returns how many parts it has. */
static size_t split(char *list, const char **part) {
    size_t n = 0;

    for (char *s = strtok(list, ","); s; s = strtok(NULL, ","))
        part[n++] = s;
    return n;
}

/* Prints the best of the labels for each picture that was read.  Returns the exit status. */
static int print(struct unclip *u, size_t n, char *name[], const float *picture, size_t width, size_t labels,
                 const char *const label[], const float *word, double *prob) {
    int status = 0;

    for (size_t i = 0; i < n; i++) {
        const float *v = picture + i * width;
        size_t best = 0;

        if (v[0] != v[0])    /* NaN: the picture could not be read */
            continue;
        if (unclip_classify(u, 1, v, labels, word, prob) < 0) {
            fprintf(stderr, "unclip-label: %s: %s\n", name[i], unclip_error(u));
            status = 1;
            continue;
        }
        for (size_t k = 1; k < labels; k++)
            if (prob[k] > prob[best])
                best = k;
        printf("%s\t%s\t%.4f\n", name[i], label[best], prob[best]);
    }
    return status;
}

static int label_pictures(struct unclip *u, const char *model, size_t labels, const char *const label[], size_t n, char *name[]) {
    float *word = NULL, *picture = NULL;
    double *prob = NULL;
    size_t width = 0;
    int status = 2;

    if (unclip_open(u, model) == 0 && (width = unclip_size(u, UNCLIP_EMBED)) > 0) {
        word = malloc(labels * width * sizeof *word);
        picture = malloc(n * width * sizeof *picture);
        prob = malloc(labels * sizeof *prob);
    }
    if (word && picture && prob && unclip_embed_labels(u, labels, label, word) == 0) {
        int bad = unclip_embed_files(u, n, (const char *const *)name, picture);

        if (bad)
            fprintf(stderr, "unclip-label: %s\n", unclip_error(u));
        status = print(u, n, name, picture, width, labels, label, word, prob) || bad;
    } else {
        fprintf(stderr, "unclip-label: %s\n", *unclip_error(u) ? unclip_error(u) : "out of memory");
    }
    free(word), free(picture), free(prob);
    return status;
}

int main(int argc, char *argv[]) {
    const char **label;
    struct unclip *u;
    int status;

    if (argc < 4) {
        fprintf(stderr, "usage: unclip-label MODEL LABEL,... PICTURE...\n");
        return 2;
    }
    label = malloc((strlen(argv[2]) + 1) * sizeof *label);
    if (!label)
        return 2;
    u = unclip_new();
    status = label_pictures(u, argv[1], split(argv[2], label), label, (size_t)argc - 3, argv + 3);
    unclip_free(u);
    free(label);
    return status;
}
