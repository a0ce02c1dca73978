#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every file of the library for 64-bit ARM (NEON), to assembler that nobody runs,
with warnings as errors. There `char` is unsigned, which such a compilation shows too.

Usage: check_arm.py ROOT
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SYSTEM = "/usr/aarch64-linux-gnu/include"
# Headers that do not depend on the machine, taken from this one's packages.
LIBRARIES = ("cblas.h", "lapacke.h", "lapack.h", "lapacke_mangling.h", "lapacke_config.h",
             "lapacke_utils.h", "openblas_config.h", "yaml.h", "zlib.h", "zconf.h")
FLAGS = ["--target=aarch64-linux-gnu", "-std=gnu11", "-O1", "-S", "-o", "/dev/null",
         "-DML_BUILD", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument"]


def find_header(name):
    places = ["/usr/include", *sorted(map(str, Path("/usr/include").glob("*-linux-gnu*")))]
    return next((f"{p}/{name}" for p in places if os.path.exists(f"{p}/{name}")), None)


def main():
    root = Path(sys.argv[1])
    if not shutil.which("clang") or not os.path.isdir(SYSTEM):
        print("SKIP: clang or libc6-dev-arm64-cross is missing: run tools/install-deps test")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as headers:
        for name in LIBRARIES:
            found = find_header(name)
            if found:
                os.symlink(found, f"{headers}/{name}")
        command = ["clang", *FLAGS, "-isystem", SYSTEM, "-isystem", headers,
                   "-I", root / "include", "-I", root / "lib"]

        def compile_one(path):
            done = subprocess.run([str(c) for c in [*command, path]], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            return done.stdout if done.returncode else None

        files = sorted((root / "lib").rglob("*.c"))
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            faults = [f for f in pool.map(compile_one, files) if f]
    for fault in faults:
        print(fault)
    print(f"{len(files) - len(faults)} passed, {len(faults)} failed")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
