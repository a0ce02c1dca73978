#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/foreign: small models of other systems, the rows to predict, and what
those systems predict. Run with xgboost 3.2.0, lightgbm 4.7.0, catboost 1.2, scikit-learn
1.9.1, skl2onnx and onnxruntime.

NAME.csv has the features; NAME.MODEL.<ext> the model; NAME.MODEL.expected one line per row
with the margins (LightGBM: raw scores), then a line "--", then the predictions."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
OUT = Path(__file__).resolve().parent.parent / "data" / "foreign"
ROWS = 24
SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def numbers(rng, n):
    x = rng.normal(size=(n, 5)) * [1, 10, 100, 1, 1]
    x[:, 3] = rng.integers(0, 4, n)
    x[:, 4] = np.where(rng.random(n) < .4, 0, x[:, 4])
    x[rng.random(x.shape) < .08] = np.nan
    return pd.DataFrame(x, columns=["a", "b", "c", "d", "e"])


def target(f, rng):
    z = np.nan_to_num(f["a"]) + np.nan_to_num(f["b"]) / 10 + np.nan_to_num(f["d"]) ** 2 / 4
    return z - np.isnan(f["c"]) + rng.normal(size=len(f)) / 2


COLOURS = ["red", "green", "blue", "dark red", 'say "hi"', "white", "black"]


def categories(rng, n):
    f = numbers(rng, n)[["a", "b"]]
    k = rng.integers(0, 7, n)
    f["colour"] = pd.Categorical.from_codes(np.where(rng.random(n) < .1, -1, k), COLOURS)
    f["place"] = pd.Categorical.from_codes(rng.integers(0, 60, n), [f"p{i}" for i in range(60)])
    return f


def codes(f):
    g = f.copy()
    for name in ("colour", "place"):
        g[name] = g[name].cat.codes.astype(float).where(g[name].cat.codes >= 0)
    return g


def effect(f, rng):
    c = f["colour"].cat.codes.to_numpy()
    p = f["place"].cat.codes.to_numpy()
    return np.nan_to_num(f["a"]) + (c * 5 % 7) / 2 + np.sin(p) + rng.normal(size=len(f)) / 2


def write_rows(name, f):
    f.to_csv(OUT / f"{name}.csv", index=False)


def lines(values):
    values = np.asarray(values, dtype=float)
    values = values.reshape(len(values), -1)
    return "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in values)


def write_expected(name, margins, predictions):
    (OUT / f"{name}.expected").write_text(lines(margins) + "--\n" + lines(predictions))


