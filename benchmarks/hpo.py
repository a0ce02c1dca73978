#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Regret of samplers on functions whose optimum is known, libml beside its peers.

A row is the median over seeds of best score so far minus the optimum, after 25, 50 and all
trials, and the processor time of an ask: of the last five (median), and of all (mean). Peers
run where they are installed: optuna (its "gp" with torch), skopt, smac, botorch (numbers
only). One thread each. "wine" fits models to the shared data, "table" looks up scores of a
grid of 2,880 models.
Usage: benchmarks/hpo.py [--samplers libml:gp,libml:tpe,optuna:tpe] [--functions branin,...]
                         [--seeds 21] [--trials 100] [--out runs.jsonl]
With --out runs are kept in a file, and those that are there are not run again.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bindings" / "python"))
for name in ("OPENBLAS", "OMP", "MKL"):
    os.environ[name + "_NUM_THREADS"] = "1"


def branin(p):
    x, y = p["x"], p["y"]
    return ((y - 5.1 / (4 * math.pi ** 2) * x * x + 5 / math.pi * x - 6) ** 2
            + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


A = [[10, 3, 17, 3.5, 1.7, 8], [.05, 10, 17, .1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
     [17, 8, .05, 10, .1, 14]]
P = [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]


def hartmann6(p):
    return -sum(a * math.exp(-sum(A[i][j] * (p[f"x{j}"] - P[i][j] * 1e-4) ** 2
                                  for j in range(6)))
                for i, a in enumerate([1, 1.2, 3, 3.2]))


def ackley(p):
    x = [p[f"x{j}"] for j in range(5)]
    return (-20 * math.exp(-.2 * math.sqrt(sum(v * v for v in x) / 5))
            - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / 5) + 20 + math.e)


def rosenbrock(p):
    x = [p[f"x{j}"] for j in range(4)]
    return math.log1p(sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
                          for i in range(3)))


def mixed(p):
    """Categories, integers, a logarithm."""
    kind = {"a": 0., "b": .3, "c": .8, "d": 1.2}[p["kind"]]
    r = math.log10(p["rate"])
    return (kind + (r + 2.3) ** 2 * (1 + .5 * (p["kind"] == "b")) + .02 * (p["k"] - 7) ** 2
            + (0.3 if p["flag"] == "on" else 0) * (1 + r / 4) + (p["z"] - .3) ** 2)


def conditional(p):
    """A tree of choices; its best branch looks bad at first."""
    if p["model"] == "svm":
        c = math.log10(p["c"])
        if p["kernel"] == "rbf":
            return .1 + .05 * (c - 1) ** 2 + .08 * (math.log10(p["gamma"]) + 2) ** 2
        return .35 + .04 * (c + .5) ** 2
    if p["model"] == "forest":
        return .16 + .0004 * (p["depth"] - 12) ** 2 + .15 * (p["features"] - .35) ** 2
    return .3 + .02 * abs(p["neighbors"] - 9) ** .8


class Wine:
    """Root mean squared error of boosted trees on a third of the wines, fitted to the rest: a
    real tuning problem. Its optimum is not known: scores are shown."""

    def __init__(self, colour):
        self.fit, self.colour = None, colour

    def load(self):
        import csv
        import gzip

        import libml
        libml.set_threads(1)
        root = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))
        with gzip.open(root / "wine_quality" / f"{self.colour}.csv.gz", "rt") as f:
            rows = list(csv.DictReader(f))
        parts = [{k: [float(r[k]) for i, r in enumerate(rows) if (i % 3 == 0) == held]
                  for k in rows[0]} for held in (False, True)]
        self.truth = parts[1]["quality"]
        self.train, self.held = (libml.Table(p) for p in parts)
        self.fit = lambda p: libml.GBDT(target="quality", n_trees=60, **p).fit(self.train)

    def __call__(self, p):
        if not self.fit:
            self.load()
        made = self.fit(p).predict(self.held)
        return math.sqrt(statistics.fmean((a - b) ** 2 for a, b in zip(made, self.truth)))


STEPS = {"learning_rate": [.01, .02, .05, .1, .2, .4], "max_leaves": [4, 8, 16, 32, 64, 128],
         "min_data_in_leaf": [1, 3, 10, 30, 60], "l2": [0., .1, 1., 10.],
         "colsample_bytree": [.25, .5, .75, 1.]}


class Table(Wine):
    """The red wines, at the points of a grid whose scores are all known."""

    def load(self):
        super().load()
        points = itertools.product(*STEPS.values())
        self.scores = {at: Wine.__call__(self, dict(zip(STEPS, at))) for at in points}
        self.least = min(self.scores.values())

    def __call__(self, p):
        if not self.fit:
            self.load()
        return self.scores[tuple(STEPS[k][p[k]] for k in STEPS)] - self.least


