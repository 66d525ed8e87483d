/* allocates: tables of items and boxes, and the joined bytes of an item that the file stores in pieces */
#include "formats/image/heif_limit.h"

#include <stdlib.h>
#include <string.h>

#include "formats/image/coded_size.h"
#include "lib/base/size.h"
#include "lib/base/span.h"

#define TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum {
    DEPTH = 8,             /* how deep grids, overlays and alpha may be nested */
    LEAST = 64 * 64,       /* the least cost of an item, in pixels, because the start of a decoder costs as much */
    TIMES = 4,             /* all coded pictures together may have TIMES the limit of pixels */
    SLACK = 64,            /* by how many pixels a coded picture, made of whole blocks, may be larger than ispe */
    EXTENTS = 32           /* the most pieces of an item, as in libheif */
};

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* ---- bytes and boxes ---- */

struct reader {
    struct span s;
    bool bad;              /* a read went beyond the end, or a box did not fit */
};

static uint64_t get(struct reader *r, size_t bytes) {
    uint64_t v = 0;

    if (r->s.n < bytes) {
        r->bad = true;
        r->s.n = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | r->s.p[i];
    r->s.p += bytes, r->s.n -= bytes;
    return v;
}

/* Takes the next box from r.  Sets *type to its type and *box to a reader of its content.  Returns 1, or 0 at the end
 * of r.  If the box does not fit into r, returns 0 and sets r->bad. */
static int next_box(struct reader *r, uint32_t *type, struct reader *box) {
    uint64_t head = 8, size;

    if (!r->s.n)
        return 0;
    size = get(r, 4);
    *type = (uint32_t)get(r, 4);
    if (size == 1)
        head = 16, size = get(r, 8);
    else if (size == 0)
        size = head + r->s.n;
    if (r->bad || size < head || size - head > r->s.n) {
        r->bad = true;
        return 0;
    }
    *box = (struct reader){{r->s.p, (size_t)(size - head)}, false};
    r->s.p += size - head, r->s.n -= (size_t)(size - head);
    return 1;
}

/* Makes *box the first box of that type inside r.  Returns false if r has no such box. */
static bool find_box(struct reader r, uint32_t type, struct reader *box) {
    uint32_t t;

    while (next_box(&r, &t, box))
        if (t == type)
            return true;
    return false;
}

/* Reads the head of a full box: returns the version and writes the flags into *flags. */
static unsigned version(struct reader *r, uint32_t *flags) {
    uint32_t v = (uint32_t)get(r, 4);

    *flags = v & 0xffffff;
    return v >> 24;
}

/* ---- items ---- */

struct link {
    size_t item, next;     /* indices into file.item and file.link; next is SIZE_MAX at the end */
};

struct item {
    uint32_t id, type;
    struct reader where;           /* the item's entry in iloc, from after the id on; p is NULL if absent */
    struct reader parts;           /* the dimg reference: the count and the ids of the items that this item shows */
    size_t aux;                    /* first link to an auxiliary item such as alpha, or SIZE_MAX */
    struct reader config;          /* hvcC or av1C; p is NULL if absent */
    uint64_t w, h;                 /* from ispe; 0 if absent */
    bool bad_crop;
    uint64_t cost;                 /* how many pixels decoding the item makes */
    enum { NEW, OPEN, DONE } state;
};

struct file {
    struct span all, idat;
    uint64_t max;
    struct item *item;
    size_t items;
    struct link *link;
    size_t links;
    unsigned loc_version, sizes;   /* version of iloc; its four field sizes, each of four bits */
    unsigned ref_bytes;            /* bytes of an item's id in iref */
    struct err *e;
};

static int broken(const struct file *f) {
    return err_set(f->e, "HEIF: boxes that do not fit into each other");
}

static int by_id(const void *a, const void *b) {
    const struct item *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static struct item *find_item(const struct file *f, uint32_t id) {
    struct item key = {.id = id};

    return f->items ? bsearch(&key, f->item, f->items, sizeof key, by_id) : NULL;
}

static int read_items(struct file *f, struct reader iinf) {
    struct reader box;
    uint32_t flags, type;

    get(&iinf, version(&iinf, &flags) == 0 ? 2 : 4);
    f->item = malloc((iinf.s.n / 20 + 1) * sizeof *f->item);    /* an infe box has 20 bytes or more */
    if (!f->item)
        return err_set(f->e, "HEIF: no memory");
    while (next_box(&iinf, &type, &box)) {
        struct item it = {.aux = SIZE_MAX};
        unsigned v = version(&box, &flags);

        if (type != TYPE('i', 'n', 'f', 'e') || v < 2)
            continue;
        it.id = (uint32_t)get(&box, v == 2 ? 2 : 4);
        get(&box, 2);
        it.type = (uint32_t)get(&box, 4);
        if (box.bad)
            return broken(f);
        f->item[f->items++] = it;
    }
    qsort(f->item, f->items, sizeof *f->item, by_id);
    for (size_t i = 1; i < f->items; i++)
        if (f->item[i].id == f->item[i - 1].id)
            return err_set(f->e, "HEIF: two items of one number");
    return iinf.bad ? broken(f) : 0;
}

/* Returns how many bytes field `which` of iloc takes: 4, 8, or 0 for all other sizes. */
static size_t field(const struct file *f, int which) {
    unsigned v = f->sizes >> (12 - 4 * which) & 15;

    return v == 4 || v == 8 ? v : 0;
}

static int read_places(struct file *f, struct reader iloc) {
    uint32_t flags;
    uint64_t count;

    f->loc_version = version(&iloc, &flags);
    f->sizes = (unsigned)get(&iloc, 2);
    if (f->loc_version < 2 && f->sizes & 15)    /* an item index, which versions of libheif read differently */
        return broken(f);
    count = get(&iloc, f->loc_version < 2 ? 2 : 4);
    for (uint64_t i = 0; i < count && !iloc.bad; i++) {
        struct item *it = find_item(f, (uint32_t)get(&iloc, f->loc_version < 2 ? 2 : 4));
        struct reader here = iloc;
        uint64_t extents;

        get(&iloc, f->loc_version >= 1 ? 4 : 2);
        get(&iloc, field(f, 2));
        extents = get(&iloc, 2);
        for (uint64_t j = 0; j < extents && !iloc.bad; j++)
            get(&iloc, field(f, 3)), get(&iloc, field(f, 0)), get(&iloc, field(f, 1));
        if (it && it->where.s.p)
            return err_set(f->e, "HEIF: two places of one item");
        if (it)
            it->where = here;
    }
    return iloc.bad ? broken(f) : 0;
}

/* Returns true if the four fractions of a crop (box clap) are small enough for libheif.  libheif adds them up in 32
 * bits, and 1.15.1 as released then divides by 0 (CVE-2023-29659). */
static bool crop_known(struct reader box) {
    int64_t v[8];

    for (int i = 0; i < 8; i++)
        v[i] = (int32_t)(uint32_t)get(&box, 4);
    for (int i = 0; i < 8; i += 2)
        if (v[i + 1] < 1 || v[i + 1] > 4096 || v[i] > v[i + 1] * (i < 4 ? 32768 : 16384) ||
            v[i] < (i < 4 ? 1 : -16384 * v[i + 1]))
            return false;
    return !box.bad;
}

static void set_property(struct item *it, uint32_t type, struct reader box) {
    uint32_t flags;

    if (type == TYPE('c', 'l', 'a', 'p') && !crop_known(box))
        it->bad_crop = true;

    if (type == TYPE('i', 's', 'p', 'e') && !it->w) {
        version(&box, &flags);
        it->w = get(&box, 4);
        it->h = get(&box, 4);
    }
    if ((type == TYPE('h', 'v', 'c', 'C') && it->type == TYPE('h', 'v', 'c', '1')) ||
        (type == TYPE('a', 'v', '1', 'C') && it->type == TYPE('a', 'v', '0', '1')))
        if (!it->config.s.p)
            it->config = box;
}

/* Reads ipma, which says which item has which of the n properties, and calls set_property for each pair. */
static int read_owners(struct file *f, struct reader ipma, const struct reader *box, const uint32_t *type, size_t n) {
    uint32_t flags;
    unsigned v = version(&ipma, &flags);
    uint64_t count = get(&ipma, 4);

    for (uint64_t i = 0; i < count && !ipma.bad; i++) {
        struct item *it = find_item(f, (uint32_t)get(&ipma, v < 1 ? 2 : 4));
        uint64_t of = get(&ipma, 1);

        while (of-- && !ipma.bad) {
            uint64_t index = flags & 1 ? get(&ipma, 2) & 0x7fff : get(&ipma, 1) & 0x7f;

            if (it && index && index <= n)
                set_property(it, type[index - 1], box[index - 1]);
        }
    }
    return ipma.bad ? broken(f) : 0;
}

static int read_properties(struct file *f, struct reader iprp) {
    struct reader ipco, box, *boxes;
    uint32_t *types, type;
    size_t n = 0;
    int r = 0;

    if (!find_box(iprp, TYPE('i', 'p', 'c', 'o'), &ipco))
        return 0;
    boxes = malloc((ipco.s.n / 8 + 1) * sizeof *boxes);
    types = malloc((ipco.s.n / 8 + 1) * sizeof *types);
    if (!boxes || !types)
        r = err_set(f->e, "HEIF: no memory");
    while (r == 0 && next_box(&ipco, &types[n], &boxes[n]))
        n++;
    while (r == 0 && next_box(&iprp, &type, &box))
        if (type == TYPE('i', 'p', 'm', 'a'))
            r = read_owners(f, box, boxes, types, n);
    free(boxes);
    free(types);
    return r < 0 ? r : ipco.bad || iprp.bad ? broken(f) : 0;
}

static int read_references(struct file *f, struct reader iref) {
    uint32_t flags, type;
    struct reader box;

    f->ref_bytes = version(&iref, &flags) == 0 ? 2 : 4;
    f->link = malloc((iref.s.n / f->ref_bytes + 1) * sizeof *f->link);
    if (!f->link)
        return err_set(f->e, "HEIF: no memory");
    while (next_box(&iref, &type, &box)) {
        struct item *from = find_item(f, (uint32_t)get(&box, f->ref_bytes)), *to;
        struct reader parts = box;
        uint64_t count = get(&box, 2);

        if (from && type == TYPE('d', 'i', 'm', 'g') && !from->parts.s.p)
            from->parts = parts;
        for (uint64_t i = 0; i < count && type == TYPE('a', 'u', 'x', 'l') && from && !box.bad; i++)
            if ((to = find_item(f, (uint32_t)get(&box, f->ref_bytes))) && !box.bad) {
                f->link[f->links] = (struct link){(size_t)(from - f->item), to->aux};
                to->aux = f->links++;
            }
    }
    return iref.bad ? broken(f) : 0;
}

/* ---- what an item costs ---- */

/* Makes *data the bytes of an item.  They are in the file, or in *copy if the item is in pieces; the caller frees
 * *copy.  An item that libheif cannot read has no bytes. */
static int item_data(const struct file *f, const struct item *it, struct span *data, unsigned char **copy) {
    struct reader r = it->where;
    unsigned method = f->loc_version >= 1 ? (unsigned)get(&r, 2) & 15 : 0;
    struct span from = method ? f->idat : f->all, part[EXTENTS];
    uint64_t base, count, sum = 0;

    *copy = NULL;
    *data = (struct span){f->all.p, 0};
    if (!it->where.s.p || method > 1)
        return 0;
    get(&r, 2);
    base = get(&r, field(f, 2));
    count = get(&r, 2);
    if (count > EXTENTS)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at, len;

        get(&r, field(f, 3));
        at = get(&r, field(f, 0));
        len = get(&r, field(f, 1));
        if (r.bad || base > from.n || at > from.n - base || len > from.n - base - at)
            return 0;
        part[i] = (struct span){from.p + base + at, (size_t)len};
        sum += len;
    }
    if (count == 1)
        *data = part[0];
    if (count < 2)
        return 0;
    if (sum > f->all.n)
        return err_set(f->e, "HEIF: an item of more bytes than the file");
    if (!(*copy = malloc((size_t)sum + 1)))
        return err_set(f->e, "HEIF: no memory");
    data->p = *copy;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(*copy + data->n, part[i].p, part[i].n);
        data->n += part[i].n;
    }
    return 0;
}

