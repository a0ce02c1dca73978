#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds libml in several ways, runs the tests of each, and counts single checks.

Variants: plain (gcc, everything), clang (compiles without warnings), asan (address and
undefined-behaviour sanitizers, everything but what needs its own process set-up), tsan
(thread sanitizer, the suites about concurrency).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CHECKS = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)

VARIANTS = {
    "plain": {"env": {"CC": "gcc"}, "options": ["-Dwerror=true"], "match": r".*"},
    "clang": {"env": {"CC": "clang"}, "options": ["-Dwerror=true", "-Dtests=false"],
              "match": None},
    "asan": {"env": {"CC": "clang"},
             "options": ["-Db_sanitize=address,undefined", "-Db_lundef=false",
                         "-Doptimization=1"],
             "match": r"(core|tensor|data|algorithms|serialization(?!/peers)|inference|tuning|"
                      r"report|conformance|faults)/"},
    "tsan": {"env": {"CC": "clang"},
             "options": ["-Db_sanitize=thread", "-Db_lundef=false", "-Doptimization=1"],
             "match": r"(.*/(pool|threads|.*concurren.*|.*hammer.*|const)|core/run|"
                      r"algorithms/gbdt_pack|tuning/study|tuning/check)$"},
}


def run(command, env=None, log=None):
    merged = {**os.environ, **(env or {})}
    done = subprocess.run(command, cwd=ROOT, env=merged, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if log:
        log.write_text(done.stdout)
    return done


def configure(name, variant):
    folder = BUILD / name
    if not (folder / "build.ninja").exists():
        done = run(["meson", "setup", str(folder), *variant["options"]], variant["env"])
        if done.returncode:
            print(done.stdout[-4000:])
            sys.exit(f"{name}: meson setup failed")
    done = run(["ninja", "-C", str(folder)], log=BUILD / f"{name}.log")
    if done.returncode:
        print(done.stdout[-6000:])
        return False
    return True


def counts(text, failed):
    """(passed, failed, skipped) of one test program from what it printed."""
    total = [0, 0, 0]
    for checks, failures, errors in CHECKS.findall(text):
        bad = int(failures) + int(errors)
        total[0] += int(checks) - bad
        total[1] += bad
    for passed, bad, skipped in PLAIN.findall(text):
        total[0] += int(passed)
        total[1] += int(bad)
        total[2] += int(skipped or 0)
    skips = len(re.findall(r"^SKIP:", text, re.M))
    total[0] = max(0, total[0] - skips)
    total[2] += skips
    if failed and total[1] == 0:
        total[1] = 1
    if not failed and sum(total) == 0:
        total[0] = 1
    return total


def run_tests(name, variant):
    folder = BUILD / name
    listed = run(["meson", "test", "-C", str(folder), "--list", "--no-rebuild"]).stdout
    tests = [line.split(" / ")[-1].strip() for line in listed.splitlines()
             if "/" in line and not line.startswith("ninja")]
    tests = [t for t in tests if re.match(variant["match"], t)]
    if not tests:
        return [0, 0, 0]
    command = ["meson", "test", "-C", str(folder), "--no-rebuild",
               "--num-processes", str(max(1, len(os.sched_getaffinity(0)))), *tests]
    env = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
           "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
           "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
    if name == "tsan":
        env["ML_TEST_NO_FORK"] = "1"
    done = run(command, env)
    total = [0, 0, 0]
    log = folder / "meson-logs" / "testlog.json"
    for line in log.read_text().splitlines():
        test = json.loads(line)
        failed = test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")
        text = test.get("stdout", "") + "\n" + test.get("stderr", "")
        if test["result"] == "SKIP":
            total[2] += 1
            print(f"  SKIP {name} {test['name']}")
            continue
        one = counts(text, failed)
        total = [a + b for a, b in zip(total, one)]
        for skip in re.findall(r"^SKIP: .*", text, re.M):
            print(f"  {skip}")
        if failed:
            print(f"  FAIL {name} {test['name']} ({test['result']})\n{text[-6000:]}")
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="without the sanitizer builds")
    parser.add_argument("--variant", action="append", choices=list(VARIANTS))
    args = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    names = args.variant or (["plain"] if args.quick else list(VARIANTS))
    total = [0, 0, 0]
    for name in names:
        start = time.monotonic()
        if not configure(name, VARIANTS[name]):
            total[1] += 1
            print(f"{name}: build failed", flush=True)
            continue
        one = run_tests(name, VARIANTS[name]) if VARIANTS[name]["match"] \
            else [1, 0, 0]
        total = [a + b for a, b in zip(total, one)]
        print(f"{name}: {one[0]} passed, {one[1]} failed, {one[2]} skipped "
              f"in {time.monotonic() - start:.0f} s", flush=True)
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] else 0)


if __name__ == "__main__":
    main()
