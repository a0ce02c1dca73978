#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles the tests of the generated C and C++ headers with both compilers and runs them.

Usage: check_cpp.py LIBRARY C_MODEL_PROGRAM
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wconversion"]
WAYS = [("test_setters.c", ["gcc", "-x", "c", "-std=c11"]),
        ("test_setters.c", ["clang++", "-x", "c++", "-std=c++17"]),
        ("test_hpp.cpp", ["clang++", "-x", "c++", "-std=c++20"]),
        ("test_hpp.cpp", ["g++", "-x", "c++", "-std=c++17", "-fsanitize=address,undefined"])]
EXAMPLE = ROOT / "examples" / "cpp" / "churn.cpp"
ADULT = ROOT / "examples" / "data" / "adult" / "train.csv.gz"


def run_example(library, folder):
    """None when all went well, or what it said."""
    program = Path(folder) / "churn"
    done = subprocess.run(["g++", "-std=c++17", *FLAGS, f"-I{ROOT / 'include'}", EXAMPLE,
                           library, f"-Wl,-rpath,{library.parent}", "-o", program],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        done = subprocess.run([program, ADULT.with_name("test.csv.gz"), "income"], cwd=folder,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    good = done.returncode == 0 and re.search(r"roc_auc 0\.9\d+", done.stdout)
    return None if good else done.stdout[-3000:] or "no output"


def main():
    library, c_model = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "c.mlm"
        subprocess.run([c_model, ADULT, model], check=True)
        for name, way in WAYS:
            program = Path(folder) / "program"
            command = [*way, *FLAGS, f"-I{ROOT / 'include'}", str(HERE / name), "-x", "none",
                       str(library), f"-Wl,-rpath,{library.parent}", "-o", str(program)]
            done = subprocess.run(command, text=True, capture_output=True)
            if done.returncode == 0:
                done = subprocess.run([program, ADULT, model], text=True, capture_output=True)
            found = re.search(r"(\d+) passed, (\d+) failed", done.stdout)
            if found:
                passed, failed = passed + int(found[1]), failed + int(found[2])
            if done.returncode:
                failed += not found or found[2] == "0"
                print(f"{' '.join(way)} {name}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        done = run_example(library, folder)
        passed, failed = passed + (done is None), failed + (done is not None)
        if done:
            print(f"{EXAMPLE.name}:\n{done}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