/* Adds the parameter sets of an hvcC box to *c.  The box has 22 bytes, then arrays of parameter sets. */
static bool hevc_config(struct coded *c, struct reader r) {
    uint64_t arrays, sets, len;

    get(&r, 8), get(&r, 8), get(&r, 6);
    for (arrays = get(&r, 1); arrays-- && !r.bad;) {
        get(&r, 1);
        for (sets = get(&r, 2); sets-- && !r.bad;) {
            len = get(&r, 2);
            if (len > r.s.n || !coded_hevc_set(c, r.s.p, (size_t)len))
                return false;
            r.s.p += len, r.s.n -= (size_t)len;
        }
    }
    return !r.bad;
}

static int too_large(const struct file *f, const char *what, uint64_t w, uint64_t h) {
    return err_set(f->e, "HEIF: %s of %llu x %llu pixels, the limit is %llu in all", what, (unsigned long long)w,
                   (unsigned long long)h, (unsigned long long)f->max);
}

static int coded_cost(const struct file *f, struct item *it, struct span data) {
    struct coded c = {.w = 0};
    bool hevc = it->type == TYPE('h', 'v', 'c', '1'), good;

    if (!it->config.s.p || !data.n)    /* libheif will refuse the item with a message */
        return 0;
    if (hevc)
        good = hevc_config(&c, it->config) && coded_hevc(&c, data.p, data.n);
    else
        good = coded_av1(&c, it->config.s.p + size_min(4, it->config.s.n), it->config.s.n - size_min(4, it->config.s.n),
                        data.p, data.n);
    if (!good)
        return err_set(f->e, "HEIF: broken %s data", hevc ? "HEVC" : "AV1");
    if (c.w && c.h > f->max / c.w)
        return too_large(f, "a coded picture", c.w, c.h);
    if (it->w && c.w && (c.w > it->w + SLACK || c.h > it->h + SLACK || c.least_w < it->w || c.least_h < it->h))
        return err_set(f->e, "HEIF: a coded picture of %llu x %llu pixels, where its header says %llu x %llu",
                       (unsigned long long)c.w, (unsigned long long)c.h, (unsigned long long)it->w,
                       (unsigned long long)it->h);
    it->cost = c.pictures > 1 ? c.w * c.h * least(c.pictures, TIMES << 20) : c.w * c.h;
    return 0;
}

