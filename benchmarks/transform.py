#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One transformer once, fitted and applied, in a fresh process: prints one JSON object like
benchmarks/bench.c. "quality" is the mean of the outputs, missing ones left out, so that both
sides can be seen to do the same. Of several engines, ENGINE,ENGINE: again and again in turn,
when each has its memory by then, and their least and median times.

Usage: transform.py ENGINE TRANSFORMER [ROWS [THREADS [COLUMNS]]]
       ENGINE: libml, sklearn, polars; 200,000 rows of 20 numbers and 1 thread when not given
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY; tfidf reads the newsgroups of ../shared/data (ML_SHARED_DATA), ROWS at most.
BENCH_CPU=1: processor time. BENCH_ROUNDS=7: rounds of several engines.
NAME_f32: numbers of single precision. target_encoder and frequency_encoder read the four
columns of levels, and the first a target.
The imputers of docs/benchmarks.md:
       transform.py libml iterative_imputer 20000      transform.py libml knn_imputer 5000
"""

import gzip
import json
import os
import statistics
import sys
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bindings" / "python"))

clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter
NUMBERS, KINDS, SINGLE = 20, 4, False


def numbers(rows, missing=0.0, things=0):
    """Drawn from a gamma distribution, or whole numbers of so many things."""
    import numpy as np
    rng = np.random.default_rng(0)
    if things:
        return rng.integers(0, things, size=(rows, NUMBERS)).astype(float)
    x = rng.gamma(2.0, 10.0, size=(rows, NUMBERS))
    if missing:
        x[rng.random(x.shape) < missing] = np.nan
    return x.astype(np.float32) if SINGLE else x


def target(rows):
    import numpy as np
    return np.random.default_rng(1).normal(size=rows)


def kinds(rows):
    import numpy as np
    rng = np.random.default_rng(0)
    names = np.array([f"level {i:03}" for i in range(100)], dtype=object)
    return {f"k{j}": names[np.minimum(rng.geometric(0.05, rows), 99)] for j in range(KINDS)}


def texts(rows):
    data = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))
    with gzip.open(data / "newsgroups" / "newsgroups.jsonl.gz", "rt", encoding="utf-8") as f:
        return [json.loads(line)["body"] for line in islice(f, rows)]


def categories():
    from sklearn import preprocessing as pp
    return {"one_hot_encoder": pp.OneHotEncoder(sparse_output=False),
            "ordinal_encoder": pp.OrdinalEncoder(),
            "target_encoder": pp.TargetEncoder(target_type="continuous", random_state=0),
            "frequency_encoder": None}


def sklearn_of(name):
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn import impute, preprocessing as pp
    from sklearn.feature_extraction.text import TfidfVectorizer
    import numpy as np
    return {"standard_scaler": pp.StandardScaler(), "min_max_scaler": pp.MinMaxScaler(),
            "max_abs_scaler": pp.MaxAbsScaler(), "robust_scaler": pp.RobustScaler(),
            "normalizer": pp.Normalizer(), "imputer": impute.SimpleImputer(),
            "imputer_median": impute.SimpleImputer(strategy="median"),
            "log_transformer": pp.FunctionTransformer(np.log1p),
            "quantile_transformer": pp.QuantileTransformer(subsample=None),
            "power_transformer": pp.PowerTransformer(),
            "discretizer": pp.KBinsDiscretizer(5, encode="ordinal", subsample=None,
                                               quantile_method="linear"),
            "polynomial_features": pp.PolynomialFeatures(2, include_bias=False),
            "spline_features": pp.SplineTransformer(),
            "knn_imputer": impute.KNNImputer(), "tfidf": TfidfVectorizer(max_features=2000),
            "iterative_imputer": impute.IterativeImputer(random_state=0),
            **categories()}[name]


LIBML = {"imputer_median": ("imputer", {"strategy": "median"}),
         "tfidf": ("tfidf", {"max_features": 2000})}


def libml_ready(name, rows, threads):
    import numpy as np
    import libml
    libml.set_threads(threads)
    algorithm, params = LIBML.get(name, (name, {}))
    if name == "tfidf":
        data = {"text": texts(rows)}
    else:
        data = kinds(rows) if name in categories() else numbers(rows, missing(name), things(name))
    if not isinstance(data, dict):  # columns, as a table read from a file has them
        data = {f"x{j}": np.ascontiguousarray(data[:, j]) for j in range(NUMBERS)}
    if name == "target_encoder":
        data["y"] = target(rows)
        params = {"target": "y"}
    table = libml.Table(data)
    estimator = libml.estimator(algorithm, **params)
    return (table, table.head(1000), lambda t: estimator.fit(t).transform(t),
            lambda out: float(np.nanmean(out.to_numpy())))


def missing(name):
    if name in ("iterative_imputer", "knn_imputer"):
        return 0.1
    return 0.05 if name.startswith("imputer") else 0


def things(name):
    return 1000 if name == "to_category" else 0


def sklearn_ready(name, rows, threads):
    import numpy as np
    if name in categories():
        import pandas as pd
        data = pd.DataFrame(kinds(rows))
        small = data.head(1000)
    elif name == "tfidf":
        data = texts(rows)
        small = data[:1000]
    else:
        data = numbers(rows, missing(name))
        small = data[:1000]
    y = target(rows) if name == "target_encoder" else None
    return (data, small,
            lambda d: sklearn_of(name).fit_transform(d, y[:len(d)] if y is not None else y),
            lambda out: float(out.mean() if name == "tfidf" else np.nanmean(out)))


def polars_of(name, frame):
    import polars as pl
    import polars.selectors as cs
    c = cs.numeric()
    if name == "one_hot_encoder":
        return frame.to_dummies()
    if name == "ordinal_encoder":
        return frame.select(pl.all().rank("dense") - 1)
    if name == "frequency_encoder":
        return frame.select(pl.len().over(k).truediv(frame.height).alias(k)
                            for k in frame.columns)
    return frame.select({
        "standard_scaler": (c - c.mean()) / c.std(ddof=0),
        "min_max_scaler": (c - c.min()) / (c.max() - c.min()),
        "max_abs_scaler": c / c.abs().max(),
        "robust_scaler": (c - c.median()) / (c.quantile(0.75, "linear")
                                             - c.quantile(0.25, "linear")),
        "imputer": c.fill_null(c.mean()), "imputer_median": c.fill_null(c.median()),
        "to_category": c.cast(pl.Int64).cast(pl.String).cast(pl.Categorical),
        "log_transformer": c.log1p()}[name])


def polars_ready(name, rows, threads):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import numpy as np
    import polars as pl
    if name in categories():
        frame = pl.DataFrame({k: list(v) for k, v in kinds(rows).items()})
    else:
        frame = pl.DataFrame(numbers(rows, missing(name), things(name))).fill_nan(None)
    return (frame, frame.head(1000), lambda f: polars_of(name, f),
            lambda out: float(np.nanmean(out.to_numpy().astype(float))))


def once(job, data):
    start = clock()
    out = job(data)
    return clock() - start, out


def in_turn(engines, name, rows, threads):
    ready = {}
    for engine in engines:
        data, small, job, _ = ENGINES[engine](name, rows, threads)
        job(small)
        ready[engine] = data, job
    times = {engine: [] for engine in engines}
    for _ in range(int(os.environ.get("BENCH_ROUNDS", "7"))):
        for engine, (data, job) in ready.items():
            times[engine].append(once(job, data)[0])
    print(json.dumps({engine: {"first": round(t[0], 4), "least": round(min(t), 4),
                               "median": round(statistics.median(t), 4)}
                      for engine, t in times.items()}))


ENGINES = {"libml": libml_ready, "sklearn": sklearn_ready, "polars": polars_ready}


def main():
    global NUMBERS, SINGLE
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    engine, name, *sizes = sys.argv[1:]
    SINGLE, name = name.endswith("_f32"), name.removesuffix("_f32")
    rows, threads, NUMBERS = [int(v) for v in sizes + ["200000", "1", str(NUMBERS)][len(sizes):]]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
    if "," in engine:
        in_turn(engine.split(","), name, rows, threads)
        return
    data, small, job, quality = ENGINES[engine](name, rows, threads)
    job(small)
    seconds, out = once(job, data)
    print(json.dumps({"seconds": seconds, "quality": quality(out)}))


if __name__ == "__main__":
    main()
