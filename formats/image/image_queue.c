#include "formats/image/image_queue.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/image/resize.h"

static const size_t SCRATCH = (size_t)256 << 20;    /* address space of a worker; the system gives pages on first use */

struct worker {
    pthread_t thread;
    struct image_queue *q;
    struct arena_mem mem;
    struct arena scratch;
};

struct image_queue {
    struct image_queue_options o;
    struct image_item *item;          /* ring; picture number n is in slot n % slots */
    bool *done;
    size_t popped, taken, pushed;     /* numbers of pictures: popped <= taken <= pushed <= popped + slots */
    bool stop;
    struct worker *worker;
    size_t started;
    struct arena *from;               /* the arena that the workers' scratch was split from */
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
};

/* The state of a picture that is being decoded.  Each row goes into the resize of `crop` and of `kept`. */
struct passing {
    struct worker *w;
    struct image_item *it;
    struct resize crop, kept;
    struct overlay_label label;    /* its height is 0 if no label is drawn */
    size_t y;                      /* the next row */
};

static int begin(void *of, size_t h, size_t width, struct err *e) {
    struct passing *p = of;
    const struct image_queue_options *o = &p->w->q->o;
    struct arena a = p->w->scratch;

    if (p->it->overlay && overlay_begin(&p->label, p->it->overlay, h, width, &a, e) < 0)
        return -1;
    if (prep_begin(&o->prep, h, width, p->it->crop, &p->crop, &a, e) < 0)
        return -1;
    return o->keep.crop ? prep_begin(&o->keep, h, width, p->it->kept, &p->kept, &a, e) : 0;
}

static void row(void *of, const unsigned char *rgb) {
    struct passing *p = of;

    if (p->label.h)
        rgb = overlay_row(&p->label, p->y++, rgb);
    resize_row(&p->crop, rgb);
    if (p->w->q->o.keep.crop)
        resize_row(&p->kept, rgb);
}

static void process(struct worker *w, struct image_item *it) {
    const struct image_queue_options *o = &w->q->o;
    struct passing p = {.w = w, .it = it};
    const struct image_rows rows = {begin, row, &p};
    unsigned char *file = it->bytes;
    struct image im;
    size_t n = it->n;

    it->bytes = NULL;
    if (!file)
        it->stamp = file_stamp_named(it->name);
    if (!file && image_file_read(it->name, &file, &n, &it->err) < 0)
        return;
    if (o->hash) {
        XXH128_hash_t h = XXH3_128bits(file, n);

        snprintf(it->hash, sizeof it->hash, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64,
                 (uint64_t)h.low64);
    }
    if (image_read_rows(&im, file, n, &o->read, &rows, &it->err) == 0)
        memcpy(it->note, im.note, sizeof it->note);
    image_file_free(file);
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct image_queue *q = w->q;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        size_t slot;

        while (!q->stop && q->taken == q->pushed)
            pthread_cond_wait(&q->work, &q->lock);
        if (q->stop)
            break;
        slot = q->taken++ % q->o.slots;
        pthread_mutex_unlock(&q->lock);
        if (!q->item[slot].err.msg[0])
            process(w, &q->item[slot]);
        pthread_mutex_lock(&q->lock);
        q->done[slot] = true;
        pthread_cond_signal(&q->ready);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* Workers start with all signals blocked, so that signals reach the main thread. */
static int start_workers(struct image_queue *q, struct err *e) {
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; q->started < q->o.threads; q->started++) {
        struct worker *w = &q->worker[q->started];

        w->q = q;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return q->started ? 0 : err_set(e, "no thread could be started");
}

static int take_slots(struct image_queue *q, struct arena *a) {
    size_t n = q->o.slots, side = q->o.prep.crop, keep = q->o.keep.crop;
    unsigned char *crop, *kept;

    if (side > 1 << 16 || keep > 1 << 16)
        return -1;
    q->item = arena_zero(a, n, sizeof *q->item);
    q->done = arena_zero(a, n, sizeof *q->done);
    q->worker = arena_zero(a, q->o.threads, sizeof *q->worker);
    crop = arena_take(a, n, side * side * 3);
    kept = arena_take(a, n, keep * keep * 3);
    if (!q->item || !q->done || !q->worker || !crop || !kept)
        return -1;
    for (size_t i = 0; i < n; i++) {
        q->item[i].crop = crop + i * side * side * 3;
        q->item[i].kept = keep ? kept + i * keep * keep * 3 : NULL;
    }
    return 0;
}

struct image_queue *image_queue_start(const struct image_queue_options *o, struct arena *a,
                                      struct err *e) {
    struct image_queue *q = arena_zero(a, 1, sizeof *q);
    size_t room;

    if (q)
        q->o = *o, q->from = a;
    if (!q || take_slots(q, a) < 0)
        return err_set(e, "no memory for %zu pictures", o->slots), NULL;
    /* if address space is limited, the workers get a fourth of what is left */
    room = (size_t)(a->end - a->at) / 4 / o->threads;
    room = room < SCRATCH ? room : SCRATCH;
    for (size_t i = 0; i < o->threads; i++)
        if (arena_split(a, room, &q->worker[i].mem, &q->worker[i].scratch) < 0)
            return err_set(e, "no memory for %zu threads", o->threads), NULL;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->ready, NULL);
    return start_workers(q, e) < 0 ? NULL : q;
}

size_t image_queue_count(const struct image_queue *q) {
    return q->pushed - q->popped;    /* only the caller changes these two numbers */
}

static void push(struct image_queue *q, const struct picture *p, const void *bytes, size_t n, const struct overlay *overlay,
                 const char *failed) {
    struct image_item *it = &q->item[q->pushed % q->o.slots];

    snprintf(it->name, sizeof it->name, "%s", p->name);
    snprintf(it->archive, sizeof it->archive, "%s", p->archive ? p->archive : "");
    snprintf(it->caption, sizeof it->caption, "%s", p->caption);
    it->overlay = overlay;
    it->stamp = p->stamp;
    it->bytes = NULL, it->n = n;
    snprintf(it->err.msg, sizeof it->err.msg, "%s", failed);
    if (bytes && !*failed && !(it->bytes = image_file_copy(bytes, n)))
        err_set(&it->err, "no memory for %zu bytes", n);
    it->note[0] = it->hash[0] = 0;
    pthread_mutex_lock(&q->lock);
    q->done[q->pushed % q->o.slots] = false;
    q->pushed++;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
}

void image_queue_push(struct image_queue *q, const struct picture *p, const struct overlay *overlay, const char *failed) {
    push(q, p, p->bytes, p->n, overlay, failed);
}

void image_queue_push_bytes(struct image_queue *q, const void *p, size_t n, const char *failed) {
    push(q, &(struct picture){.name = ""}, p, n, NULL, failed);
}

struct image_item *image_queue_at(struct image_queue *q, size_t i) {
    size_t slot = (q->popped + i) % q->o.slots;

    pthread_mutex_lock(&q->lock);
    while (!q->done[slot])
        pthread_cond_wait(&q->ready, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return &q->item[slot];
}

void image_queue_pop(struct image_queue *q, size_t n) {
    q->popped += n;    /* the workers do not read `popped` */
}

void image_queue_stop(struct image_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; i < q->started; i++)
        pthread_join(q->worker[i].thread, NULL);
    for (size_t i = 0; i < q->o.slots; i++) {    /* the copied bytes of pictures that no worker has decoded */
        image_file_free(q->item[i].bytes);
        q->item[i].bytes = NULL;
    }
    for (size_t i = q->o.threads; i-- > 0;)
        arena_join(q->from, &q->worker[i].mem);
    q->started = 0;
}
