#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One fit of one tool, for benchmarks/automl.py, in a process of its own.

Usage: benchmarks/automl_peer.py TOOL FOLDER
FOLDER holds train.csv, test.csv, and task.json (target, classes, time, threads, seed,
libml). Writes TOOL.npy, what is predicted for the rows of test.csv, and TOOL.json, the
seconds of the fit: of the wall clock, for libml with reading the file, and of the
processor. Numbers and categories are given to each in the way it takes them.
"""

import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

# FLAML 2.7 does not know the texts of pandas 3.
if hasattr(pd.options, "future"):
    pd.options.future.infer_string = False


class Task:
    def __init__(self, folder):
        for key, value in json.loads((folder / "task.json").read_text()).items():
            setattr(self, key, value)
        self.folder = folder

    def read(self):
        """Training and test rows, the labels in order (None: numbers are predicted)."""
        kinds = {self.target: str} if self.classes else {}
        self.train = pd.read_csv(self.folder / "train.csv", dtype=kinds)
        self.test = pd.read_csv(self.folder / "test.csv")
        self.labels = np.unique(self.train[self.target]) if self.classes else None
        self.y = (np.searchsorted(self.labels, self.train[self.target]) if self.classes
                  else self.train[self.target].to_numpy(float))

    def coded(self):
        """Categories as pandas has them, the same levels in both."""
        x, xt = self.train.drop(columns=self.target), self.test.copy()
        for c in x.columns:
            if not pd.api.types.is_numeric_dtype(x[c]) or x[c].dtype == bool:
                kind = pd.CategoricalDtype(sorted(x[c].dropna().astype(str).unique()))
                x[c] = x[c].astype(str).where(x[c].notna()).astype(kind)
                xt[c] = xt[c].astype(str).where(xt[c].notna()).astype(kind)
        return x, xt


def libml(task, clock):
    model, out = task.folder / "m.mlm", task.folder / "libml.csv"
    kind = "classification" if task.classes else "regression"
    clock.start()
    subprocess.run([task.libml, "automl", task.folder / "train.csv", "--target", task.target,
                    "--time", str(task.time), "--seed", str(task.seed), "--threads",
                    str(task.threads), "--set", f"task={kind}", "-q", "-o", model], check=True)
    clock.stop()
    subprocess.run([task.libml, "predict", model, task.folder / "test.csv", "-q", "-o", out,
                    "--kind", "proba" if task.classes else "value"], check=True)
    table = pd.read_csv(out).to_numpy(float)
    return table if task.classes else table[:, 0]


def flaml(task, clock):
    from flaml import AutoML
    task.read()
    x, xt = task.coded()
    kind = "classification" if task.classes else "regression"
    metric = "rmse" if not task.classes else "roc_auc" if len(task.labels) == 2 else "log_loss"
    model = AutoML()
    clock.start()
    model.fit(x, task.y, task=kind, metric=metric, time_budget=task.time, seed=task.seed,
              n_jobs=task.threads, verbose=0)
    clock.stop()
    return model.predict_proba(xt) if task.classes else model.predict(xt)


def autogluon(task, clock):
    from autogluon.tabular import TabularPredictor
    task.read()
    metric = ("root_mean_squared_error" if not task.classes else
              "roc_auc" if len(task.labels) == 2 else "log_loss")
    kind = ("regression" if not task.classes else
            "binary" if len(task.labels) == 2 else "multiclass")
    model = TabularPredictor(task.target, problem_type=kind, eval_metric=metric,
                             path=str(task.folder / "autogluon"), verbosity=0)
    clock.start()
    model.fit(task.train, time_limit=task.time, presets="medium_quality",
              num_cpus=task.threads, num_gpus=0)
    clock.stop()
    if not task.classes:
        return model.predict(task.test).to_numpy(float)
    return model.predict_proba(task.test)[list(task.labels)].to_numpy(float)


class OutOfTime(Exception):
    pass


def lightgbm_optuna(task, clock):
    """TPE with 5 folds; a trial ends, without a value, when the time is over. A tenth of it
    is left for the fit to all rows, as many rounds as there is time for."""
    import lightgbm as lgb
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task.read()
    x, xt = task.coded()
    base = {"verbose": -1, "num_threads": task.threads, "seed": task.seed,
            "objective": "regression", "metric": "rmse"}
    if task.classes:
        base.update({"objective": "binary", "metric": "auc"} if len(task.labels) == 2 else
                    {"objective": "multiclass", "metric": "multi_logloss",
                     "num_class": len(task.labels)})
    clock.start()
    begin, best = time.monotonic(), {"value": np.inf, "params": base, "rounds": 100}
    data = lgb.Dataset(x, task.y, free_raw_data=False)

    def until(share, reason):
        def check(env):
            if time.monotonic() - begin > task.time * share:
                raise reason
        return check

    def trial_value(trial):
        p = dict(base, learning_rate=trial.suggest_float("learning_rate", .01, .3, log=True),
                 num_leaves=trial.suggest_int("num_leaves", 4, 256, log=True),
                 min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 2, 100, log=True),
                 feature_fraction=trial.suggest_float("feature_fraction", .3, 1),
                 bagging_fraction=trial.suggest_float("bagging_fraction", .5, 1),
                 bagging_freq=1, lambda_l2=trial.suggest_float("lambda_l2", 1e-3, 30, log=True))
        cv = lgb.cv(p, data, 2000, nfold=5, stratified=task.classes, seed=task.seed,
                    callbacks=[lgb.early_stopping(50, verbose=False),
                               until(0.9, OutOfTime())])
        values = cv[f"valid {base['metric']}-mean"]
        value = values[-1] if base["metric"] != "auc" else -values[-1]
        if value < best["value"]:
            best.update(value=value, params=p, rounds=len(values))
        return value

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=task.seed))
    try:
        study.optimize(trial_value, timeout=task.time * 0.9)
    except OutOfTime:
        pass
    stop = lgb.callback.EarlyStopException(best["rounds"], [])
    model = lgb.train(best["params"], data, best["rounds"], callbacks=[until(1.0, stop)])
    clock.stop()
    p = model.predict(xt)
    return np.column_stack([1 - p, p]) if task.classes and len(task.labels) == 2 else p


TOOLS = {"libml": libml, "flaml": flaml, "autogluon": autogluon,
         "lightgbm_optuna": lightgbm_optuna}


class Clock:
    @staticmethod
    def used():
        return sum(sum(resource.getrusage(who)[:2])
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    def start(self):
        self.begin = time.monotonic(), self.used()

    def stop(self):
        self.seconds = time.monotonic() - self.begin[0]
        self.processor = self.used() - self.begin[1]


def main():
    warnings.filterwarnings("ignore")
    tool, folder = sys.argv[1], Path(sys.argv[2])
    clock = Clock()
    predicted = TOOLS[tool](Task(folder), clock)
    np.save(folder / f"{tool}.npy", np.asarray(predicted, float))
    (folder / f"{tool}.json").write_text(json.dumps(
        {"seconds": round(clock.seconds, 1), "processor": round(clock.processor, 1)}))


if __name__ == "__main__":
    main()