# name, low, high, "log", condition; or name, levels, condition
FUNCTIONS = {
    "branin": ([("x", -5., 10.), ("y", 0., 15.)], branin, 0.39788735772973816),
    "hartmann6": ([(f"x{j}", 0., 1.) for j in range(6)], hartmann6, -3.32236801141551),
    "ackley5": ([(f"x{j}", -32.768, 35.868) for j in range(5)], ackley, 0.),
    "rosenbrock4": ([(f"x{j}", -2., 2.) for j in range(4)], rosenbrock, 0.),
    "mixed": ([("kind", ["a", "b", "c", "d"]), ("k", 1, 20), ("rate", 1e-5, 1., "log"),
               ("flag", ["off", "on"]), ("z", 0., 1.)], mixed, 0.),
    "conditional": ([("model", ["svm", "forest", "knn"]),
                     ("c", 1e-3, 1e3, "log", "model == svm"),
                     ("kernel", ["linear", "rbf"], "model == svm"),
                     ("gamma", 1e-5, 10., "log", "kernel == rbf"),
                     ("depth", 1, 40, "", "model == forest"),
                     ("features", .05, 1., "", "model == forest"),
                     ("neighbors", 1, 60, "", "model == knn")], conditional, 0.1),
    "wine": ([("learning_rate", .005, .8, "log"), ("max_leaves", 4, 256, "log"),
              ("min_data_in_leaf", 1, 100, "log"), ("l2", 1e-3, 100., "log"),
              ("colsample_bytree", .2, 1.)], Wine("white"), 0.),
    "table": ([(k, 0, len(v) - 1) for k, v in STEPS.items()], Table("red"), 0.),
}


def condition_of(entry):
    at = 2 if isinstance(entry[1], list) else 4
    return entry[at] if len(entry) > at else ""


def is_log(entry):
    return not isinstance(entry[1], list) and len(entry) > 3 and entry[3] == "log"


def space_text(space):
    lines = []
    for e in space:
        values = "{%s}" % ", ".join(e[1]) if isinstance(e[1], list) else f"[{e[1]}, {e[2]}]"
        condition = condition_of(e)
        lines.append(f"{e[0]}: {'log ' if is_log(e) else ''}{values}"
                     + (f" if {condition}" if condition else ""))
    return "\n".join(lines)


class Libml:
    def __init__(self, sampler, space, seed):
        import libml
        libml.set_threads(1)
        self.study = libml.Study(libml.Baseline(), space=space_text(space), sampler=sampler,
                                 seed=seed)

    def ask(self):
        return self.study.ask()

    def tell(self, trial, score):
        self.study.tell(trial, score)


class Optuna:
    def __init__(self, sampler, space, seed):
        import optuna
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        made = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler,
                "random": optuna.samplers.RandomSampler}[sampler](seed=seed)
        self.study, self.space = optuna.create_study(sampler=made), space

    def ask(self):
        trial, p = self.study.ask(), {}
        for e in self.space:
            if condition_of(e):
                name, value = condition_of(e).split(" == ")
                if p.get(name) != value:
                    continue
            if isinstance(e[1], list):
                p[e[0]] = trial.suggest_categorical(e[0], e[1])
            elif isinstance(e[1], int):
                p[e[0]] = trial.suggest_int(e[0], e[1], e[2], log=is_log(e))
            else:
                p[e[0]] = trial.suggest_float(e[0], e[1], e[2], log=is_log(e))
        return trial, p

    def tell(self, trial, score):
        self.study.tell(trial, score)


class Skopt:
    """All parameters are always there: it knows no conditions."""

    def __init__(self, sampler, space, seed):
        import skopt
        from skopt.space import Categorical, Integer, Real
        warnings.simplefilter("ignore")
        made = []
        for e in space:
            prior = "log-uniform" if is_log(e) else "uniform"
            made.append(Categorical(e[1]) if isinstance(e[1], list) else
                        (Integer if isinstance(e[1], int) else Real)(e[1], e[2], prior=prior))
        self.names = [e[0] for e in space]
        self.optimizer = skopt.Optimizer(made, sampler, random_state=seed)

    def ask(self):
        point = self.optimizer.ask()
        return point, dict(zip(self.names, point))

    def tell(self, trial, score):
        self.optimizer.tell(trial, score)


class Smac:
    def __init__(self, sampler, space, seed):
        import ConfigSpace as cs
        import smac
        made, conditions = cs.ConfigurationSpace(seed=seed), []
        for e in space:
            if isinstance(e[1], list):
                made.add(cs.CategoricalHyperparameter(e[0], e[1]))
            else:
                kind = cs.Integer if isinstance(e[1], int) else cs.Float
                made.add(kind(e[0], (e[1], e[2]), log=is_log(e)))
            if condition_of(e):
                name, value = condition_of(e).split(" == ")
                conditions.append(cs.EqualsCondition(made[e[0]], made[name], value))
        made.add(conditions)
        self.folder = tempfile.TemporaryDirectory()
        scenario = smac.Scenario(made, deterministic=True, n_trials=10 ** 6, seed=seed,
                                 output_directory=Path(self.folder.name))
        facade = {"bb": smac.BlackBoxFacade,
                  "rf": smac.HyperparameterOptimizationFacade}[sampler]
        self.facade = facade(scenario, lambda config, seed: 0., overwrite=True,
                             logging_level=False)

    def ask(self):
        info = self.facade.ask()
        return info, dict(info.config)

    def tell(self, trial, score):
        from smac.runhistory.dataclasses import TrialValue
        self.facade.tell(trial, TrialValue(cost=score))


