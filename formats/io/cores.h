/* cores.h - how many processors this process may keep busy
 *
 * What     cores_available returns the smaller of two numbers: the CPUs in the affinity mask (taskset, cpusets), and
 *          the cgroup quota (containers, systemd's CPUQuota).  More threads than this number only wait for each other.
 *          A quota holds for all groups below the group that sets it.  So the quota of each group is read, from the
 *          process's own group up to the mount point of its hierarchy, and the smallest quota counts, rounded up.
 * Source   cgroups(7), proc(5); kernel documentation: cgroup-v2 (cpu.max), sched-bwc (cpu.cfs_quota_us,
 *          cpu.cfs_period_us).  Mount points are taken from /proc/self/mountinfo; the path in
 *          /proc/self/cgroup counts from the root of the mount, which in a container may be the group itself.
 * Errors   No function fails.  A quota that cannot be read is ignored.
 * Threads  No state.
 */
#ifndef UNCLIP_CORES_H
#define UNCLIP_CORES_H

/* Returns the number of processors that this process may keep busy, at least 1. */
int cores_available(void);

/* Returns the smallest cgroup quota in cores, or 0 when no cgroup limits this process.  `root` is put before each path
 * that is read.  Programs pass ""; tests pass a directory with files of their own. */
int cores_quota(const char *root);

#endif
