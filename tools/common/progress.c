/* Shows how far a program is, as a line on a terminal or as JSON lines. */
#include "tools/common/progress.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>


static double now(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Returns whether progress is to be shown now.  It is shown at most ten times a second, and always at the last step. */
static bool due(struct tool *t, double at, bool last) {
    struct tool_progress *p = &t->progress;

    if (p->when == 2 || (p->when == 0 && (t->quiet || t->verbose || !isatty(2))))
        return false;
    if (at - p->shown < 0.1 && !last)
        return false;
    p->shown = at;
    p->line = p->when != 1;
    return true;
}

/* Shows the seconds left, if `left` is not negative, and ends the line or the JSON object. */
static void show_left(const struct tool_progress *p, double left) {
    if (left >= 0)
        fprintf(stderr, p->when == 1 ? ",\"seconds_left\":%.1f" : ", %.0f s left", left);
    fputs(p->when == 1 ? "}\n" : "\033[K", stderr);
}

void tool_progress(struct tool *t, uint64_t total) {
    struct tool_progress *p = &t->progress;
    unsigned long long n = t->done + t->failed + t->skipped, of = total;
    double at = now();

    if (p->begun == 0)
        p->begun = at;
    if (!due(t, at, total && n == total))
        return;
    if (p->when == 1) {
        fprintf(stderr, "{\"program\":\"%s\",\"done\":%llu,\"failed\":%llu,\"skipped\":%llu", tool_prog,
                (unsigned long long)t->done, (unsigned long long)t->failed, (unsigned long long)t->skipped);
        if (total)
            fprintf(stderr, ",\"total\":%llu", of);
    } else {
        fprintf(stderr, "\r%s: %llu", tool_prog, n);
        if (total)
            fprintf(stderr, " of %llu", of);
    }
    show_left(p, total && t->done ? (at - p->begun) / (double)t->done * (double)(total - n) : -1);
}

/* Shows the step of the current record.  `loss` is shown if it is finite. */
static void show_step(struct tool *t, size_t step, size_t steps, double loss) {
    struct tool_progress *p = &t->progress;
    unsigned long long n = t->done + t->failed + t->skipped + 1;
    double at = now();

    if (step == 1)
        p->record_begun = at;
    if (!due(t, at, step == steps))
        return;
    fprintf(stderr, p->when == 1 ? "{\"program\":\"%s\",\"record\":%llu,\"step\":%zu,\"steps\":%zu"
                                 : "\r%s: record %llu, step %zu of %zu", tool_prog, n, step, steps);
    if (isfinite(loss))
        fprintf(stderr, p->when == 1 ? ",\"loss\":%.6f" : ", loss %.4f", loss);
    show_left(p, step > 1 ? (at - p->record_begun) / (double)(step - 1) * (double)(steps - step) : -1);
}

void tool_step(struct tool *t, size_t step, size_t steps) {
    show_step(t, step, steps, HUGE_VAL);
}

void tool_step_loss(struct tool *t, size_t step, size_t steps, double loss) {
    show_step(t, step, steps, loss);
}

bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0) {
    (void)x, (void)x0;
    tool_step(tool, step, steps);
    return !tool_stopped();
}