def xgboost_models(rng):
    import xgboost as xgb
    f = numbers(rng, 2000)
    z = target(f, rng)
    test = f[:ROWS]
    e = np.exp(z / 2)
    third = np.digitize(z, np.quantile(z, [.33, .66]))
    cases = {
        "binary": ({"objective": "binary:logistic"}, z > 1, "json"),
        "softprob": ({"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2,
                      "subsample": .5}, third, "ubj"),
        "poisson": ({"objective": "count:poisson"}, np.floor(e), "json"),
        "tweedie": ({"objective": "reg:tweedie", "booster": "dart", "rate_drop": .3}, e, "ubj"),
        "reglogistic": ({"objective": "reg:logistic", "tree_method": "exact"},
                        1 / (1 + np.exp(-z)), "json"),
        "aft": ({"objective": "survival:aft"}, e, "json"),
        "rank": ({"objective": "rank:ndcg"}, third, "ubj"),
        "hinge": ({"objective": "binary:hinge"}, z > 1, "json"),
        "gblinear": ({"objective": "binary:logistic", "booster": "gblinear"}, z > 1, "json"),
        "gblinear3": ({"objective": "multi:softprob", "num_class": 3, "booster": "gblinear"},
                      third, "ubj"),
        "gblinreg": ({"booster": "gblinear"}, z, "json"),
    }
    for name, (params, y, kind) in cases.items():
        d = xgb.DMatrix(f, y)
        if name == "aft":
            d = xgb.DMatrix(f)
            d.set_float_info("label_lower_bound", y)
            d.set_float_info("label_upper_bound", y)
        if name == "rank":
            d.set_group([20] * (len(f) // 20))
        depth = 2 if name == "softprob" else 3
        b = xgb.train({"max_depth": depth, "eta": .3, "seed": 1} | params, d, 6)
        b.save_model(OUT / f"numbers.xgb_{name}.{kind}")
        t = xgb.DMatrix(test)
        write_expected(f"numbers.xgb_{name}", b.predict(t, output_margin=True), b.predict(t))
    f = categories(rng, 600)
    y = effect(f, rng)
    for tag, frame in (("named", f), ("codes", codes(f))):
        types = None if tag == "named" else ["float", "float", "c", "c"]
        d = xgb.DMatrix(frame, y, enable_categorical=True, feature_types=types)
        b = xgb.train({"max_depth": 4, "max_cat_to_onehot": 2, "max_cat_threshold": 200}, d, 5)
        b.save_model(OUT / f"{tag}.xgb_category.json")
        t = xgb.DMatrix(frame[:ROWS], enable_categorical=True, feature_types=types)
        write_expected(f"{tag}.xgb_category", b.predict(t, output_margin=True), b.predict(t))


def lightgbm_models(rng):
    import lightgbm as lgb
    f = numbers(rng, 2000)
    z = target(f, rng)
    e = np.exp(z / 2)
    third = np.digitize(z, np.quantile(z, [.33, .66]))
    cases = {
        "binary": ({"objective": "binary", "sigmoid": 0.7}, z > 1),
        "multiclass": ({"objective": "multiclass", "num_class": 3}, third),
        "ova": ({"objective": "multiclassova", "num_class": 3}, third),
        "zero": ({"objective": "regression", "zero_as_missing": True}, z),
        "nomissing": ({"objective": "regression", "use_missing": False}, z),
        "sqrt": ({"objective": "regression", "reg_sqrt": True}, z),
        "forest": ({"objective": "binary", "boosting": "rf", "bagging_freq": 1,
                    "bagging_fraction": .6}, z > 1),
        "xentropy": ({"objective": "cross_entropy"}, 1 / (1 + np.exp(-z))),
        "lambda": ({"objective": "cross_entropy_lambda"}, 1 / (1 + np.exp(-z))),
        "gamma": ({"objective": "gamma", "boosting": "dart"}, e),
    }
    keep = {"verbose": -1, "num_leaves": 7, "seed": 1, "num_threads": 1}
    for name, (params, y) in cases.items():
        b = lgb.train(keep | params, lgb.Dataset(f, np.asarray(y, float)), 6)
        text = b.model_to_string()
        (OUT / f"numbers.lgb_{name}.txt").write_text(text[:text.index("\nparameters:")])
        write_expected(f"numbers.lgb_{name}", b.predict(f[:ROWS], raw_score=True),
                       b.predict(f[:ROWS]))
    f = categories(rng, 600)
    y = effect(f, rng)
    for tag, frame in (("named", f), ("codes", codes(f))):
        extra = {} if tag == "named" else {"categorical_feature": [2, 3]}
        b = lgb.train(keep | {"num_leaves": 15, "min_data_per_group": 5, "max_cat_to_onehot": 2,
                              "max_cat_threshold": 100, "cat_smooth": 1},
                      lgb.Dataset(frame, y, **extra), 6)
        b.save_model(OUT / f"{tag}.lgb_category.txt")
        write_expected(f"{tag}.lgb_category", b.predict(frame[:ROWS], raw_score=True),
                       b.predict(frame[:ROWS]))


def main():
    OUT.mkdir(exist_ok=True)
    for part in (xgboost_models, lightgbm_models):
        part(np.random.default_rng(7))
    rng = np.random.default_rng(7)
    f = numbers(rng, 2000)
    target(f, rng)
    write_rows("numbers", f[:ROWS])
    f = categories(rng, 600)
    write_rows("named", f[:ROWS])
    write_rows("codes", codes(f)[:ROWS])
    print(sum(p.stat().st_size for p in OUT.iterdir()), "bytes in", OUT, file=sys.stderr)


if __name__ == "__main__":
    main()