/* Sets the cost of a grid or an overlay to the pixels of its canvas.  Before the size of the canvas, the data of a grid
 * has 2 bytes, and the data of an overlay has the 8 bytes of a colour. */
static int canvas_cost(const struct file *f, struct item *it, struct span data) {
    struct reader r = {data, false};
    uint64_t w, h;
    size_t each;

    get(&r, 1);
    each = get(&r, 1) & 1 ? 4 : 2;
    get(&r, it->type == TYPE('g', 'r', 'i', 'd') ? 2 : 8);
    w = get(&r, each), h = get(&r, each);
    if (w && h > f->max / w)
        return too_large(f, "a canvas", w, h);
    it->cost = w * h;
    return 0;
}

static bool is_picture(const struct item *it) {
    return it->type == TYPE('h', 'v', 'c', '1') || it->type == TYPE('a', 'v', '0', '1') ||
           it->type == TYPE('g', 'r', 'i', 'd') || it->type == TYPE('i', 'o', 'v', 'l') ||
           it->type == TYPE('i', 'd', 'e', 'n');
}

static int find_cost(struct file *f, struct item *it, int depth);

/* Returns how many pixels all pictures of the file may cost together. */
static uint64_t budget(const struct file *f) {
    return TIMES * least(f->max, (uint64_t)1 << 40) + (1 << 20);
}

