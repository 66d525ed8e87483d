/* cores.h - how many processors this process may keep busy
 *
 * What     The smaller of the CPUs in its affinity mask (taskset, cpusets) and its cgroup quota (containers,
 *          systemd's CPUQuota): more threads than that only wait for each other.  A quota binds all groups
 *          below the one that sets it, so each group from the process's own up to where its hierarchy is
 *          mounted is asked, and the smallest counts, rounded up.
 * Source   cgroups(7), proc(5); kernel documentation: cgroup-v2 (cpu.max), sched-bwc (cpu.cfs_quota_us,
 *          cpu.cfs_period_us).  Mount points are taken from /proc/self/mountinfo; the path in
 *          /proc/self/cgroup counts from the root of the mount, which in a container may be the group itself.
 * Errors   None: what cannot be read is no limit.
 * Threads  No state.
 */
#ifndef UNCLIP_CORES_H
#define UNCLIP_CORES_H

/* At least 1. */
int cores_available(void);

/* The quota alone, 0: none.  root: "", or a folder that stands for / (tests). */
int cores_quota(const char *root);

#endif
