#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boosting on sparse rows as of texts, in a fresh process: prints one JSON object like
benchmarks/bench.c, with the memory that the fit took beyond the data.

Documents of 75 draws among 47,236 terms, whose frequencies fall as 1 / rank, in rows of length
1; whether a random weighting of the terms is above 0, with noise. 10 rounds of 31 leaves.

Usage: gbdt_sparse.py ENGINE [ROWS [THREADS]]
       ENGINE: libml, lightgbm, xgboost; 100,000 rows and 1 thread when not given
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY. BENCH_CPU=1: processor time.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bindings" / "python"))
import peers

clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter
TERMS, DRAWS, TEST, ROUNDS, LEAVES = 47236, 75, 10000, 10, 31


def documents(rows):
    random = np.random.default_rng(1)
    term = np.floor(TERMS ** random.random((rows, DRAWS))).astype(np.int64).ravel() - 1
    ones = np.ones(len(term), np.float32)
    x = scipy.sparse.csr_matrix((ones, term, np.arange(0, len(term) + 1, DRAWS)), (rows, TERMS))
    x.sum_duplicates()
    length = np.sqrt(np.asarray(x.multiply(x).sum(1))).ravel()
    x.data /= np.repeat(length, np.diff(x.indptr)).astype(np.float32)
    score = x @ random.normal(size=TERMS)
    score += 0.5 * score.std() * random.normal(size=rows)
    return x, (score > np.median(score)).astype(np.float32)


def libml(threads, x, y, xt):
    import libml
    libml.set_threads(threads)
    estimator = libml.GBDT(task="classification", n_trees=ROUNDS, max_leaves=LEAVES)
    start = clock()
    model = estimator.fit(x, y)
    return clock() - start, lambda: np.asarray(model.predict(xt, "proba"))[:, 1]


def lightgbm(threads, x, y, xt):
    import lightgbm
    start = clock()
    model = lightgbm.train(peers.plain_params("lightgbm", threads), lightgbm.Dataset(x, y),
                           ROUNDS)
    return clock() - start, lambda: model.predict(xt)


def xgboost(threads, x, y, xt):
    import xgboost
    start = clock()
    data = xgboost.QuantileDMatrix(x, y, max_bin=256, nthread=threads)
    model = xgboost.train(peers.plain_params("xgboost", threads), data, ROUNDS)
    return clock() - start, lambda: model.predict(xgboost.DMatrix(xt))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    engine = {"libml": libml, "lightgbm": lightgbm, "xgboost": xgboost}[sys.argv[1]]
    rows, threads = [int(v) for v in sys.argv[2:] + ["100000", "1"][len(sys.argv) - 2:]]
    x, y = documents(rows + TEST)
    train, test = x[:rows].tocsr(), x[rows:].tocsr()
    engine(threads, train[:2000], y[:2000], test)  # what is done once is done
    before = peers.peak()
    seconds, predict = engine(threads, train, y[:rows], test)
    extra = peers.peak() - before
    quality = float(roc_auc_score(y[rows:], predict()))
    print(json.dumps({"seconds": seconds, "quality": quality, "extra_kib": extra}))


if __name__ == "__main__":
    main()
