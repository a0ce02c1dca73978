#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds an algorithm to a copy of the source tree, as CONTRIBUTING.md says: one C file and a line
in two lists. After one build it must be there in the command, in Python and in Lua, and after
`tools/regenerate` in everything that is generated.

Usage: check_new_algorithm.py
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = r"""/* SPDX-License-Identifier: MIT
 *
 * always.c: predicts one number, whatever the row. Tensor: "number" f64 [1].
 */
#include "algorithms/model.h"

static ml_status fit(mli_fit *job, ml_error *err)
{
    double number = mli_get_f64(job->params, "number");
    return mli_model_add_f64s(job->model, "number", &number, 1, err);
}

typedef struct {
    mli_plan plan;
    double number;
} always;

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    (void)rows, (void)stride, (void)scratch;
    for (int64_t i = 0; i < n; i++) out[i] = ((const always *)plan)->number;
}

static ml_status plan(const ml_model *model, const char *kind, mli_plan **out,
                      ml_error *err)
{
    const double *number = NULL;
    int64_t n = 1;
    (void)kind;
    ml_status status =
        mli_model_want(model, "number", ML_DTYPE_F64, 1, &n, &number, err);
    if (status) return status;
    always *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->plan = (mli_plan){.ctx = model->ctx,
                         .n_features = model->inputs->n_features,
                         .n_outputs = 1,
                         .run = run};
    p->number = *number;
    *out = &p->plan;
    return ML_OK;
}

static const mli_param params[] = {
    {"number", "value", ML_PARAM_F64, 0, "42", NULL, NULL, NULL, "What to predict.", "0.1"},
    MLI_PARAM_END};
static const mli_kind kinds[] = {{"value", "rows", "The number."}, {NULL, NULL, NULL}};

extern const mli_algorithm mli_always;
const mli_algorithm mli_always = {
    .head = {.name = "always",
             .title = "always the same number",
             .doc = "Predicts one number, whatever the row.",
             .family = "baseline",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES,
             .params = params,
             .roles = mli_roles_supervised,
             .kinds = kinds},
    .fit = fit,
    .plan = plan,
};
"""

PYTHON = """
import libml
rows = {"x": [1.0, 2.0], "y": [3.0, 5.0]}
assert "always" in libml.list_algorithms()
assert list(libml.Always(target="y").fit(rows).predict(rows)) == [42, 42]
model = libml.Always(target="y", value=7).fit(rows)
assert list(libml.loads(model.to_bytes()).predict(rows)) == [7, 7]
"""

LUA = """
local ml = require "libml"
local rows = ml.table{ x = { 1, 2 }, y = { 3, 5 } }
local model = ml.assert(ml.estimator("always", { target = "y", value = 7 }):fit(rows))
assert(model:predict(rows):get(2, 1) == 7)
"""

# Where it stands after the generators, and with which words.
GENERATED = {
    "bindings/schema.json": '"name": "always"',
    "bindings/python/libml/algorithms.py": "class Always(Estimator)",
    "bindings/python/libml/algorithms.pyi": "number: Optional[float] = ...",
    "bindings/python/libml/sklearn.py": "class AlwaysRegressor(LibmlRegressor)",
    "bindings/python/libml/sklearn.pyi": "class AlwaysRegressor(LibmlRegressor)",
    "bindings/lua/libml.d.lua": "function ml.always(params)",
    "include/ml/algorithms/always.h": "ml_always_set_number",
    "docs/reference/algorithms/always.md": "lways the same number",
}


def run(command, folder, **env):
    done = subprocess.run([str(c) for c in command], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **env})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}")
    return done.stdout


def insert(path, before, line):
    text = path.read_text(encoding="utf-8")
    assert before in text, path
    path.write_text(text.replace(before, line + before, 1), encoding="utf-8")


def copy_tree(to):
    for name in ("meson.build", "meson_options.txt", "include", "lib", "bindings", "tools",
                 "examples/meson.build", "examples/quickstart", "docs/reference",
                 "tests/conformance/const_calls.h"):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to / name)


def add_algorithm(tree):
    folder = tree / "lib" / "algorithms" / "baseline"
    (folder / "always.c").write_text(SOURCE, encoding="utf-8")
    insert(folder / "meson.build", "'baseline.c'", "'always.c', ")
    insert(tree / "lib" / "catalog.c", "    A(mli_automl_algorithm) ",
           "    A(mli_always)".ljust(89) + "\\\n")


def check_command(tree, build):
    """The command lists it, trains it and predicts by it."""
    libml = build / "tools" / "libml"
    (tree / "rows.csv").write_text("x,y\n1,3\n2,5\n", encoding="utf-8")
    if "value" not in run([libml, "algorithms", "always"], tree):
        sys.exit("libml algorithms always: no aliases of number")
    run([libml, "train", "rows.csv", "--target", "y", "--algorithm", "always", "--set", "value=7",
         "--output", "always.mlm"], tree)
    said = run([libml, "predict", "always.mlm", "rows.csv"], tree).split()
    if said != ["prediction", "7.0", "7.0"]:
        sys.exit(f"libml predict always.mlm: {said}")


def check_generated(tree, build):
    run(["tools/regenerate", build], tree)
    bad = []
    for name, words in GENERATED.items():
        if words not in (tree / name).read_text(encoding="utf-8"):
            bad.append(f'{name} lacks "{words}"')
    if bad:
        sys.exit("\n".join(bad))


def main():
    passed = 3
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "libml"
        tree.mkdir()
        copy_tree(tree)
        add_algorithm(tree)
        build = tree / "build"
        run(["meson", "setup", build, "-Doptimization=0", "-Ddebug=false", "-Dtests=false"],
            tree)
        run(["ninja", "-C", build], tree)
        lib = build / "lib" / "libml.so.0"
        run([sys.executable, "-c", PYTHON], tree, LIBML_LIBRARY=str(lib),
            PYTHONPATH=str(tree / "bindings" / "python"))
        if shutil.which("lua5.4") and (build / "bindings/lua/5.4/libml.so").exists():
            run(["lua5.4", "-e", LUA], tree, LUA_CPATH=f"{build}/bindings/lua/5.4/?.so")
            passed += 1
        else:
            print("SKIP: no Lua 5.4")
        check_command(tree, build)
        check_generated(tree, build)
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
