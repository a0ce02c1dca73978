#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gates on the built shared library: exported symbols, needed libraries, mutable globals,
stripped size. Fails when a tool is missing.

Usage: check_symbols.py LIBRARY API.JSON STATIC_LIBRARY
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MAX_EXPORTED = 140
MAX_STRIPPED = 2 * 1024 * 1024
NEEDED = {"libc.so.6", "libm.so.6", "libopenblas.so.0", "liblapacke.so.3", "libyaml-0.so.2",
          "libpthread.so.0", "libdl.so.2", "libblas.so.3", "liblapack.so.3", "ld-linux-x86-64.so.2",
          "ld-linux-aarch64.so.1", "libgcc_s.so.1"}
# Mutable objects that the library may have, and why.
GLOBALS = {
    "fork_generation": "counts forks, so that a pool inherited by a child is rebuilt",
    "front": "guards OpenBLAS, which is one per process: its serial flavour is not safe for "
             "concurrent callers, and forks wait for running calls",
}
problems = []


def run(*command):
    try:
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: run tools/install-deps test")


def check_exported(library, api):
    lines = run("nm", "-D", "--defined-only", library).splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines if " T " in line}
    others = {line.split()[-1] for line in lines
              if not re.search(r" [TA] ", line)}
    wanted = {f["name"] for f in json.loads(Path(api).read_text())["functions"]}
    for name in sorted(names - wanted):
        problems.append(f"exported but not in the headers: {name}")
    for name in sorted(wanted - names):
        problems.append(f"in the headers but not exported: {name}")
    for name in sorted(others):
        problems.append(f"exported data: {name}")
    if len(names) > MAX_EXPORTED:
        problems.append(f"{len(names)} exported functions, more than {MAX_EXPORTED}")


def check_needed(library):
    text = run("readelf", "-d", library)
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", text):
        if name not in NEEDED:
            problems.append(f"needs {name}")
    if "libml.so.0" not in text:
        problems.append("the soname is not libml.so.0")


def check_globals(static):
    # Constant tables of pointers lie in .data.rel.ro, which the loader makes read-only.
    for line in run("objdump", "-t", static).splitlines():
        match = re.match(r"[0-9a-f]{16} .{7} (\.data|\.bss|\*COM\*|\.tdata|\.tbss)(\S*)\s+"
                         r"([0-9a-f]+)\s+(\S.*)", line)
        if not match or match.group(2).startswith(".rel.ro") or int(match.group(3), 16) == 0:
            continue
        name = re.sub(r"\.\d+$", "", match.group(4).split()[-1])
        if name not in GLOBALS:
            problems.append(f"mutable global: {name}")


def check_size(library):
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "stripped"
        run("strip", "-o", str(target), library)
        size = target.stat().st_size
    print(f"stripped size {size} bytes")
    if size > MAX_STRIPPED:
        problems.append(f"stripped size {size}, more than {MAX_STRIPPED}")


def main():
    library, api, static = sys.argv[1:4]
    check_exported(library, api)
    check_needed(library)
    check_globals(static)
    check_size(library)
    for problem in problems:
        print(problem)
    print(f"{4 if not problems else 0} passed, {len(problems)} failed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
