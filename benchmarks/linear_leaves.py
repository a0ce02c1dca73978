#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linear leaves of libml's gbdt beside LightGBM's: RMSE on held-out rows and processor time.

Usage: benchmarks/linear_leaves.py [--rows N]
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY and the data in ../shared/data. Settings: 100 trees of 15 leaves, learning rate
0.1, one thread, everything else at its default. Friedman's function has N rows (20,000) and
noise of deviation 1; of the California table, without its one column of text, a fifth of the
rows is held out.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT / "bindings" / "python"))


def friedman(rows):
    rng = np.random.default_rng(0)
    x = rng.random((2 * rows, 10))
    y = (10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3]
         + 5 * x[:, 4] + rng.normal(size=2 * rows))
    return x[:rows], y[:rows], x[rows:], y[rows:]


def california():
    import pandas as pd
    path = next((DATA / "california_housing").glob("*.csv*"), None)
    if not path:
        return None
    t = pd.read_csv(path).select_dtypes("number")
    y = t.pop("median_house_value").to_numpy(float) / 1e5
    x, test = t.to_numpy(float), np.random.default_rng(0).random(len(t)) < 0.2
    return x[~test], y[~test], x[test], y[test]


def libml_run(x, y, xt, linear):
    import libml
    libml.set_threads(1)
    start = time.process_time()
    model = libml.estimator("gbdt", n_trees=100, max_leaves=15, linear_tree=linear).fit(
        x, y)
    seconds = time.process_time() - start
    return seconds, np.asarray(model.predict(xt))


def lightgbm_run(x, y, xt, linear):
    import lightgbm as lgb
    params = {"objective": "regression", "num_leaves": 15, "linear_tree": linear,
              "num_threads": 1, "verbose": -1}
    start = time.process_time()
    model = lgb.train(params, lgb.Dataset(x, y, params=params), 100)
    return time.process_time() - start, model.predict(xt)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20000)
    args = parser.parse_args()
    for name, data in (("friedman", friedman(args.rows)), ("california", california())):
        if not data:
            continue
        x, y, xt, yt = data
        for engine in (libml_run, lightgbm_run):
            for linear in (True, False):
                seconds, p = engine(x, y, xt, linear)
                rmse = float(np.sqrt(np.mean((p - yt) ** 2)))
                print(f"{name:<11} {engine.__name__[:-4]:<9} "
                      f"{'linear' if linear else 'constant':<9} rmse {rmse:.4f}  {seconds:.2f} s",
                      flush=True)


if __name__ == "__main__":
    main()
