#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the ABI that the public headers describe with the committed baseline
tests/abi/libml.abi, by abidiff.

What is dumped is a library of empty functions made from the headers, built without
optimisation: the compiler checks the real functions against the same headers, abi/symbols
checks that they are there, and debug information of optimised functions lacks parameters.

Functions may be added; the baseline must then be renewed with --update, on purpose.
Usage: check_abi.py COMPILER ROOT [--update]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command):
    try:
        return subprocess.run([str(c) for c in command], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: run tools/install-deps test")


def must(*command):
    done = run(*command)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}")


def empty_functions(api):
    lines = ["#include <ml/ml.h>"]
    for f in api["functions"]:
        params = ", ".join(f"{p['type']} {p['name']}" for p in f["params"]) or "void"
        lines.append(f"{f['returns']} {f['name']}({params}) {{ __builtin_trap(); }}")
    return "\n".join(lines) + "\n"


def dump(compiler, root, target):
    api = json.loads((root / "bindings" / "api.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "empty.c", Path(folder) / "libml.so.0"
        source.write_text(empty_functions(api), encoding="utf-8")
        must(*compiler.split(), "-std=gnu11", "-shared", "-fPIC", "-O0", "-g", "-w",
             "-fvisibility=hidden", "-I", root / "include", "-Wl,-soname,libml.so.0",
             f"-Wl,--version-script,{root / 'lib' / 'libml.map'}", "-o", library, source)
        must("abidw", "--no-comp-dir-path", "--no-corpus-path", "--no-show-locs",
             "--out-file", target, library)


def main():
    compiler, root = sys.argv[1], Path(sys.argv[2])
    baseline = root / "tests" / "abi" / "libml.abi"
    if "--update" in sys.argv[3:]:
        dump(compiler, root, baseline)
        return
    if not baseline.exists():
        sys.exit(f"{baseline} is missing: make it with --update")
    with tempfile.TemporaryDirectory() as folder:
        now = Path(folder) / "now.abi"
        dump(compiler, root, now)
        done = run("abidiff", "--no-added-syms", baseline, now)
        added = run("abidiff", baseline, now)
    problem = None
    if done.returncode:
        problem = f"the ABI changed (abidiff says {done.returncode}):\n{done.stdout}"
    elif added.returncode:
        problem = f"functions were added; renew the baseline with tools/regenerate BUILD " \
                  f"abi:\n{added.stdout}"
    print(f"{problem}\n0 passed, 1 failed" if problem else "1 passed, 0 failed")
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    main()
