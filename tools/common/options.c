/* Options: one table gives getopt_long's options, the checks of the values, and the text of -h. */
#include "formats/io/near.h"
#include "tools/common/programs.h"
#include "tools/common/common.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_ONLY = 1000 };

noreturn void tool_bad_usage(void) {
    fprintf(stderr, "try '%s -h'\n", tool_prog);
    exit(2);
}

/* Prints a message that names the option, like "--batch", and its bad value, and ends the program. */
static noreturn void bad_value(const struct opt *o, const char *arg, const char *why) {
    warn("--%s: '%s' is not %s", o->name, arg, why);
    tool_bad_usage();
}

void tool_set_int(const struct opt *o, const char *arg) {
    char *end, why[96];
    long long v;

    errno = 0;
    v = strtoll(arg, &end, 10);
    if (errno || end == arg || *end || isspace((unsigned char)*arg) ||
        (double)v < o->min || (double)v > o->max) {
        snprintf(why, sizeof why, "a whole number from %.0f to %.0f", o->min, o->max);
        bad_value(o, arg, why);
    }
    *(int64_t *)o->to = v;
}

static void set_float(const struct opt *o, const char *arg) {
    char *end, why[96];
    double v;

    v = strtod(arg, &end);
    if (end == arg || *end || isspace((unsigned char)*arg) || !(v >= o->min && v <= o->max)) {
        snprintf(why, sizeof why, "a number from %g to %g", o->min, o->max);
        bad_value(o, arg, why);
    }
    *(double *)o->to = v;
}

size_t tool_numbers(const char *option, const char *list, double max, double *v, size_t room) {
    const char *p = list;
    char *end;
    size_t n = 0;

    do {
        double x = strtod(p, &end);
        if (end == p || (*end && *end != ',') || !(x >= 0 && x <= max) || n == room)
            die("--%s: '%s' is not a list of numbers from 0 to %g", option, list, max);
        v[n++] = x;
        p = end + 1;
    } while (*end);
    return n;
}

const char *tool_lines(const char *option, const struct strs *values, struct arena *a) {
    size_t n = 1;
    char *text;

    for (size_t i = 0; i < values->n; i++) {
        if (strchr(values->v[i], '\n'))
            die("--%s: the value has several lines", option);
        n += strlen(values->v[i]) + 1;
    }
    if (!(text = arena_take(a, n, 1)))
        die("out of memory");
    n = 0;
    for (size_t i = 0; i < values->n; i++)
        n += (size_t)sprintf(text + n, "%s\n", values->v[i]);
    return values->n ? text : NULL;
}

size_t tool_names(const char *option, const char *list, struct span *v, size_t room) {
    size_t n = 0;

    for (const char *s = list; s;) {
        size_t len = strcspn(s, ",");
        if (!len || n == room)
            die("--%s: not a list of at most %zu names separated by commas", option, room);
        v[n++] = span_bytes(s, len);
        s = s[len] ? s + len + 1 : NULL;
    }
    return n;
}

const char *tool_pair(struct tool *t, const char *option, const char *arg, const char **file) {
    const char *eq = strchr(arg, '=');

    if (!eq || eq == arg || !eq[1])
        die("--%s: '%s' is not FIELD=FILE", option, arg);
    *file = eq + 1;
    return arena_str(&t->arena, arg, (size_t)(eq - arg));
}

static void set_choice(const struct opt *o, const char *arg) {
    size_t n = strlen(arg);
    int i = 0;

    for (const char *c = o->choices; c; i++) {
        const char *bar = strchr(c, '|');
        size_t len = bar ? (size_t)(bar - c) : strlen(c);
        if (len == n && !memcmp(c, arg, n)) {
            *(int *)o->to = i;
            return;
        }
        c = bar ? bar + 1 : NULL;
    }
    bad_value(o, arg, o->choices);
}

static void set_opt(const struct opt *o, const char *arg) {
    struct strs *l = o->to;

    switch (o->kind) {
    case OPT_FLAG: *(bool *)o->to = true; break;
    case OPT_STR: *(const char **)o->to = arg; break;
    case OPT_INT: tool_set_int(o, arg); break;
    case OPT_MAYBE_INT:
        *(int64_t *)o->to = -1;
        if (arg)
            tool_set_int(o, arg);
        break;
    case OPT_FLOAT: set_float(o, arg); break;
    case OPT_CHOICE: set_choice(o, arg); break;
    case OPT_MAYBE_CHOICE:
        *(int *)o->to = 0;
        if (arg)
            set_choice(o, arg);
        break;
    case OPT_LIST:
        if (l->n == TOOL_LIST)
            die("--%s may be given %d times at most", o->name, TOOL_LIST);
        l->v[l->n++] = arg;
        break;
    }
}

/* Returns the long name of the option that a misspelt word, "--name" or "-name", probably means, or NULL. */
static const char *near_option(const char *word, const struct opt *o, size_t n) {
    const size_t dashes = strspn(word, "-"), len = strcspn(word + dashes, "=");
    const char *found = NULL;
    size_t best = SIZE_MAX;
    char name[64];

    if (!dashes || len >= sizeof name)
        return NULL;
    memcpy(name, word + dashes, len);
    name[len] = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t changes = near_changes(name, o[i].name);

        if (changes < best)
            best = changes, found = o[i].name;
    }
    return found;
}

