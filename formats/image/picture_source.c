/* allocates: the bytes of a picture that comes by a pipe or in an archive, and of a .json */
#include "formats/image/picture_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/image/image_read.h"
#include "formats/io/json_text.h"
#include "formats/io/pathname.h"
#include "lib/base/utf8.h"

static const size_t FIRST = (size_t)1 << 18;    /* bytes of the first buffer */

int picture_source_open(struct picture_source *s, char *const operand[], size_t n, const char *files0, struct arena *a, struct err *e) {
    *s = (struct picture_source){.fd = -1, .files0 = files0};
    return names_open(&s->names, operand, n, files0, a, e);
}

void picture_source_close(struct picture_source *s) {
    names_close(&s->names);
    if (s->fd >= 0)
        close(s->fd);
    free(s->buf);
}

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

/* Returns how many of the n bytes at p are NULs and line ends at the beginning. */
static size_t padding(const unsigned char *p, size_t n) {
    size_t k = 0;

    while (k < n && (!p[k] || p[k] == '\n' || p[k] == '\r'))
        k++;
    return k;
}

/* Returns whether s->buf holds the whole picture that waits to be loaded, and bytes of the next one after it. */
static bool begins_next(const struct picture_source *s) {
    struct picture_cut cut = {0};
    const ptrdiff_t n = picture_cut(&cut, s->buf, s->len);

    return n > 0 && padding(s->buf + n, s->len - (size_t)n) < s->len - (size_t)n;
}

bool picture_source_ready(const struct picture_source *s) {
    if (s->fd < 0)
        return names_ready(&s->names);
    if (s->waiting)    /* the next call first reads and discards the rest of a picture */
        return s->eof || begins_next(s);
    return padding(s->buf, s->len) < s->len || s->ahead || s->late.msg[0] || s->eof || readable(s->fd);
}

/* Makes room for at least one more byte after the n bytes at *p.  Returns 0, or -1 if n is over the limit or memory runs
 * out. */
static int grow(unsigned char **p, size_t n, size_t *cap, struct err *e) {
    const size_t more = *cap ? 2 * *cap : FIRST;
    unsigned char *longer;

    if (n < *cap)
        return 0;
    if (n > IMAGE_MAX_BYTES)
        return err_set(e, "more than %llu bytes", (unsigned long long)IMAGE_MAX_BYTES);
    if (!(longer = realloc(*p, more)))
        return err_set(e, "no memory for %zu bytes", more);
    *p = longer, *cap = more;
    return 0;
}

/* Returns whether the n bytes at p begin as a picture does.  A picture in a format that is not supported is a picture too,
 * so that it fails with a message. */
static bool begins_picture(const unsigned char *p, size_t n) {
    return image_format(p, n) || image_unsupported(p, n);
}

/* ---- pipes ---- */

/* Reads some bytes from the pipe into s->buf.  Returns 1, 0 at the end of the pipe, or -1 on an error. */
static int more(struct picture_source *s, struct err *e) {
    struct pollfd wait = {.fd = s->fd, .events = POLLIN};

    if (s->eof)
        return 0;
    if (grow(&s->buf, s->len, &s->cap, e) < 0)
        return -1;
    for (;;) {
        ssize_t got;

        if (poll(&wait, 1, -1) < 0)    /* EINTR: a signal asks the program to stop */
            return err_set(e, "%s", strerror(errno));
        got = read(s->fd, s->buf + s->len, s->cap - s->len);
        if (got < 0 && errno == EAGAIN)
            continue;
        if (got < 0)
            return err_set(e, "%s", strerror(errno));
        s->eof = got == 0;
        s->len += (size_t)got;
        return !s->eof;
    }
}

static void leave(struct picture_source *s) {
    close(s->fd);
    free(s->buf);
    s->buf = NULL;
    s->fd = -1;
    s->len = s->cap = 0;
    s->eof = s->ahead = s->waiting = false;
}

/* Drops the first n bytes of s->buf. */
static void drop(struct picture_source *s, size_t n) {
    s->len -= n;
    memmove(s->buf, s->buf + n, s->len);
}

