#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exports models and runs them in the systems that they are for: XGBoost, onnxruntime,
LightGBM. What is not installed is left out with a message.
ML_PEERS_PYTHON names the Python that has them, if it is not the one that runs this.
Usage: check_peers.py LIBRARY (libml.so)"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "tests" / "data" / "foreign"
sys.path.insert(0, str(ROOT / "bindings" / "python"))
os.environ.setdefault("LIBML_LIBRARY", sys.argv[1])

OTHER = os.environ.pop("ML_PEERS_PYTHON", None)
if OTHER:
    os.execv(OTHER, [OTHER, *sys.argv])
try:
    import numpy as np
except ImportError:
    print("SKIP: numpy is not installed")
    sys.exit(77)
import libml  # noqa: E402

failures = checks = 0


def check(what, got, want, tol):
    global failures, checks
    checks += 1
    got = np.asarray(got, float).reshape(len(want), -1)
    want = np.asarray(want, float).reshape(len(want), -1)
    if want.shape[1] == 2 and got.shape[1] == 1:
        want = want[:, 1:]
    worst = np.max(np.abs(got - want) / np.maximum(1, np.abs(want)))
    if not worst <= tol:
        failures += 1
        print(f"{what}: differs by {worst}")


def data(categories, classes, n=1500):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 3)).astype(np.float32).astype(float)
    x[rng.random(x.shape) < .1] = np.nan
    k = rng.integers(0, 40, n)
    y = 3 + np.nan_to_num(x[:, 0]) - np.isnan(x[:, 1]) + rng.normal(size=n) / 3
    t = {"a": x[:, 0], "b": x[:, 1], "c d": x[:, 2]}
    if categories:
        y = y + k * 7 % 11 / 4
        t["k"] = [f"level {v}" if v % 13 else None for v in k]
    if classes:
        t["y"] = ["no", "yes", "maybe"][:classes] * (n // classes)
        t["y"] = [("no", "yes", "maybe")[int(min(classes - 1, max(0, v - 2)))] for v in y]
    else:
        t["y"] = np.abs(y)
    return t


def rows_of(model, table):
    """Plain rows with codes."""
    p = model.predictor()
    columns = []
    for i, name in enumerate(model.inputs):
        column = table[name]
        if isinstance(column, list):
            column = [p.code(name, v) for v in column]
        columns.append(np.asarray(column, float))
    return np.stack(columns, axis=1)


def models():
    keep = {"n_trees": 10, "target": "y", "min_data_per_group": 5, "cat_smooth": 1}
    for categories in (0, 1):
        for classes in (0, 2, 3):
            t = data(categories, classes)
            m = libml.GBDT(**keep).fit(t)
            yield f"own {classes} classes, {categories} categories", m, rows_of(m, t)
    for classes in (0, 2, 3):
        t = data(1, classes)
        m = libml.RandomForest(n_trees=5, target="y").fit(t)
        yield f"a forest of {classes} classes", m, rows_of(m, t)
    for objective in ("poisson", "gamma", "tweedie"):
        t = data(0, 0)
        m = libml.GBDT(objective=objective, **keep).fit(t)
        yield f"own {objective}", m, rows_of(m, t)
    rng = np.random.default_rng(5)
    rows = (rng.normal(size=(300, 5)) * [1, 10, 100, 1, 1]).astype(np.float32).astype(float)
    rows[:, 3] = rng.integers(0, 5, 300)
    rows[rng.random(rows.shape) < .1] = np.nan
    rows[rng.random(rows.shape) < .1] = 0
    for path in sorted(FOREIGN.iterdir()):
        if path.suffix in (".csv", ".expected", ".shap") or "lin" in path.name or "logistic2" in path.name \
                or "onnx_logistic" in path.name or path.name.startswith(("named", "words", "crosses")):
            continue
        m = libml.load(path)
        r = rows[:, :len(m.inputs)].copy()
        if path.name.startswith("codes"):
            r[:, 2] = rng.integers(0, 7, 300)
            r[:, 3] = rng.integers(0, 60, 300)
        yield path.name, m, r


def expected(m, rows):
    kind = "proba" if m.classes else "value"
    return m.predictor(kind).rows(rows)


def try_export(m, path, refused):
    try:
        m.save(path)
    except libml.LibmlError as problem:
        refused.append(str(problem).split(": ")[-1])
        return False
    return True


def in_xgboost(m, rows, path, what):
    import xgboost
    b = xgboost.Booster(model_file=path)
    types = b.feature_types
    d = xgboost.DMatrix(rows, feature_names=b.feature_names, feature_types=types,
                        enable_categorical="c" in types)
    check(f"XGBoost, {what}", b.predict(d), expected(m, rows), 2e-6)


def in_onnxruntime(m, rows, path, what):
    import onnxruntime
    session = onnxruntime.InferenceSession(path)
    out = session.run(None, {session.get_inputs()[0].name: rows})
    check(f"ONNX, {what}", out[-1], expected(m, rows), 2e-6)


def in_lightgbm(m, rows, path, what):
    import lightgbm
    b = lightgbm.Booster(model_file=path)
    floats = any(t["name"] == "float_sums" for t in m.info["tensors"])
    check(f"LightGBM, {what}", b.predict(rows), expected(m, rows), 1e-6 if floats else 1e-12)


def main():
    systems = [("xgboost", ".json", in_xgboost), ("onnxruntime", ".onnx", in_onnxruntime),
               ("lightgbm", ".txt", in_lightgbm)]
    usable = []
    for name, end, run in systems:
        try:
            __import__(name)
            usable.append((name, end, run))
        except ImportError:
            print(f"SKIP: {name} is not installed")
    refused = []
    with tempfile.TemporaryDirectory() as folder:
        for what, m, rows in models():
            for name, end, run in usable:
                path = os.path.join(folder, "model" + end)
                if try_export(m, path, refused):
                    run(m, rows, path, what)
                elif what.startswith("own"):
                    check(f"{name} refuses {what}: {refused[-1]}", [1], [0], 0)
    print(f"{checks} models compared, {failures} differ; refused: {sorted(set(refused))}")
    sys.exit(1 if failures else 0 if checks else 77)


if __name__ == "__main__":
    main()
