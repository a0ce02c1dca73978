#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every code block of the documents: C and C++ blocks are compiled and run, sh blocks run
line by line, Python and Lua blocks where the bindings are built, YAML blocks about the Titanic
by `libml run`. Blocks of one document share a folder that has adult.csv.gz and, where the shared
data are there, titanic.csv.gz.

A block in ```text is not run. Lines of sh that build or install are left out.
Usage: check_docs.py BUILD_FOLDER DOCUMENT...
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
TITANIC = Path(os.environ.get("ML_SHARED_DATA", "none")) / "titanic" / "titanic.csv.gz"
FRAGMENT = """#include <ml/ml.h>
void f(ml_context *ctx, ml_error *err);
void f(ml_context *ctx, ml_error *err)
{
%s
out:
    ml_estimator_free(e);
}
"""
NOT_RUN = re.compile(r"^(tools/|meson |ninja |git |apt|pip |sudo |benchmarks/|tests/|luarocks )")
passed = failed = skipped = 0


def environment(build, folder):
    env = dict(os.environ)
    env["PATH"] = f"{build / 'tools'}:{env['PATH']}"
    env["LD_LIBRARY_PATH"] = f"{build / 'lib'}:{env.get('LD_LIBRARY_PATH', '')}"
    env["PKG_CONFIG_PATH"] = str(build / "meson-uninstalled")
    # What an installed libml.pc says, for the uninstalled library.
    env["C_INCLUDE_PATH"] = str(ROOT / "include")
    env["LIBRARY_PATH"] = str(build / "lib")
    env["PYTHONPATH"] = str(ROOT / "bindings" / "python")
    env["LIBML_LIBRARY"] = str(build / "lib" / "libml.so")
    env["LUA_CPATH"] = f"{build}/bindings/lua/5.4/?.so;;"
    env["PWD"] = str(folder)
    return env


def report(ok, where, text=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"{where}:\n{text[-2000:]}")


def run(command, folder, env, **options):
    return subprocess.run(command, cwd=folder, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600, **options)


def run_c(code, folder, env, build, where):
    if "#include" not in code:
        code = FRAGMENT % code
    (folder / "program.c").write_text(code)
    if "int main" not in code:
        code_flags = ["-fsyntax-only"]
    else:
        code_flags = ["-o", "program", f"-L{build / 'lib'}", "-lml", "-lm"]
    done = run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "program.c",
                f"-I{ROOT / 'include'}", *code_flags], folder, env)
    if done.returncode == 0 and "int main" in code:
        done = run(["./program"], folder, env)
    report(done.returncode == 0, where, done.stdout)


def run_cpp(code, folder, env, build, where):
    (folder / "program.cpp").write_text(code)
    done = run(["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "program.cpp", "-o",
                "program", f"-I{ROOT / 'include'}", f"-L{build / 'lib'}", "-lml"], folder, env)
    if done.returncode == 0:
        done = run(["./program"], folder, env)
    report(done.returncode == 0, where, done.stdout)


def run_yaml(code, folder, env, where):
    if "survived" not in code or not TITANIC.exists():
        return
    (folder / "block.yaml").write_text(code)
    data = [] if "data:" in code else ["titanic.csv.gz"]
    done = run(["libml", "run", "block.yaml", *data], folder, env)
    report(done.returncode == 0, where, done.stdout)


def run_sh(code, folder, env, where):
    lines = code.replace("\\\n", " ").splitlines()
    for line in lines:
        if "titanic" in line and not TITANIC.exists():
            continue
        if line.strip() and not line.startswith("#") and not NOT_RUN.match(line):
            done = run(["bash", "-euc", line], folder, env)
            report(done.returncode == 0, f"{where}: {line}", done.stdout)


def run_script(language, code, folder, env, where):
    global skipped
    program = {"python": [sys.executable], "lua": ["lua5.4"]}[language]
    ready = {"python": (ROOT / "bindings/python/libml/__init__.py").exists(),
             "lua": bool(list(Path(env["LUA_CPATH"].split("?")[0]).glob("libml.so")))}[language]
    if not ready or not shutil.which(program[0]):
        print(f"SKIP: {where}: {language} is not built")
        return
    done = run(program, folder, env, input=code)
    if re.search(r"No module named '(numpy|pandas|sklearn|polars|pyarrow|scipy|duckdb)'",
                 done.stdout):
        print(f"SKIP: {where}: {done.stdout.strip().splitlines()[-1]}")
        return
    report(done.returncode == 0, where, done.stdout)


def check(document, build):
    text = document.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "examples/data/adult/test.csv.gz", folder / "adult.csv.gz")
        if TITANIC.exists():
            shutil.copy(TITANIC, folder)
        env = environment(build, folder)
        for match in BLOCK.finditer(text):
            language, code = match.groups()
            line = text[:match.start()].count("\n") + 1
            where = f"{document.relative_to(ROOT)}:{line}"
            if language == "c":
                run_c(code, folder, env, build, where)
            elif language == "cpp":
                run_cpp(code, folder, env, build, where)
            elif language == "sh":
                run_sh(code, folder, env, where)
            elif language == "yaml":
                run_yaml(code, folder, env, where)
            elif language in ("python", "lua"):
                run_script(language, code, folder, env, where)


def main():
    build = Path(sys.argv[1]).resolve()
    for name in sys.argv[2:]:
        check(Path(name).resolve(), build)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
