/* SPDX-License-Identifier: MIT
 *
 * core/cgroup.c: how many CPUs this process may use: those of its affinity mask, limited
 * by the CPU quota of its control groups (Linux, version 1 and 2). In a container the
 * path in /proc/self/cgroup may be that of the outer system; then the group's files are
 * missing and only the root of the mount is found, which is the container's own.
 */
#define _GNU_SOURCE
#include "core/parallel.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 8192
#define PATH_SIZE 4096

/* Reads the beginning of a small file; 0 when there is none. */
static int read_text(const char *path, char text[TEXT_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    size_t size = 0;
    ssize_t got;
    while (size < TEXT_SIZE - 1 &&
           (got = read(fd, text + size, TEXT_SIZE - 1 - size)) > 0)
        size += (size_t)got;
    close(fd);
    text[size] = 0;
    return size > 0;
}

/* A number at *at, which moves behind it; -1 when there is none ("max", "-1"). */
static int64_t read_number(const char **at)
{
    while (**at == ' ') ++*at;
    if (**at < '0' || **at > '9') return -1;
    int64_t v = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        if (v < INT64_MAX / 16) v = v * 10 + (**at - '0');
    return v;
}

/* CPUs for a quota and its period, in microseconds; 0 is no limit. */
static int32_t cpus_of(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0) return 0;
    int64_t cpus = (quota - 1) / period + 1;
    return cpus > INT32_MAX ? INT32_MAX : (int32_t)cpus;
}

static int32_t limit_v2(const char *folder)
{
    char path[PATH_SIZE + 32], text[TEXT_SIZE];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_text(path, text)) return 0;
    const char *at = text;
    int64_t quota = read_number(&at);
    return quota < 0 ? 0 : cpus_of(quota, read_number(&at));
}

static int64_t read_number_file(const char *folder, const char *name)
{
    char path[PATH_SIZE + 32], text[TEXT_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_text(path, text)) return -1;
    const char *at = text;
    return read_number(&at);
}

static int32_t limit_v1(const char *folder)
{
    return cpus_of(read_number_file(folder, "cpu.cfs_quota_us"),
                   read_number_file(folder, "cpu.cfs_period_us"));
}

static int32_t smaller(int32_t a, int32_t b)
{
    if (a == 0 || b == 0) return a + b;
    return a < b ? a : b;
}

/* The tightest limit of a group and those above it, up to the mount. */
static int32_t limit_upwards(const char *mount, const char *group,
                             int32_t (*limit)(const char *folder))
{
    char folder[PATH_SIZE];
    size_t base = strlen(mount), size = strlen(group);
    if (strstr(group, "..") || base + size >= sizeof folder) size = 0;
    memcpy(folder, mount, base);
    memcpy(folder + base, group, size);
    folder[base + size] = 0;
    int32_t cpus = 0;
    for (;;) {
        cpus = smaller(cpus, limit(folder));
        char *slash = strrchr(folder + base, '/');
        if (!slash) return cpus;
        *slash = 0;
    }
}

/* Is "cpu" among the controllers "cpu,cpuacct"? */
static int has_cpu(const char *list)
{
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == 0)) return 1;
    }
    return 0;
}

/* One line of /proc/self/cgroup: "0::/group" or "4:cpu,cpuacct:/group". */
static int32_t limit_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *group++ = 0;
    controllers++;
    char mount[PATH_SIZE / 2];
    if (strncmp(line, "0:", 2) == 0 && !controllers[0]) {
        /* Beside version 1 the second one is mounted apart. */
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        int32_t cpus = limit_upwards(mount, group, limit_v2);
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/unified", root);
        return smaller(cpus, limit_upwards(mount, group, limit_v2));
    }
    if (!has_cpu(controllers)) return 0;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
    int32_t cpus = limit_upwards(mount, group, limit_v1);
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root);
    return smaller(cpus, limit_upwards(mount, group, limit_v1));
}

int32_t mli_cgroup_cpus(const char *root)
{
    char path[PATH_SIZE / 2], text[TEXT_SIZE];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_text(path, text)) return 0;
    int32_t cpus = 0;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end) *end++ = 0;
        cpus = smaller(cpus, limit_of_line(root, line));
        line = end;
    }
    return cpus;
}

static int32_t affinity_cpus(void)
{
#if defined(__linux__)
    cpu_set_t sets[16]; /* 16384 CPUs */
    if (sched_getaffinity(0, sizeof sets, sets) == 0)
        return CPU_COUNT_S(sizeof sets, sets);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > INT32_MAX ? INT32_MAX : (int32_t)online;
}

int32_t mli_cpu_count(void)
{
    int32_t cpus = smaller(affinity_cpus(), mli_cgroup_cpus(""));
    return cpus > 0 ? cpus : 1;
}
