/* SPDX-License-Identifier: MIT
 *
 * How many CPUs may be used, and which instructions they have.
 */
#define _GNU_SOURCE
#include "testing.h"
#include "core/cpu.h"
#include "core/parallel.h"
#include <sched.h>

/* Writes `text` to a file below the folder, making the folders on the way. */
static void put(const char *path, const char *text)
{
    char full[1024], command[1200];
    snprintf(full, sizeof full, "%s/%s", test_folder(), path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    snprintf(command, sizeof command, "mkdir -p '%s'", full);
    ck_assert_int_eq(system(command), 0);
    *slash = '/';
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* Each test runs in a process, and so in a folder, of its own, which it removes. */
static void fresh(void)
{
    test_folder_remove();
    put("marker", "");
}

START_TEST(no_cgroup_no_limit)
{
    fresh();
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 0);
    ck_assert_int_eq(mli_cgroup_cpus("/nowhere/at/all"), 0);
    put("proc/self/cgroup", "");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 0);
    put("proc/self/cgroup", "nonsense\n:::\n0\n1:\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 0);
    test_folder_remove();
}
END_TEST

START_TEST(version_2)
{
    static const struct {
        const char *text;
        int32_t cpus;
    } cases[] = {{"200000 100000\n", 2}, {"max 100000\n", 0},
                 {"150000 100000\n", 2}, {"100000 100000\n", 1},
                 {"100001 100000", 2},   {"1000 100000\n", 1},
                 {"400000\n", 0},        {"", 0},
                 {"-1 100000\n", 0},     {"0 100000\n", 0},
                 {"100000 0\n", 0},      {"99999999999999999999999999 1\n", INT32_MAX},
                 {"garbage", 0}};
    fresh();
    put("proc/self/cgroup", "0::/a/b.scope\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put("sys/fs/cgroup/a/b.scope/cpu.max", cases[i].text);
        ck_assert_msg(mli_cgroup_cpus(test_folder()) == cases[i].cpus, "\"%s\": %d",
                      cases[i].text, mli_cgroup_cpus(test_folder()));
    }
    test_folder_remove();
}
END_TEST

START_TEST(version_2_takes_the_tightest_of_the_ancestors)
{
    fresh();
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    put("sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 1);
    test_folder_remove();
}
END_TEST

/* In a container the path may be the outer system's, or lead out of the mount. */
START_TEST(version_2_in_a_container)
{
    fresh();
    put("sys/fs/cgroup/cpu.max", "250000 100000\n");
    put("proc/self/cgroup", "0::/\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    put("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    put("proc/self/cgroup", "0::/../../other\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    char line[6000] = "0::/";
    memset(line + 4, 'x', 5000);
    put("proc/self/cgroup", line);
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 3);
    test_folder_remove();
}
END_TEST

START_TEST(version_1)
{
    fresh();
    put("proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/user/me\n3:memory:/user\n"
                            "1:name=systemd:/user\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 0);
    put("sys/fs/cgroup/cpu,cpuacct/user/me/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/user/me/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 0);
    put("sys/fs/cgroup/cpu,cpuacct/user/me/cpu.cfs_quota_us", "350000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 4);
    put("sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "50000\n");
    put("sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "50000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 1);
    test_folder_remove();
}
END_TEST

START_TEST(version_1_mounted_as_cpu)
{
    fresh();
    put("proc/self/cgroup", "4:cpuacct,cpu:/docker/abc\n0::/docker/abc\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mli_cgroup_cpus(test_folder()), 2);
    test_folder_remove();
}
END_TEST

START_TEST(counts_the_affinity)
{
    int32_t all = mli_cpu_count();
    ck_assert_int_ge(all, 1);
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0) SKIP("no affinity here");
    ck_assert_int_le(all, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) SKIP("affinity cannot be set");
    int32_t narrowed = mli_cpu_count();
    sched_setaffinity(0, sizeof before, &before);
    ck_assert_int_eq(narrowed, 1);
}
END_TEST

START_TEST(levels_have_names)
{
    int32_t best = mli_cpu_best();
    ck_assert(best >= MLI_CPU_SCALAR && best <= MLI_CPU_AVX512);
    ck_assert_str_eq(mli_cpu_name(MLI_CPU_SCALAR), "scalar");
    ck_assert_str_eq(mli_cpu_name(MLI_CPU_AVX512), "avx512");
    ck_assert_str_eq(mli_cpu_name(99), "unknown");
#if defined(MLI_X86)
    ck_assert_str_eq(mli_cpu_name(MLI_CPU_AVX2), "avx2");
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    ck_assert_int_eq(best >= MLI_CPU_AVX2, avx2 != 0);
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                 __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    ck_assert_int_eq(best >= MLI_CPU_AVX512, avx512 != 0);
    if (!avx512)
        ck_assert_uint_eq(mli_cpu_flags() & ~MLI_CPU_HAS_SHA, 0);
    else
        ck_assert_int_eq((mli_cpu_flags() & MLI_CPU_HAS_VBMI) != 0,
                         __builtin_cpu_supports("avx512vbmi") != 0);
#endif
}
END_TEST

TEST_MAIN("core/cpu", no_cgroup_no_limit, version_2,
          version_2_takes_the_tightest_of_the_ancestors, version_2_in_a_container,
          version_1, version_1_mounted_as_cpu, counts_the_affinity, levels_have_names)
