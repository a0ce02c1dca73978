#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How good are boosted trees on real tables: libml gbdt, LightGBM, XGBoost and CatBoost with
like settings, five random splits of each table, the same for all. Prints a table of losses and
the mean ranks.

Usage: benchmarks/quality.py [--tables a,b] [--more FILE.json] [--seeds N] [--json FILE]
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY and the data in ../shared/data. Other tables come from --more, whose form is
that of benchmarks/automl.py; without --tables these alone are used then.

Settings: 200 rounds, learning rate 0.05, 31 leaves (CatBoost and libml_symmetric: depth 6,
all leaves of a depth split alike), 255 bins, at least 20
rows per leaf where there is such a setting, no early stopping, one thread; everything else at
its default. Loss: log loss for classes, RMSE divided by the standard deviation of the test
targets for numbers. Ranks of losses within 0.1 % of each other are shared; libml's two ways of
growing are ranked apart, each among the peers.
"""

import argparse
import gzip
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT / "bindings" / "python"))
SYSTEMS = ["libml", "libml_symmetric", "lightgbm", "xgboost", "catboost"]
OURS = ["libml", "libml_symmetric"]
ROUNDS, RATE, LEAVES = 200, 0.05, 31


def csv(path, target, drop=(), **options):
    t = pd.read_csv(DATA / path, **options).drop(columns=list(drop))
    t = t[t[target].notna()].reset_index(drop=True)
    return t.drop(columns=target), t[target]


def higgs(name):
    t = pd.read_csv(DATA / f"lightgbm_examples/{name}.gz", sep="\t", header=None)
    t.columns = ["y"] + [f"f{j}" for j in range(t.shape[1] - 1)]
    return t.drop(columns="y"), t["y"]


def bare(path, target, **options):
    t = pd.read_csv(DATA / path, header=None, **options)
    t.columns = [f"c{j}" for j in range(t.shape[1])]
    y = t.columns[target]
    return t.drop(columns=y), t[y]


def wide_categories():
    rows = []
    with gzip.open(DATA / "lightgbm_examples/categorical/categorical.data.gz", "rt") as f:
        for line in f:
            label, *items = line.split()
            rows.append([float(label)] + [i.split(":")[1] for i in items])
    t = pd.DataFrame(rows)
    t.columns = ["y"] + [f"c{j}" for j in range(t.shape[1] - 1)]
    return t.drop(columns="y").astype(object), t["y"].astype(int)


# name: (reader, is it classes)
TABLES = {
    "adult": (lambda: csv("adult/train.csv.gz", "income"), True),
    "titanic": (lambda: csv("titanic/titanic.csv.gz", "survived",
                            ["name", "ticket", "boat", "body", "cabin", "home.dest"]), True),
    "german_credit": (lambda: csv("german_credit/german.csv.gz", None), True),
    "telco_churn": (lambda: csv("telco_churn/telco_churn.csv.gz", "churn"), True),
    "creditcard": (lambda: csv("creditcard_fraud_sample/creditcard_sample.csv.gz", "Class"), True),
    "higgs_binary": (lambda: higgs("binary_classification/binary.train"), True),
    "higgs_5_classes": (lambda: higgs("multiclass_classification/multiclass.train"), True),
    "wide_categories": (wide_categories, True),
    "breast_cancer": (lambda: bare("classic_small/breast_cancer.csv", -1, skiprows=1), True),
    "digits": (lambda: bare("classic_small/digits.csv.gz", -1), True),
    "california": (lambda: csv("california_housing/housing.csv.gz", "median_house_value"), False),
    "ames": (lambda: csv("ames_housing/ames.csv.gz", "Sale_Price"), False),
    "diamonds": (lambda: csv("diamonds/diamonds.csv.gz", "price"), False),
    "wine_red": (lambda: csv("wine_quality/red.csv.gz", "quality"), False),
    "wine_white": (lambda: csv("wine_quality/white.csv.gz", "quality"), False),
    "abalone": (lambda: bare("classic_small/abalone.csv.gz", -1), False),
    "higgs_value": (lambda: higgs("regression/regression.train"), False),
}


def more(path):
    """Adds the tables of a file of benchmarks/automl.py's form; returns their names."""
    entries = json.loads(Path(path).read_text())
    for name, e in entries.items():
        TABLES[name] = (lambda e=e: csv(Path(path).resolve().parent / e["file"], e["target"],
                                        e.get("drop", [])), e["classes"])
    return list(entries)


def load(name):
    reader, classes = TABLES[name]
    if name == "german_credit":
        t = pd.read_csv(DATA / "german_credit/german.csv.gz")
        x, y = t.iloc[:, :-1], t.iloc[:, -1]
    else:
        x, y = reader()
    if classes:
        y = pd.Series(pd.factorize(y, sort=True)[0])
    x = x.copy()
    texts = [c for c in x if x[c].dtype == object or str(x[c].dtype) in ("str", "string", "bool")]
    for c in texts:
        x[c] = x[c].astype(object).where(x[c].notna(), None)
    return x, y, texts, int(y.max()) + 1 if classes else 0


