#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Predicting sparse rows (CSR): libml beside XGBoost and LightGBM, each with its own model,
which libml reads. Processor time of one thread, the best of five.

Usage: sparse.py [ROWS]     needs numpy, scipy, xgboost, lightgbm; LIBML_LIBRARY says which
                            library
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bindings" / "python"))

import lightgbm
import numpy as np
import scipy.sparse
import xgboost

import libml

COLUMNS, DENSITY, TRAIN = 500, 0.02, 20000


def data(rows):
    random = np.random.default_rng(0)
    x = scipy.sparse.random(rows, COLUMNS, DENSITY, "csr", np.float32, random)
    x.data[:] = random.standard_normal(len(x.data))
    noise = 0.3 * random.standard_normal(rows)
    return x, (x @ random.standard_normal(COLUMNS) + noise > 0).astype(np.float32)


def models(x, y, folder):
    """(name, file, what a value that is not stored means, the peer's prediction)"""
    boost = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1}
    leaves = {**boost, "max_leaves": 255, "max_depth": 0, "grow_policy": "lossguide"}
    for shape, params, rounds in (("255", leaves, 30), ("d6", {**boost, "max_depth": 6}, 100)):
        model = xgboost.train(params, xgboost.DMatrix(x, y, nthread=1), rounds)
        path = f"{folder}/{shape}.ubj"
        model.save_model(path)
        yield f"xgboost {shape}", path, np.nan, model.inplace_predict
    plain = {"objective": "binary", "num_threads": 1, "verbose": -1}
    deep, flat = {**plain, "num_leaves": 255}, {**plain, "num_leaves": 64, "max_depth": 6}
    for shape, params, rounds in (("255", deep, 30), ("d6", flat, 100)):
        model = lightgbm.train(params, lightgbm.Dataset(x, y), rounds)
        path = f"{folder}/{shape}.txt"
        model.save_model(path)
        yield f"lightgbm {shape}", path, 0.0, lambda m, b=model: b.predict(m, num_threads=1)


def best(function, *arguments, **named):
    times = []
    for _ in range(5):
        start = time.process_time()
        result = function(*arguments, **named)
        times.append(time.process_time() - start)
    return min(times), result


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    x, y = data(rows)
    with tempfile.TemporaryDirectory() as folder:
        for name, path, absent, peer in models(x[:TRAIN], y[:TRAIN], folder):
            predictor = libml.load(path).predictor("proba")
            ours, a = best(predictor.rows, x, absent=absent)
            theirs, b = best(peer, x)
            error = np.abs(a[:, -1] - b).max()
            print(f"{name:<13} libml {1e3 * ours:8.1f} ms  peer {1e3 * theirs:8.1f} ms  "
                  f"ratio {theirs / ours:5.2f}  largest difference {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