/* Reads on until s->buf holds the whole picture that begins there.  Returns the picture's length, or -1. */
static ptrdiff_t read_whole(struct picture_source *s, struct err *e) {
    struct picture_cut cut = {0};
    ptrdiff_t n;
    int got = 1;

    while ((n = picture_cut(&cut, s->buf, s->len)) == PICTURE_CUT_MORE && got > 0)
        got = more(s, e);
    while (n <= 0 && got > 0)
        got = more(s, e);
    return got < 0 ? -1 : n > 0 ? n : (ptrdiff_t)s->len;
}

/* Reads and discards the bytes of the last picture if the caller did not load it.  Otherwise they would be taken for the
 * next picture. */
static int pass_over(struct picture_source *s, struct err *e) {
    ptrdiff_t n;

    if (!s->waiting)
        return 0;
    if ((n = read_whole(s, e)) < 0)
        return -1;
    s->waiting = false;
    drop(s, (size_t)n);
    return 0;
}

/* Goes to the beginning of the pipe's next picture: reads KIND bytes from there on, or all that are left.  Passes over NULs
 * and line ends between two pictures, at most IMAGE_MAX_BYTES.  Returns 0, or -1. */
static int find_next(struct picture_source *s, struct err *e) {
    enum { KIND = 64, NULS = 3 };    /* bytes that tell the format, and NULs with which a picture may begin (HEIF) */
    uint64_t passed = 0;

    for (;;) {
        int got = 1;
        size_t n, k;

        while (s->len < KIND && got > 0)
            got = more(s, e);
        if (got < 0)
            return -1;
        n = padding(s->buf, s->len);
        if (s->number == 1 || !n || begins_picture(s->buf, s->len) || passed > IMAGE_MAX_BYTES)
            return 0;
        if (n == s->len && s->eof)
            return drop(s, n), 0;
        k = n > NULS ? n - NULS : 1;
        drop(s, k);
        passed += k;
    }
}

/* Leaves the pipe after its first picture.  What follows and does not begin as a picture is ignored, with a warning. */
static void leave_rest(struct picture_source *s) {
    snprintf(s->warning, sizeof s->warning, "%s: %zu bytes%s after the first picture are not a picture: %s", s->source, s->len,
             s->eof ? "" : " or more", s->eof ? "they are ignored" : "the rest of the pipe is ignored");
    leave(s);
}

/* Returns 1 and sets p->name if the pipe holds another picture, 0 if it holds no more, or -1. */
static int next_in_pipe(struct picture_source *s, struct picture *p, struct err *e) {
    if (pass_over(s, e) < 0) {
        p->name = s->name;
        return leave(s), -1;
    }
    p->name = s->source;
    if (find_next(s, e) < 0)
        return leave(s), -1;
    if (s->eof && padding(s->buf, s->len) == s->len) {
        leave(s);
        return s->number == 1 ? err_set(e, "nothing came through the pipe") : 0;
    }
    if (s->number == 2 && !begins_picture(s->buf, s->len))
        return leave_rest(s), 0;
    if (s->number > 1)
        snprintf(s->name, sizeof s->name, "%s:%llu", s->source, (unsigned long long)s->number);
    else
        snprintf(s->name, sizeof s->name, "%s", s->source);
    s->number++;
    s->waiting = true;
    p->name = s->name;
    return 1;
}

static int load_from_pipe(struct picture_source *s, struct picture *p, struct err *e) {
    const ptrdiff_t n = read_whole(s, e);
    unsigned char *rest = NULL;
    size_t left, cap;

    s->waiting = false;
    if (n < 0)
        goto failed;
    left = s->len - (size_t)n;
    cap = left > FIRST ? left : FIRST;
    if (!(rest = malloc(cap))) {
        err_set(e, "no memory for %zu bytes", cap);
        goto failed;
    }
    memcpy(rest, s->buf + n, left);
    p->bytes = s->buf, p->n = (size_t)n;
    s->buf = rest, s->len = left, s->cap = cap;
    return 1;
failed:
    s->eof = true, s->len = 0;    /* the beginning of the next picture is not known */
    return -1;
}