class Botorch:
    """A default SingleTaskGP with LogEI, in the unit cube; integers are rounded."""

    def __init__(self, sampler, space, seed):
        import torch
        if any(isinstance(e[1], list) for e in space):
            raise NotImplementedError("numbers only")
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.space, self.x, self.y = space, [], []
        self.start = torch.quasirandom.SobolEngine(len(space), scramble=True, seed=seed).draw(
            2 * len(space)).double()

    def propose(self):
        import torch
        from botorch.acquisition import LogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.optim import optimize_acqf
        from gpytorch.mlls import ExactMarginalLogLikelihood
        y = -torch.tensor(self.y, dtype=torch.double).unsqueeze(-1)
        gp = SingleTaskGP(torch.stack(self.x), y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp))
        bounds = torch.tensor([[0.], [1.]], dtype=torch.double).repeat(1, len(self.space))
        return optimize_acqf(LogExpectedImprovement(gp, y.max()), bounds, q=1,
                             num_restarts=10, raw_samples=512)[0][0]

    def ask(self):
        n, p = len(self.y), {}
        u = self.start[n] if n < len(self.start) else self.propose()
        for e, v in zip(self.space, u.tolist()):
            low, high = (math.log(e[1]), math.log(e[2])) if is_log(e) else e[1:3]
            v = low + v * (high - low)
            v = math.exp(v) if is_log(e) else v
            p[e[0]] = min(max(round(v), e[1]), e[2]) if isinstance(e[1], int) else v
        return u, p

    def tell(self, trial, score):
        self.x.append(trial)
        self.y.append(score)


SYSTEMS = {"libml": Libml, "optuna": Optuna, "skopt": Skopt, "smac": Smac, "botorch": Botorch}


def run(which, name, seed, trials):
    """Regret after each trial, seconds of each ask."""
    space, function, optimum = FUNCTIONS[name]
    system, sampler = which.split(":")
    study = SYSTEMS[system](sampler, space, seed)
    best, regret, times = math.inf, [], []
    for _ in range(trials):
        start = time.process_time()
        trial, params = study.ask()
        times.append(time.process_time() - start)
        score = function(params)
        start = time.process_time()
        study.tell(trial, score)
        times[-1] += time.process_time() - start  # skopt fits when it is told
        best = min(best, score)
        regret.append(best - optimum)
    return {"sampler": which, "function": name, "seed": seed, "trials": trials,
            "regret": regret, "times": times}


def all_runs(a, which, name, kept):
    made = []
    for seed in range(a.seeds):
        key = (which, name, seed, a.trials)
        if key not in kept:
            kept[key] = run(which, name, seed, a.trials)
            if a.out:
                with open(a.out, "a") as f:
                    f.write(json.dumps(kept[key]) + "\n")
        made.append(kept[key])
    return made


def row(runs, trials):
    at = [statistics.median(r["regret"][min(n, trials) - 1] for r in runs)
          for n in (25, 50, trials)]
    last = statistics.median(t for r in runs for t in r["times"][-5:])
    mean = statistics.mean(t for r in runs for t in r["times"])
    return (f"| {runs[0]['function']} | {runs[0]['sampler']} | {at[0]:.4g} | {at[1]:.4g} | "
            f"{at[2]:.4g} | {1e3 * last:.2f} ms | {1e3 * mean:.2f} ms |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samplers", default="libml:gp,libml:tpe,optuna:tpe")
    parser.add_argument("--functions",
                        default=",".join(n for n in FUNCTIONS if n not in ("wine", "table")))
    parser.add_argument("--seeds", type=int, default=21)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--out")
    a = parser.parse_args()
    kept = {}
    if a.out and os.path.exists(a.out):
        with open(a.out) as f:
            for r in map(json.loads, f):
                kept[r["sampler"], r["function"], r["seed"], r["trials"]] = r
    print(f"| function | sampler | @25 | @50 | @{a.trials} | last ask | mean ask |\n"
          "|---|---|---|---|---|---|---|")
    for name in a.functions.split(","):
        for which in a.samplers.split(","):
            try:
                print(row(all_runs(a, which, name, kept), a.trials), flush=True)
            except (ImportError, NotImplementedError) as e:
                print(f"| {name} | {which} | not run: {e} | | | | |", flush=True)


if __name__ == "__main__":
    main()
