#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Equal time for automl and its peers on real tables, one after another: the score on rows
that none of them saw, and the mean rank.

Usage: benchmarks/automl.py DATA_FOLDER [--time SECONDS] [--seeds N] [--threads N]
                            [--build FOLDER] [--only TABLE,...] [--peers PEER,...]
                            [--json FILE]

DATA_FOLDER holds the tables named below. Peers: FLAML, and LightGBM tuned by Optuna's TPE
with 5 folds, from the benchmarks' virtual environment (run this with its Python). Numbers
and categories are given to each in the way it takes them; a peer that fails is ranked last.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

ROOT = Path(__file__).resolve().parent.parent
# file, target, separator, columns that give the target away
TABLES = {
    "adult": ("adult/train.csv.gz", "income", ",", ()),
    "ames": ("ames_housing/ames.csv.gz", "Sale_Price", ",", ()),
    "california": ("california_housing/housing.csv.gz", "median_house_value", ",", ()),
    "diamonds": ("diamonds/diamonds.csv.gz", "price", ",", ()),
    "german": ("german_credit/german.csv.gz", "class", ",", ()),
    "telco": ("telco_churn/telco_churn.csv.gz", "churn", ",", ()),
    "titanic": ("titanic/titanic.csv.gz", "survived", ",", ("boat", "body", "name", "ticket")),
    "wine_red": ("wine_quality/red.csv.gz", "quality", ",", ()),
    "wine_white": ("wine_quality/white.csv.gz", "quality", ",", ()),
}


def load(folder, name):
    path, target, sep, drop = TABLES[name]
    data = pd.read_csv(folder / path, sep=sep).drop(columns=list(drop), errors="ignore")
    y = data[target]
    classes = y.dtype == object or y.dtype == bool or y.nunique() == 2
    if classes:
        data[target] = y.astype(str)
    return data, target, classes


def score(truth, predicted, labels):
    """Lower is better."""
    if labels is None:
        return float(root_mean_squared_error(truth, predicted))
    codes = np.searchsorted(labels, truth)
    if len(labels) == 2:
        return 1 - float(roc_auc_score(codes, predicted[:, 1]))
    return float(log_loss(codes, predicted, labels=range(len(labels))))


def libml(train, test, target, classes, args, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        command = str(args.build / "tools" / "libml")
        task = "classification" if classes else "regression"
        subprocess.run([command, "automl", folder / "train.csv", "--target", target, "--time",
                        str(args.time), "--seed", str(seed), "--threads", str(args.threads),
                        "--set", f"task={task}", "-q", "-o", folder / "m.mlm"], check=True)
        subprocess.run([command, "predict", folder / "m.mlm", folder / "test.csv", "-q",
                        "-o", folder / "p.csv", "--kind", "proba" if classes else "value"],
                       check=True)
        out = pd.read_csv(folder / "p.csv").to_numpy(float)
    return out if classes else out[:, 0]


def coded(train, test, target):
    """Categories as pandas has them, the same levels in both."""
    x, xt = train.drop(columns=target).copy(), test.drop(columns=target).copy()
    for c in x.columns:
        if x[c].dtype == object or x[c].dtype == bool or str(x[c].dtype) in ("str", "string"):
            kind = pd.CategoricalDtype(sorted(x[c].dropna().astype(str).unique()))
            x[c] = x[c].astype(str).where(x[c].notna()).astype(kind)
            xt[c] = xt[c].astype(str).where(xt[c].notna()).astype(kind)
    return x, xt


def flaml(train, test, target, classes, args, seed):
    from flaml import AutoML
    x, xt = coded(train, test, target)
    labels = np.unique(train[target]) if classes else None
    y = np.searchsorted(labels, train[target]) if classes else train[target].to_numpy(float)
    model = AutoML()
    metric = "rmse" if not classes else "roc_auc" if len(labels) == 2 else "log_loss"
    model.fit(x, y, task="classification" if classes else "regression", metric=metric,
              time_budget=args.time, seed=seed, n_jobs=args.threads, verbose=0)
    return model.predict_proba(xt) if classes else model.predict(xt)


def lightgbm_optuna(train, test, target, classes, args, seed):
    import lightgbm as lgb
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x, xt = coded(train, test, target)
    labels = np.unique(train[target]) if classes else None
    y = np.searchsorted(labels, train[target]) if classes else train[target].to_numpy(float)
    base = {"verbose": -1, "num_threads": args.threads, "seed": seed,
            "objective": "regression", "metric": "rmse"}
    if classes:
        base.update({"objective": "binary", "metric": "auc"} if len(labels) == 2 else
                    {"objective": "multiclass", "metric": "multi_logloss",
                     "num_class": len(labels)})
    data = lgb.Dataset(x, y, free_raw_data=False)
    begin, best = time.monotonic(), {}

    def trial_value(trial):
        p = dict(base, learning_rate=trial.suggest_float("learning_rate", .01, .3, log=True),
                 num_leaves=trial.suggest_int("num_leaves", 4, 256, log=True),
                 min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 2, 100, log=True),
                 feature_fraction=trial.suggest_float("feature_fraction", .3, 1),
                 bagging_fraction=trial.suggest_float("bagging_fraction", .5, 1),
                 bagging_freq=1, lambda_l2=trial.suggest_float("lambda_l2", 1e-3, 30, log=True))
        cv = lgb.cv(p, data, 2000, nfold=5, stratified=classes, seed=seed,
                    callbacks=[lgb.early_stopping(50, verbose=False)])
        values = cv[f"valid {base['metric']}-mean"]
        value = values[-1] if base["metric"] != "auc" else -values[-1]
        if not best or value < best["value"]:
            best.update(value=value, params=p, rounds=len(values))
        return value

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(trial_value, timeout=max(0.1, args.time * 0.8 - (time.monotonic() - begin)))
    model = lgb.train(best["params"], data, best["rounds"])
    p = model.predict(xt)
    return np.column_stack([1 - p, p]) if classes and len(labels) == 2 else p


PEERS = {"libml": libml, "flaml": flaml, "lightgbm-optuna": lightgbm_optuna}


def one(folder, name, seed, args):
    data, target, classes = load(folder, name)
    train, test = train_test_split(data, test_size=0.25, random_state=seed,
                                   stratify=data[target] if classes else None)
    labels = np.unique(train[target]) if classes else None
    row = {"table": name, "seed": seed}
    for peer in args.peers:
        fit = PEERS[peer]
        start = time.monotonic()
        try:
            row[peer] = score(test[target], fit(train, test, target, classes, args, seed),
                              labels)
        except Exception as problem:  # a peer that fails is ranked last
            print(f"{name} {peer}: {problem}", file=sys.stderr)
            row[peer] = float("inf")
        row[f"{peer}_seconds"] = round(time.monotonic() - start, 1)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    args.peers = args.peers.split(",")
    rows, ranks = [], {p: [] for p in args.peers}
    for name in args.only.split(","):
        for seed in range(args.seeds):
            row = one(args.folder, name, seed, args)
            rows.append(row)
            order = sorted(row[p] for p in args.peers)
            for p in args.peers:
                ranks[p].append(order.index(row[p]) + 1)
            print(f"{name:12} {seed} " + "  ".join(
                f"{p} {row[p]:.5g} ({row[f'{p}_seconds']} s)" for p in args.peers), flush=True)
    for p in args.peers:
        print(f"{p:16} mean rank {statistics.mean(ranks[p]):.2f}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