def fit_libml(x, y, xt, texts, classes, **settings):
    import libml
    def table(t, target=None):
        out = {c: t[c].tolist() if c in texts else t[c].to_numpy(dtype=float) for c in t}
        if target is not None:
            out["@y"] = [f"{v:03d}" for v in target] if classes else target.to_numpy(dtype=float)
        return out
    e = libml.estimator("gbdt", target="@y", n_trees=ROUNDS, learning_rate=RATE,
                        max_leaves=LEAVES, early_stopping_rounds=0,
                        task="classification" if classes else "regression", **settings)
    model = e.fit(table(x, y))
    return np.asarray(model.predict(table(xt), kind="proba" if classes else "value"))


def fit_libml_symmetric(x, y, xt, texts, classes):
    return fit_libml(x, y, xt, texts, classes, growth="symmetric", max_depth=6)


def as_categories(x, xt, texts):
    x, xt = x.copy(), xt.copy()
    for c in texts:
        levels = sorted(x[c].dropna().unique())
        x[c] = pd.Categorical(x[c], categories=levels)
        xt[c] = pd.Categorical(xt[c], categories=levels)
    return x, xt


def fit_lightgbm(x, y, xt, texts, classes):
    import lightgbm as lgb
    x, xt = as_categories(x, xt, texts)
    p = {"num_leaves": LEAVES, "learning_rate": RATE, "verbose": -1, "num_threads": 1,
         "objective": "regression" if not classes else "binary" if classes == 2 else "multiclass"}
    if classes > 2:
        p["num_class"] = classes
    return lgb.train(p, lgb.Dataset(x, y), ROUNDS).predict(xt)


def fit_xgboost(x, y, xt, texts, classes):
    import xgboost as xgb
    x, xt = as_categories(x, xt, texts)
    p = {"max_leaves": LEAVES, "max_depth": 0, "grow_policy": "lossguide", "eta": RATE,
         "max_bin": 256, "nthread": 1, "tree_method": "hist",
         "objective": "reg:squarederror" if not classes else
                      "binary:logistic" if classes == 2 else "multi:softprob"}
    if classes > 2:
        p["num_class"] = classes
    d = xgb.DMatrix(x, y, enable_categorical=True)
    return xgb.train(p, d, ROUNDS).predict(xgb.DMatrix(xt, enable_categorical=True))


def fit_catboost(x, y, xt, texts, classes):
    import catboost as cb
    x, xt = x.copy(), xt.copy()
    for c in texts:
        x[c] = x[c].where(x[c].notna(), "?").astype(str)
        xt[c] = xt[c].where(xt[c].notna(), "?").astype(str)
    kind = cb.CatBoostClassifier if classes else cb.CatBoostRegressor
    model = kind(iterations=ROUNDS, learning_rate=RATE, depth=6, thread_count=1, verbose=False,
                 cat_features=texts, allow_writing_files=False).fit(x, y)
    return model.predict_proba(xt) if classes else model.predict(xt)


def loss(y, p, classes):
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    if not classes:
        return float(np.sqrt(np.mean((y - p) ** 2)) / np.std(y))
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    p = np.clip(p / p.sum(1, keepdims=True), 1e-15, 1)
    return float(-np.mean(np.log(p[np.arange(len(y)), y])))


def one(name, system, seed):
    x, y, texts, classes = load(name)
    order = np.random.default_rng(seed).permutation(len(x))
    cut = len(x) * 4 // 5
    a, b = order[:cut], order[cut:]
    x, xt = x.iloc[a].reset_index(drop=True), x.iloc[b].reset_index(drop=True)
    fit = globals()[f"fit_{system}"]
    return loss(y.iloc[b], fit(x, y.iloc[a].reset_index(drop=True), xt, texts, classes), classes)


def ranks(losses):
    """1 for the least; losses within 0.1 % of each other share their mean rank."""
    out = {}
    for s in losses:
        below = sum(v < losses[s] * 0.999 for v in losses.values())
        same = sum(abs(v - losses[s]) <= losses[s] * 0.001 for v in losses.values())
        out[s] = below + (same + 1) / 2
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables")
    parser.add_argument("--more")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json")
    args = parser.parse_args()
    systems = args.systems.split(",")
    names = more(args.more) if args.more else list(TABLES)
    names = args.tables.split(",") if args.tables else names
    ours = [s for s in systems if s in OURS] or [None]
    rows, sums = {}, {who: {s: 0.0 for s in systems if s == who or s not in OURS}
                      for who in ours}
    print(f"| table | {' | '.join(systems)} |\n|---|{'---|' * len(systems)}")
    for name in names:
        rows[name] = {s: float(np.mean([one(name, s, seed) for seed in range(args.seeds)]))
                      for s in systems}
        for who in ours:
            for s, r in ranks({s: rows[name][s] for s in sums[who]}).items():
                sums[who][s] += r
        print(f"| {name} | " + " | ".join(f"{rows[name][s]:.4f}" for s in systems) + " |",
              flush=True)
    means = {who: {s: total / len(names) for s, total in sums[who].items()} for who in ours}
    for who in ours:
        print(f"| mean rank, {who} | "
              + " | ".join(f"{means[who][s]:.2f}" if s in means[who] else "-" for s in systems)
              + " |")
    if args.json:
        Path(args.json).write_text(json.dumps({"losses": rows, "mean_rank": means}, indent=1))


if __name__ == "__main__":
    main()
