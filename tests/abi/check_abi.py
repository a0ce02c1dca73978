#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the library's ABI with the committed baseline tests/abi/libml.abi by abidiff.

Functions may be added; the baseline must then be renewed with --update, on purpose.
Usage: check_abi.py LIBRARY INCLUDE_FOLDER BASELINE [--update]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PRIVATE = Path(__file__).resolve().parent / "private.suppr"


def run(*command):
    try:
        return subprocess.run(command, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: run tools/install-deps test")


def dump(library, include, target):
    done = run("abidw", "--headers-dir", include, "--drop-private-types", "--no-comp-dir-path",
               "--no-corpus-path", "--no-show-locs", "--suppressions", str(PRIVATE),
               "--out-file", target, library)
    if done.returncode:
        sys.exit(f"abidw failed:\n{done.stdout}")


def main():
    library, include, baseline = sys.argv[1:4]
    if "--update" in sys.argv[4:]:
        dump(library, include, baseline)
        return
    if not Path(baseline).exists():
        sys.exit(f"{baseline} is missing: make it with --update")
    with tempfile.TemporaryDirectory() as folder:
        now = str(Path(folder) / "now.abi")
        dump(library, include, now)
        done = run("abidiff", "--no-added-syms", baseline, now)
        added = run("abidiff", baseline, now)
    problems = []
    if done.returncode:
        problems.append(f"the ABI changed (abidiff says {done.returncode}):\n{done.stdout}")
    elif added.returncode:
        problems.append(f"functions were added; renew the baseline with tests/abi/check_abi.py "
                        f"--update:\n{added.stdout}")
    for problem in problems:
        print(problem)
    print(f"{1 - len(problems)} passed, {len(problems)} failed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