/* Adds to to->cost the cost of `part`, an item that `to` is made of.  The sum is cut to budget(f) + 1. */
static int add_cost(struct file *f, struct item *to, struct item *part, int depth) {
    if (!part || !is_picture(part))    /* libheif ends the program on such an item */
        return err_set(f->e, "HEIF: a picture made of what is not a picture");
    if (find_cost(f, part, depth + 1) < 0)
        return -1;
    to->cost = least(to->cost + part->cost, budget(f) + 1);
    return 0;
}

static int find_cost(struct file *f, struct item *it, int depth) {
    bool coded = it->type == TYPE('h', 'v', 'c', '1') || it->type == TYPE('a', 'v', '0', '1'),
         canvas = it->type == TYPE('g', 'r', 'i', 'd') || it->type == TYPE('i', 'o', 'v', 'l');
    unsigned char *copy;
    struct span data;
    int r = 0;

    if (it->state == DONE)
        return 0;
    if (it->state == OPEN || depth > DEPTH)
        return err_set(f->e, "HEIF: a picture made of itself, or of too many layers");
    if (it->bad_crop)
        return err_set(f->e, "HEIF: an impossible crop");
    it->state = OPEN;
    if (coded || canvas) {
        r = item_data(f, it, &data, &copy);
        if (r == 0)
            r = coded ? coded_cost(f, it, data) : canvas_cost(f, it, data);
        free(copy);
    }
    it->cost = it->cost > LEAST ? it->cost : LEAST;
    if (!coded && it->parts.s.p) {
        struct reader parts = it->parts;
        uint64_t count = get(&parts, 2);

        for (uint64_t i = 0; r == 0 && i < count && !parts.bad; i++)
            r = add_cost(f, it, find_item(f, (uint32_t)get(&parts, f->ref_bytes)), depth);
    }
    for (size_t l = it->aux; r == 0 && l != SIZE_MAX; l = f->link[l].next)
        r = add_cost(f, it, &f->item[f->link[l].item], depth);
    it->state = DONE;
    return r;
}

