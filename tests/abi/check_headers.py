#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C11 and as C++17 (.hpp: as C++17), without a warning.

Usage: check_headers.py INCLUDE_FOLDER
"""

import subprocess
import sys
from pathlib import Path

WAYS = [["gcc", "-x", "c", "-std=c11"], ["g++", "-x", "c++", "-std=c++17"],
        ["clang", "-x", "c", "-std=c11"], ["clang++", "-x", "c++", "-std=c++17"]]
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wconversion",
         "-fsyntax-only", "-"]


def main():
    folder = Path(sys.argv[1])
    passed = failed = 0
    for header in sorted((folder / "ml").rglob("*.h*")):
        # The generated ones are of one pattern: two ways will do.
        for way in WAYS[::3] if header.parent.name == "algorithms" else WAYS:
            if header.suffix == ".hpp" and way[2] == "c":
                continue
            source = f"#include <{header.relative_to(folder).as_posix()}>\n"
            try:
                done = subprocess.run([*way, f"-I{folder}", *FLAGS], input=source, text=True,
                                      stderr=subprocess.PIPE)
            except FileNotFoundError:
                sys.exit(f"{way[0]} is missing: run tools/install-deps test")
            if done.returncode:
                failed += 1
                print(f"{header.name} with {way[0]} {way[-1]}:\n{done.stderr}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
