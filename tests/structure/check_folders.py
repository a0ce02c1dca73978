#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The direction of knowledge: a folder of lib/ includes only from folders before it, and
the command uses public headers only. Also sizes of files, and words that must not occur."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ORDER = ["core", "tensor", "data", "algorithms", "serialization", "inference", "tuning",
         "report"]
# catalog.c is the list of all descriptors; it sees every folder. version.c sees none.
ROOT_FILES = {"catalog.c", "version.c"}
MAX_LINES = 800
CALLS = re.compile(r"(?<![\w.>])(abort|exit|_exit|printf|puts|setlocale|setenv|putenv|signal|"
                   r"sigaction|strtok|rand|srand|atof|sprintf|strcpy|strcat|fprintf)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def strip_comments(text):
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text)
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def check_includes(path, problems):
    rel = path.relative_to(ROOT / "lib")
    if str(rel) in ROOT_FILES:
        return
    folder = rel.parts[0]
    if folder not in ORDER and folder != "modules":
        problems.append(f"lib/{rel}: folder {folder} has no place in the order")
        return
    for include in INCLUDE.findall(path.read_text(encoding="utf-8")):
        other = include.split("/")[0]
        if "/" not in include:
            problems.append(f"lib/{rel}: include \"{include}\" by its path from lib/")
        elif other not in ORDER:
            problems.append(f"lib/{rel}: includes {include}, which is no folder of lib/")
        elif folder != "modules" and ORDER.index(other) > ORDER.index(folder):
            problems.append(f"lib/{rel}: {folder} must not know {include}")


def check_text(path, problems):
    text = path.read_text(encoding="utf-8")
    rel = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > MAX_LINES and "generated" not in text[:400].lower():
        problems.append(f"{rel}: {lines} lines, more than {MAX_LINES}")
    if not text.startswith("/* SPDX-License-Identifier: MIT"):
        problems.append(f"{rel}: no licence line at the top")
    if rel.parts[0] == "lib":
        for call in CALLS.findall(strip_comments(text)):
            problems.append(f"{rel}: a library must not call {call}()")


def check_command(problems):
    for path in sorted((ROOT / "tools" / "libml").glob("*.[ch]")):
        for include in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if include != "app.h":
                problems.append(f"{path.relative_to(ROOT)}: the command uses {include}")


def main():
    problems, checks = [], 0
    for path in sorted((ROOT / "lib").rglob("*.[ch]")):
        check_includes(path, problems)
        check_text(path, problems)
        checks += 1
    for path in sorted((ROOT / "include").rglob("*.h")):
        check_text(path, problems)
        checks += 1
    check_command(problems)
    for problem in problems:
        print(problem)
    print(f"{max(0, checks - len(problems))} passed, {len(problems)} failed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