/* ---- the file ---- */

static int read_meta(struct file *f, struct reader meta) {
    struct reader box, pitm;
    struct item *primary;
    uint32_t flags;

    version(&meta, &flags);
    if (find_box(meta, TYPE('i', 'd', 'a', 't'), &box))
        f->idat = box.s;
    if (!find_box(meta, TYPE('p', 'i', 't', 'm'), &pitm) || !find_box(meta, TYPE('i', 'i', 'n', 'f'), &box))
        return 0;
    if (read_items(f, box) < 0 || (find_box(meta, TYPE('i', 'l', 'o', 'c'), &box) && read_places(f, box) < 0) ||
        (find_box(meta, TYPE('i', 'p', 'r', 'p'), &box) && read_properties(f, box) < 0) ||
        (find_box(meta, TYPE('i', 'r', 'e', 'f'), &box) && read_references(f, box) < 0))
        return -1;
    primary = find_item(f, (uint32_t)get(&pitm, version(&pitm, &flags) == 0 ? 2 : 4));
    if (!primary)
        return 0;
    if (find_cost(f, primary, 0) < 0)
        return -1;
    if (primary->cost > budget(f))
        return err_set(f->e, "HEIF: coded pictures of more than %d times %llu pixels in all", TIMES,
                       (unsigned long long)f->max);
    return 0;
}

int heif_limit(const unsigned char *p, size_t n, const struct image_options *o, struct err *e) {
    struct file f = {.all = {p, n}, .max = o->max_pixels ? o->max_pixels : IMAGE_MAX_PIXELS, .e = e};
    struct reader all = {f.all, false}, box;
    uint32_t type;
    int r = 0, metas = 0;

    while (r == 0 && next_box(&all, &type, &box))
        if (type == TYPE('m', 'e', 't', 'a'))
            r = metas++ ? broken(&f) : read_meta(&f, box);
    free(f.item);
    free(f.link);
    return r;
}