/* ---- archives ---- */

/* Returns the length of the key of a tar member.  As in webdataset, the key is the member's name up to the
 * first dot after the last slash. */
static size_t key(const char *name) {
    const char *base = strrchr(name, '/'), *dot = strchr(base ? base : name, '.');

    return dot ? (size_t)(dot - name) : strlen(name);
}

/* Returns which kind of caption a tar member with this name holds. */
static enum caption_kind caption_kind(const char *name) {
    const char *end = name + key(name);

    return !strcmp(end, ".txt") ? CAPTION_TEXT : !strcmp(end, ".json") ? CAPTION_JSON : CAPTION_NONE;
}

static bool same_key(const char *a, const char *b) {
    return key(a) == key(b) && !strncmp(a, b, key(a));
}

/* Sets s->text to the n bytes at p, without line ends at their end.  Returns 0, or -1 if they are too long, hold a NUL or
 * are not UTF-8. */
static int set_text(struct picture_source *s, const char *p, size_t n) {
    while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
        n--;
    if (n >= CAPTION_MAX || memchr(p, 0, n) || !utf8_valid((const unsigned char *)p, n))
        return -1;
    memcpy(s->text, p, n);
    s->text[n] = 0;
    return 0;
}

/* Sets s->text to the caption in the n bytes of JSON at p.  Otherwise s->text stays empty, and err says why unless the
 * object has no caption. */
static void set_json_text(struct picture_source *s, const char *p, size_t n, struct err *e) {
    json_t *o = json_object_load(p, n, e);
    const char *name = "caption";
    const json_t *v = o ? json_get(o, name) : NULL;

    if (o && !v)
        v = json_get(o, name = "text");
    if (v && !json_is_string(v))
        err_set(e, "%s is not a string", name);
    else if (v && set_text(s, json_string_value(v), json_string_length(v)) < 0)
        err_set(e, "%s has %d bytes or more", name, CAPTION_MAX);
    json_decref(o);
}

static void forget_caption(struct picture_source *s) {
    s->text_name[0] = s->text[0] = s->note[0] = 0;
    s->kind = CAPTION_NONE;
}

/* Reads the caption from the current member, whose name is KEY.txt or KEY.json, into s->text.  KEY.json is passed over if
 * KEY.txt was read.  s->text is left empty if the member holds no caption that can be used. */
static void read_caption(struct picture_source *s) {
    const enum caption_kind kind = caption_kind(s->archive.name);
    const uint64_t n = s->archive.left, most = kind == CAPTION_TEXT ? CAPTION_MAX - 1 : JSON_MEMBER_MAX;
    struct err why = {0};
    char *p = NULL;

    if (same_key(s->text_name, s->archive.name) && kind < s->kind)
        return;
    forget_caption(s);
    snprintf(s->text_name, sizeof s->text_name, "%s", s->archive.name);
    s->kind = kind;
    if (s->archive.why)
        err_set(&why, "%s", s->archive.why);
    else if (n > most)
        err_set(&why, "%llu bytes, the limit is %llu", (unsigned long long)n, (unsigned long long)most);
    else if (!(p = malloc((size_t)n + 1)))
        err_set(&why, "no memory for %llu bytes", (unsigned long long)n);
    else if (tar_read(&s->archive, p, (size_t)n, &s->late) < 0)
        ;    /* the next call of picture_source_next reports s->late */
    else if (kind == CAPTION_TEXT)
        set_text(s, p, (size_t)n);
    else
        set_json_text(s, p, (size_t)n, &why);
    if (why.msg[0] && (kind == CAPTION_JSON || s->archive.why))
        snprintf(s->note, sizeof s->note, "%s: %.*s", kind == CAPTION_JSON ? ".json" : ".txt", (int)sizeof s->note - 8, why.msg);
    free(p);
}

