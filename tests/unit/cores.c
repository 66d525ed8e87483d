/* Quotas of control groups, in directories that stand for /. */
#define _GNU_SOURCE    /* mkdtemp, sched_setaffinity */
#include "formats/io/cores.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"

static char top[] = "/tmp/unclip-cores-XXXXXX";

/* A file below top, with its directories. */
static void put(const char *name, const char *text) {
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s%s", top, name);
    for (char *p = path + strlen(top) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0777);
    }
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        printf("Bail out! %s\n", path);
}

static void remove_all(void) {
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", top);
    if (system(command))
        printf("# %s failed\n", command);
}

/* A fresh root whose process is in these groups. */
static void fresh(const char *groups, const char *mounts) {
    remove_all();
    mkdir(top, 0777);
    put("/proc/self/cgroup", groups);
    put("/proc/self/mountinfo", mounts);
}

#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 "33 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

static void version2(void) {
    fresh("0::/user/app\n", "21 1 8:1 / / rw - ext4 /dev/sda rw\n" V2);
    ok(cores_quota(top) == 0, "no file, no limit");
    put("/sys/fs/cgroup/user/app/cpu.max", "max 100000\n");
    ok(cores_quota(top) == 0, "max does not limit");
    put("/sys/fs/cgroup/user/app/cpu.max", "400000 100000\n");
    ok(cores_quota(top) == 4, "cpu.max of the group itself");
    put("/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    ok(cores_quota(top) == 2, "a smaller one around it counts, rounded up");
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    ok(cores_quota(top) == 1, "as does that of the mount itself; half a core is one");
    for (size_t i = 0; i < 6; i++) {
        static const char *const odd[] = {"", "0 100000", "-5 100000", "100000 0", "nan nan", "100000"};
        fresh("0::/\n", V2);
        put("/sys/fs/cgroup/cpu.max", odd[i]);
        ok(cores_quota(top) == 0, "\"%s\" is no limit", odd[i]);
    }
    put("/sys/fs/cgroup/cpu.max", "1e300 1\n");
    ok(cores_quota(top) > 1000000, "a huge one stays a number");
}

static void version1(void) {
    fresh("12:cpuset:/x\n4:cpu,cpuacct:/box/one\n0::/other\n", V2 V1);
    put("/sys/fs/cgroup/cpu,cpuacct/box/one/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/box/one/cpu.cfs_period_us", "100000\n");
    ok(cores_quota(top) == 0, "version 1: -1 does not limit");
    put("/sys/fs/cgroup/cpu,cpuacct/box/one/cpu.cfs_quota_us", "250000\n");
    ok(cores_quota(top) == 3, "cpu.cfs_quota_us over cpu.cfs_period_us");
    put("/sys/fs/cgroup/other/cpu.max", "200000 100000\n");
    ok(cores_quota(top) == 2, "both versions at once: the smaller");
    fresh("12:cpuset:/x\n", V1);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    ok(cores_quota(top) == 0, "a process in no group of the cpu controller");
}

static void containers(void) {
    fresh("0::/docker/abc\n", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    ok(cores_quota(top) == 2, "the mount shows the group itself");
    fresh("0::/docker/abcd/in\n", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/d/in/cpu.max", "100000 100000\n");
    ok(cores_quota(top) == 3, "a group whose name only begins like the mount's");
    fresh("0::/docker/abc/in\n", "30 23 0:26 /docker/abc /my\\040cgroup ro - cgroup2 cgroup ro\n");
    put("/my cgroup/in/cpu.max", "500000 100000\n");
    ok(cores_quota(top) == 5, "below the mount, at a place with a blank in its name");
}

static void damaged(void) {
    static char line[9000];

    memset(line, 'x', sizeof line - 2);
    fresh(line, line);
    ok(cores_quota(top) == 0, "a line that never ends");
    memcpy(line, "0::/", 4);
    fresh(line, V2);
    ok(cores_quota(top) == 0, "a group whose path is too long");
    fresh("0::\n:::\n\n:\n0\n", "- \n - \n - cgroup2\n1 2 3 - cgroup2 a b\n");
    ok(cores_quota(top) == 0, "lines with too few fields");
    ok(cores_quota("/nowhere") == 0, "no /proc at all");
}

int main(void) {
    cpu_set_t one;
    int all;

    if (!mkdtemp(top))
        return 1;
    version2();
    version1();
    containers();
    damaged();
    all = cores_available();
    ok(all >= 1, "this process may use %d", all);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        if (sched_setaffinity(0, sizeof one, &one) == 0)
            break;
    }
    ok(cores_available() == 1, "bound to one processor: 1");
    remove_all();
    return done();
}
