#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training on batches of a stream that together need not fit into memory.

Batches of 100,000 rows of 28 floats (made anew from their number, so that nobody holds all
of them) go to gbdt through a table in a file, to XGBoost through its iterator for external
memory, and to LightGBM through a Sequence, which reads blocks of a mapped file. Each runs
in a process of its own; printed are the seconds until the model is there, the peak of
anonymous memory above that of the process with its modules loaded, and the AUC on a batch
that none has seen.

    benchmarks/larger.py [--rows N] [--trees N] [--threads N] [--folder DIR] [NAME ...]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))

BATCH, COLUMNS, UNSEEN = 100_000, 28, 2**32 - 1
NAMES = ("libml", "libml-memory", "xgboost", "lightgbm")


def batch(number):
    rng = np.random.default_rng(number)
    x = rng.standard_normal((BATCH, COLUMNS), np.float32)
    signal = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) - x[:, 3] + 0.5 * x[:, 4] * x[:, 5]
    y = (signal + rng.standard_normal(BATCH) > 0.8).astype(np.float32)
    return x, y


def anonymous():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon")) / 1024


class Peak(threading.Thread):
    """The most anonymous memory, looked at every 10 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.base = self.most = anonymous()
        self.ended = False

    def run(self):
        while not self.ended:
            self.most = max(self.most, anonymous())
            time.sleep(0.01)


def run_libml(args, spill):
    import libml
    context = libml.Context(threads=args.threads)

    def batches():
        for number in range(args.rows // BATCH):
            x, y = batch(number)
            yield libml.Table({**{f"x{j}": x[:, j].copy() for j in range(COLUMNS)}, "y": y},
                              context=context)

    yield
    table = libml.Table(batches(), spill=spill, context=context)
    yield
    model = libml.GBDT(target="y", objective="logistic", n_trees=args.trees, context=context,
                       max_leaves=31, learning_rate=0.1).fit(table)
    yield
    test = {f"x{j}": c for j, c in enumerate(batch(UNSEEN)[0].T.copy())}
    proba = np.asarray(model.predict(test, kind="proba"))
    yield proba[:, -1] if proba.ndim == 2 else proba


def run_xgboost(args):
    import xgboost

    class Batches(xgboost.DataIter):
        def __init__(self):
            self.at = 0
            super().__init__(cache_prefix=os.path.join(args.folder, "xgboost"))

        def next(self, give):
            if self.at == args.rows // BATCH:
                return False
            x, y = batch(self.at)
            give(data=x, label=y)
            self.at += 1
            return True

        def reset(self):
            self.at = 0

    yield
    data = xgboost.ExtMemQuantileDMatrix(Batches(), max_bin=255, nthread=args.threads)
    yield
    model = xgboost.train({"tree_method": "hist", "objective": "binary:logistic",
                           "max_leaves": 31, "max_depth": 0, "grow_policy": "lossguide",
                           "eta": 0.1, "max_bin": 255, "nthread": args.threads}, data,
                          args.trees)
    yield
    yield model.inplace_predict(batch(UNSEEN)[0])


def run_lightgbm(args):
    import lightgbm
    path = os.path.join(args.folder, "lightgbm.f32")
    shape = (args.rows, COLUMNS)

    class Rows(lightgbm.Sequence):
        batch_size = BATCH

        def __init__(self):
            self.data = np.memmap(path, np.float32, "r", shape=shape)

        def __getitem__(self, index):
            return np.asarray(self.data[index], np.float64)

        def __len__(self):
            return args.rows

    yield
    data, label = np.memmap(path, np.float32, "w+", shape=shape), np.empty(args.rows, np.float32)
    for number in range(args.rows // BATCH):
        begin = number * BATCH
        data[begin:begin + BATCH], label[begin:begin + BATCH] = batch(number)
    del data
    params = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "max_bin": 255,
              "num_threads": args.threads, "verbose": -1, "force_col_wise": True}
    made = lightgbm.Dataset(Rows(), label=label, params=params).construct()
    yield
    model = lightgbm.train(params, made, args.trees)
    yield
    os.unlink(path)
    yield model.predict(batch(UNSEEN)[0])


def auc(y, score):
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(y))
    rank[order] = np.arange(1, len(y) + 1)
    ones = y > 0
    n = ones.sum()
    return (rank[ones].sum() - n * (n + 1) / 2) / (n * (len(y) - n))


def measure(name, args):
    steps = {"libml": lambda: run_libml(args, args.folder),
             "libml-memory": lambda: run_libml(args, None),
             "xgboost": lambda: run_xgboost(args),
             "lightgbm": lambda: run_lightgbm(args)}[name]()
    next(steps)
    peak = Peak()
    peak.start()
    begin, used = time.perf_counter(), time.process_time()
    next(steps)
    read, read_cpu = time.perf_counter() - begin, time.process_time() - used
    next(steps)
    whole, cpu = time.perf_counter() - begin, time.process_time() - used
    peak.ended = True
    peak.join()
    print(json.dumps({"name": name, "read": read, "fit": whole - read, "read_cpu": read_cpu,
                      "fit_cpu": cpu - read_cpu, "memory": peak.most - peak.base,
                      "auc": auc(batch(UNSEEN)[1], next(steps))}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--trees", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", default=NAMES)
    args = parser.parse_args()
    if args.one:
        return measure(args.one, args)
    print(f"{args.rows} rows, {args.trees} trees, {args.threads} threads; load",
          *os.getloadavg())
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name in args.names:
            out = subprocess.run(
                [sys.executable, __file__, "--one", name, "--rows", str(args.rows), "--trees",
                 str(args.trees), "--threads", str(args.threads), "--folder", folder],
                stdout=subprocess.PIPE, check=True, text=True).stdout
            r = json.loads(out.splitlines()[-1])
            print(f"{r['name']:13} read {r['read']:6.1f} s (CPU {r['read_cpu']:6.1f}), fit "
                  f"{r['fit']:6.1f} s (CPU {r['fit_cpu']:6.1f}), memory {r['memory']:6.0f} "
                  f"MiB, AUC {r['auc']:.4f}", flush=True)


if __name__ == "__main__":
    main()