/* Reads the first bytes of the archive's current member into s->head.  Returns 0, or -1. */
static int read_head(struct picture_source *s, struct err *e) {
    ptrdiff_t got;

    if (s->heads || s->archive.why)
        return 0;
    got = tar_read(&s->archive, s->head, sizeof s->head, e);
    s->heads = got < 0 ? 0 : (size_t)got;
    return got < 0 ? -1 : 0;
}

/* Goes to the archive's next member.  Passes over the members "._NAME" in AppleDouble in which macOS's tar keeps the
 * attributes of the file NAME.  Returns what tar_next returns. */
static int next_member(struct picture_source *s, struct err *e) {
    for (;;) {
        int got;

        s->heads = 0;
        if ((got = tar_next(&s->archive, e)) <= 0)
            return got;
        if (strncmp(path_base(s->archive.name), "._", 2))
            return 1;
        if (read_head(s, e) < 0)
            return -1;
        if (s->heads < 4 || memcmp(s->head, "\0\5\x16\7", 4))
            return 1;
    }
}

/* Returns whether the archive's current member begins as a picture does.  A JPEG XL without a container has a magic number of
 * two bytes only, so that its name counts, too. */
static bool begins_member(const struct picture_source *s, const unsigned char *p, size_t n) {
    const char *base = path_base(s->archive.name);

    if (n >= 2 && !memcmp(p, "\xff\x0a", 2) && strchr(base, '.') && !path_ends(base, ".jxl"))
        return false;
    return begins_picture(p, n);
}

/* Returns whether the archive's current member is a picture by its name or its first bytes, which s->head keeps. */
static bool is_picture(struct picture_source *s) {
    if (image_name(s->archive.name))
        return true;
    return read_head(s, &s->late) == 0 && begins_member(s, s->head, s->heads);
}

/* Sets p->caption to the caption with the picture's key: the last one before the picture, or one among the members with
 * this key that directly follow the picture. */
static void caption(struct picture_source *s, struct picture *p) {
    char picture[TAR_NAME];

    snprintf(picture, sizeof picture, "%s", s->archive.name);
    while (!same_key(s->text_name, picture) || s->kind < CAPTION_TEXT) {
        s->ahead = next_member(s, &s->late) > 0;
        if (!s->ahead || !same_key(s->archive.name, picture))
            break;
        if (caption_kind(s->archive.name))
            read_caption(s);
        else if (is_picture(s))
            break;
        s->ahead = false;
        if (s->late.msg[0])    /* the next call of picture_source_next reports it */
            break;
    }
    if (!same_key(s->text_name, picture))
        return;
    memcpy(p->caption, s->text, sizeof p->caption);
    memcpy(p->note, s->note, sizeof p->note);
}

/* Returns 1 and sets p to the archive's next member that holds no caption, 0 at the end of the archive, or -1.  Captions are
 * read here, so that a picture has its caption even if the caller skips pictures. */
static int next_in_archive(struct picture_source *s, struct picture *p, struct err *e) {
    int got = 1;

    for (;; read_caption(s)) {
        p->name = s->source;
        if (s->late.msg[0]) {
            err_set(e, "%s", s->late.msg);
            err_clear(&s->late);
            return leave(s), -1;
        }
        if (!s->ahead)
            got = next_member(s, e);
        s->ahead = false;
        if (got <= 0)
            return leave(s), got;
        if (!caption_kind(s->archive.name))
            break;
    }
    if (!same_key(s->text_name, s->archive.name))    /* a member stands between this caption and what follows */
        forget_caption(s);
    snprintf(s->name, sizeof s->name, "%s%s%s", strcmp(s->source, "-") ? s->source : "", strcmp(s->source, "-") ? "/" : "",
             s->archive.name);
    *p = (struct picture){.name = s->name, .archive = s->source, .stamp = s->stamp};
    if (strlen(s->name) >= NAMES_MAX)
        return err_set(e, "%s", strerror(ENAMETOOLONG));
    return 1;
}

