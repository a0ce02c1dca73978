#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/algorithms/logistic_expected.h: coefficients that scikit-learn finds, solved
as far as double precision goes. Run with scikit-learn 1.9.1; needs the shared data (their
folder as the only argument)."""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

OUT = Path(__file__).resolve().parent.parent / "algorithms" / "logistic_expected.h"


def read(folder, name, keep=None):
    data = np.loadtxt(folder / "classic_small" / name, delimiter=",", skiprows=1)
    if keep is not None:
        data = data[np.isin(data[:, -1], keep)]
    return data[:, :-1], data[:, -1].astype(int)


def standard(x):
    return (x - x.mean(0)) / x.std(0)


def fit(x, y, weight=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(**options).fit(x, y, weight)
    return model.coef_, model.intercept_, model.predict_proba(x)


def array(name, values):
    text = ", ".join(repr(float(v)) for v in np.ravel(values))
    return f"static const double {name}[] = {{{text}}};\n"


def main():
    folder = Path(sys.argv[1])
    cancer, iris = read(folder, "breast_cancer.csv"), read(folder, "iris.csv", [1, 2])
    wine = read(folder, "wine_data.csv")
    weight = 1.0 + np.arange(len(cancer[1])) % 3
    newton = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 500}
    saga = {"solver": "saga", "tol": 1e-13, "max_iter": 200000}
    cases = {
        "plain": fit(*iris, C=np.inf, **newton),
        "ridge": fit(*cancer, C=1.0, **newton),
        "weighted": fit(standard(cancer[0]), cancer[1], weight, C=0.2,
                        class_weight="balanced", **newton),
        "lasso": fit(standard(cancer[0]), cancer[1], C=0.05, l1_ratio=1, **saga),
        "mixed": fit(standard(cancer[0]), cancer[1], C=0.1, l1_ratio=0.4,
                     fit_intercept=False, **saga),
        "ridge_many": fit(*wine, C=2.0, **newton),
        "lasso_many": fit(standard(wine[0]), wine[1], C=0.1, l1_ratio=1, **saga),
    }
    text = "/* SPDX-License-Identifier: MIT\n * Written by tests/reference/logistic.py. */\n"
    for name, (coef, intercept, proba) in cases.items():
        text += array(f"{name}_coef", coef) + array(f"{name}_intercept", intercept)
        text += array(f"{name}_proba", proba[:5])
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