/* Reports an option that getopt_long does not know and ends the program.  `word` is the last argument that getopt_long
 * has read; `next` is the argument after it.  If other letters follow the unknown letter, the option is in `next`. */
static noreturn void unknown_option(const char *word, const char *next, const struct opt *o, size_t n) {
    const char letter[] = {'-', (char)optopt, 0}, *found;
    const bool long_ = !optopt || optopt >= LONG_ONLY;

    if (!long_ && next && next[0] == '-' && strchr(next, optopt))
        word = next;
    if (optopt >= LONG_ONLY)
        warn("option '%s' takes no value", word);
    else if ((found = near_option(word, o, n)))
        warn("unknown option '%s'; did you mean --%s?", word, found);
    else
        warn("unknown option '%s'", long_ ? word : letter);
    tool_bad_usage();
}

static void print_help(const char *synopsis, const struct opt *o, size_t n) {
    const char *about = tool_about(tool_prog);

    if (about)
        printf("%s: %s.  Manual page, with examples: unclip help %s\n\n", tool_prog, about, tool_prog);
    printf("usage: %s %s\n", tool_prog, synopsis);
    for (size_t i = 0; i < n; i++) {
        char left[64];
        int w = o[i].letter ? snprintf(left, sizeof left, "-%c, --%s", o[i].letter, o[i].name)
                            : snprintf(left, sizeof left, "    --%s", o[i].name);
        bool maybe = o[i].kind == OPT_MAYBE_INT || o[i].kind == OPT_MAYBE_CHOICE;
        if (o[i].arg)
            snprintf(left + w, sizeof left - (size_t)w, maybe ? "[=%s%s]" : "%s%s",
                     maybe ? "" : o[i].letter ? " " : "=", o[i].arg);
        printf("  %-28s %s\n", left, o[i].help);
    }
}

static int by_letter(const void *a, const void *b) {
    const struct opt *x = a, *y = b;
    int lx = x->letter ? tolower(x->letter) : 256, ly = y->letter ? tolower(y->letter) : 256;

    if (lx != ly)
        return lx - ly;
    return x->letter != y->letter ? x->letter - y->letter : strcmp(x->name, y->name);
}

/* Adds an option's name to t->given, the options on the command line. */
static void give(struct tool *t, const char *name) {
    size_t i = 0;

    while (t->given[i] && t->given[i] != name)
        i++;
    t->given[i] = name;
}

void tool_parse(struct tool *t, int argc, char *argv[], struct opt *o, size_t n, const char *synopsis) {
    struct option lo[OPT_MAX + 1];
    char letters[2 * OPT_MAX + 2];
    size_t at = 0;
    int c;

    qsort(o, n, sizeof *o, by_letter);
    memset(lo, 0, sizeof lo);
    letters[at++] = ':';
    for (size_t i = 0; i < n; i++) {
        bool maybe = o[i].kind == OPT_MAYBE_INT || o[i].kind == OPT_MAYBE_CHOICE;
        int takes = o[i].kind == OPT_FLAG ? no_argument : maybe ? optional_argument : required_argument;
        lo[i] = (struct option){o[i].name, takes, NULL, LONG_ONLY + (int)i};
        if (o[i].letter) {
            letters[at++] = (char)o[i].letter;
            if (o[i].kind != OPT_FLAG)
                letters[at++] = ':';
        }
    }
    letters[at] = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
        size_t i = 0;
        if (c == '?' || c == ':') {
            const char *word = argv[optind - 1];
            if (c == '?')
                unknown_option(word, argv[optind], o, n);
            warn("option '%s' needs an argument", word);
            tool_bad_usage();
        }
        if (c >= LONG_ONLY)
            i = (size_t)(c - LONG_ONLY);
        else
            while (o[i].letter != c)
                i++;
        set_opt(&o[i], optarg);
        give(t, o[i].name);
        if (o[i].letter == 'h') {
            print_help(synopsis, o, n);
            exit(fflush(stdout) || ferror(stdout) ? 2 : 0);
        }
    }
}

/* ---- modes ---- */

static bool has_name(const char *names, const char *name) {
    const size_t n = strlen(name);

    for (const char *s = names; *s; s += *s == ' ') {
        const size_t len = strcspn(s, " ");

        if (len == n && !memcmp(s, name, n))
            return true;
        s += len;
    }
    return false;
}

static noreturn void refuse_use(const char *name, unsigned modes, const char *const mode[]) {
    char list[200] = "";

    for (int i = 0; modes; i++, modes >>= 1)
        if (modes & 1) {
            const size_t n = strlen(list);

            snprintf(list + n, sizeof list - n, "%s%s", !n ? "" : modes == 1 ? " and " : ", ", mode[i]);
        }
    die("--%s is for %s", name, list);
}

void tool_check_uses(const struct tool *t, const struct opt_use *use, size_t n, const char *const mode[], unsigned now) {
    for (size_t i = 0; i < OPT_MAX && t->given[i]; i++)
        for (size_t k = 0; k < n; k++)
            if (!(use[k].modes & now) && has_name(use[k].names, t->given[i]))
                refuse_use(t->given[i], use[k].modes, mode);
}