static int load_member(struct picture_source *s, struct picture *p, struct err *e) {
    const bool named = image_name(s->archive.name);
    bool first = true;
    size_t cap = 0;
    ptrdiff_t got;

    if (s->archive.why)
        return named ? err_set(e, "%s", s->archive.why) : 0;
    do {
        if (grow(&p->bytes, p->n, &cap, e) < 0)
            goto failed;
        if (s->heads)
            memcpy(p->bytes, s->head, s->heads), p->n = s->heads, s->heads = 0;
        got = tar_read(&s->archive, p->bytes + p->n, cap - p->n, e);
        if (got < 0) {
            s->archive.left = s->archive.pad = 0;    /* tar_next must not report the early end of the archive again */
            goto failed;
        }
        p->n += (size_t)got;
        if (first && !named && !begins_member(s, p->bytes, p->n)) {    /* the first bytes decide */
            free(p->bytes);
            p->bytes = NULL;
            return 0;
        }
        first = false;
    } while (got > 0);
    caption(s, p);
    return 1;
failed:
    free(p->bytes);
    p->bytes = NULL;
    return -1;
}

/* ---- all sources ---- */

/* Examines the file `name`.  Returns false if it cannot be examined. */
static bool examine(const char *name, struct stat *st) {
    return (strcmp(name, "-") ? stat(name, st) : fstat(0, st)) == 0;
}

/* Returns whether the name in the list names the list, which would lose its other names if it were read as a picture. */
static bool is_list(const struct names *s, const struct stat *st) {
    struct stat list;

    return s->listed && fstat(s->list.fd, &list) == 0 && st->st_dev == list.st_dev && st->st_ino == list.st_ino;
}

/* Returns 1 if picture_source_next is to open the name as a pipe or an archive, 0 if the name is that of a picture file, or
 * -1 if it is not read.  In a list, only the pipes that were open when the program began are read. */
static int is_source(const struct picture_source *s, const char *name, struct err *e) {
    struct stat st;
    bool fifo;

    if (!examine(name, &st))
        return s->tar;    /* opening the name gives the reason */
    if (is_list(&s->names, &st))
        return err_set(e, "is the list itself");
    fifo = S_ISFIFO(st.st_mode);
    if (s->tar && fifo && s->names.listed && !image_file_is_pipe(name, st.st_mode))
        return err_set(e, "is a FIFO, not a regular file");
    return s->tar || (fifo && (!s->names.listed || !strcmp(name, "-")));
}

static int open_source(struct picture_source *s, const char *name, struct err *e) {
    struct stat st;

    snprintf(s->source, sizeof s->source, "%s", name);
    s->fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY) : dup(0);
    if (s->fd < 0)
        return err_set(e, "%s", strerror(errno));
    if (fstat(s->fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        leave(s);
        return err_set(e, "Is a directory (DIR/* names the files in it)");
    }
    s->number = 1;
    s->stamp = strcmp(name, "-") ? file_stamp_of(&st) : (struct file_stamp){0};
    forget_caption(s);
    if (s->tar)
        tar_open(&s->archive, s->fd);
    return 0;
}

int picture_source_next(struct picture_source *s, struct picture *p, struct err *e) {
    const char *name;
    int got;

    s->warning[0] = 0;
    for (;;) {
        *p = (struct picture){0};
        err_clear(e);
        if (s->fd >= 0 && (got = s->tar ? next_in_archive(s, p, e) : next_in_pipe(s, p, e)) != 0)
            return got;
        if (s->fd >= 0)
            continue;
        got = names_next(&s->names, &name, e);
        if (got < 0)
            snprintf(s->name, sizeof s->name, "%.200s: name %llu", s->files0 ? s->files0 : "operands",
                     (unsigned long long)s->names.number);
        p->name = s->name;
        if (got <= 0)
            return got;
        p->name = name;
        if ((got = is_source(s, name, e)) < 0)
            return -1;
        p->file = !got;
        if (p->file)
            return 1;
        if (open_source(s, name, e) < 0)
            return -1;
    }
}

int picture_source_load(struct picture_source *s, struct picture *p, struct err *e) {
    if (p->file)
        return 1;
    return s->tar ? load_member(s, p, e) : load_from_pipe(s, p, e);
}
