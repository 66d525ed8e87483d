/* used - runs a program and prints its elapsed seconds, its processor seconds, and its largest resident memory in MiB
 *
 *     used PROGRAM [ARGUMENT ...]
 *
 * The line goes to standard output.  The status is that of PROGRAM.  `used` is not installed; it measures for
 * tests/full.
 */
#define _DEFAULT_SOURCE

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char *argv[]) {
    struct timespec from, to;
    struct rusage u;
    int status = 0;
    pid_t child;

    if (argc < 2) {
        fprintf(stderr, "usage: used PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &u) < 0) {
        perror("used");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.3f %.3f %ld\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
           seconds(u.ru_utime) + seconds(u.ru_stime), u.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
