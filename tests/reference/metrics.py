#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/tuning/metrics_expected.h: small random cases and the values that
scikit-learn computes for them. Run with scikit-learn 1.9.1."""

from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics as m

OUT = Path(__file__).resolve().parent.parent / "tuning" / "metrics_expected.h"
N = 60


def array(name, values, kind="double"):
    text = ", ".join(repr(float(v)) if kind == "double" else str(int(v))
                     for v in np.ravel(values))
    return f"static const {kind} {name}[] = {{{text}}};\n"


def value_cases(rng):
    y = rng.gamma(2.0, 3.0, N) + 0.5
    p = y + rng.normal(0, 1.5, N)
    w = rng.integers(1, 5, N).astype(float)
    out = array("value_y", y) + array("value_p", p) + array("value_w", w)
    rows = []
    for weight, tag in ((None, 0), (w, 1)):
        k = {"sample_weight": weight}
        rows += [("rmse", tag, m.root_mean_squared_error(y, p, **k)),
                 ("mse", tag, m.mean_squared_error(y, p, **k)),
                 ("mae", tag, m.mean_absolute_error(y, p, **k)),
                 ("r2", tag, m.r2_score(y, p, **k)),
                 ("mape", tag, m.mean_absolute_percentage_error(y, p, **k)),
                 ("pinball", tag, m.mean_pinball_loss(y, p, alpha=0.5, **k)),
                 ("median_absolute_error", tag, m.median_absolute_error(y, p, **k)),
                 ("max_error", tag, m.max_error(y, p)),
                 ("explained_variance", tag, m.explained_variance_score(y, p, **k)),
                 ("smape", tag, np.average(2 * abs(y - p) / (abs(y) + abs(p)), weights=weight)),
                 ("wape", tag, np.average(abs(y - p), weights=weight)
                  / np.average(abs(y), weights=weight))]
    return out, rows


def mean_cases(rng):
    """Counts and amounts, with predicted means above 0."""
    mean = rng.gamma(2.0, 1.0, N) + 0.1
    y, amount = rng.poisson(mean).astype(float), rng.gamma(2.0, mean / 2)
    w = rng.integers(1, 5, N).astype(float)
    out = (array("count_y", y) + array("amount_y", amount) + array("mean_p", mean)
           + array("mean_w", w))
    counts, amounts = [], []
    for weight, tag in ((None, 0), (w, 1)):
        k = {"sample_weight": weight}
        counts += [("poisson_deviance", tag, m.mean_poisson_deviance(y, mean, **k)),
                   ("tweedie_deviance", tag, m.mean_tweedie_deviance(y, mean, power=1.5, **k)),
                   ("rmsle", tag, m.root_mean_squared_log_error(y, mean, **k))]
        amounts += [("gamma_deviance", tag, m.mean_gamma_deviance(amount, mean, **k))]
    return out, counts, amounts


def calibration_error(y, proba, weight):
    """Guo and others, 2017, with 15 bins."""
    best, right = proba.max(1), proba.argmax(1) == y
    part = np.minimum((best * 15).astype(int), 14)
    w = np.ones(len(y)) if weight is None else weight
    return sum(abs(np.sum((w * (best - right))[part == b])) for b in range(15)) / w.sum()


def specificity(y, c, k, weight):
    """Recall of "not the class"."""
    parts = [m.recall_score(y != j, c != j, sample_weight=weight) for j in range(k)]
    return parts[1] if k == 2 else np.mean(parts)


def ks(y, score, weight):
    low, high, _ = m.roc_curve(y, score, sample_weight=weight, drop_intermediate=False)
    return np.max(np.abs(high - low))


def class_cases(rng, k):
    y = rng.integers(0, k, N)
    score = rng.normal(0, 1, (N, k))
    score[np.arange(N), y] += 1.0
    proba = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    proba = np.round(proba, 2)          # ties
    proba = np.clip(proba, 0.01, None)
    proba /= proba.sum(1, keepdims=True)
    c = proba.argmax(1)
    w = rng.integers(1, 5, N).astype(float)
    name = f"class{k}"
    out = array(f"{name}_y", y) + array(f"{name}_p", proba) + array(f"{name}_c", c) + \
        array(f"{name}_w", w)
    average = "binary" if k == 2 else "macro"
    rows = []
    for weight, tag in ((None, 0), (w, 1)):
        s = {"sample_weight": weight}
        p1 = proba[:, 1] if k == 2 else proba
        if k == 2:
            pr = m.average_precision_score(y, p1, **s)
            auc = m.roc_auc_score(y, p1, **s)
        else:
            pr = np.mean([m.average_precision_score(y == j, proba[:, j], **s)
                          for j in range(k)])
            auc = np.mean([m.roc_auc_score(y == j, proba[:, j], **s) for j in range(k)])
        brier = m.brier_score_loss(y, p1, labels=list(range(k)), **s)
        rows += [("accuracy", tag, m.accuracy_score(y, c, **s)),
                 ("balanced_accuracy", tag, m.balanced_accuracy_score(y, c, **s)),
                 ("f1", tag, m.f1_score(y, c, average=average, **s)),
                 ("precision", tag, m.precision_score(y, c, average=average, **s)),
                 ("recall", tag, m.recall_score(y, c, average=average, **s)),
                 ("mcc", tag, m.matthews_corrcoef(y, c, **s)),
                 ("f1_macro", tag, m.f1_score(y, c, average="macro", **s)),
                 ("f1_weighted", tag, m.f1_score(y, c, average="weighted", **s)),
                 ("precision_macro", tag, m.precision_score(y, c, average="macro", **s)),
                 ("recall_macro", tag, m.recall_score(y, c, average="macro", **s)),
                 ("kappa", tag, m.cohen_kappa_score(y, c, **s)),
                 ("specificity", tag, specificity(y, c, k, weight)),
                 ("calibration_error", tag, calibration_error(y, proba, weight)),
                 ("ks", tag, np.mean([ks(y == j, proba[:, j], weight)
                                      for j in range(1 if k == 2 else 0, k)])),
                 ("log_loss", tag, m.log_loss(y, proba, labels=list(range(k)), **s)),
                 ("brier", tag, brier), ("roc_auc", tag, auc), ("pr_auc", tag, pr)]
    return out, rows


def main():
    rng = np.random.default_rng(7)
    text = ["/* SPDX-License-Identifier: MIT\n *\n * Generated by tests/reference/metrics.py "
            f"with scikit-learn {sklearn.__version__}. */\n",
            "typedef struct expected {\n    const char *metric;\n    int weighted;\n"
            "    double value;\n} expected;\n", f"#define N {N}\n"]
    for name, (arrays, rows) in (("value", value_cases(rng)), ("class2", class_cases(rng, 2)),
                                 ("class3", class_cases(rng, 3))):
        text.append(arrays)
        text.append(f"static const expected {name}_expected[] = {{\n")
        text += [f'    {{"{a}", {b}, {float(v)!r}}},\n' for a, b, v in rows]
        text.append("};\n")
    arrays, counts, amounts = mean_cases(rng)
    text.append(arrays)
    for name, rows in (("count", counts), ("amount", amounts)):
        text.append(f"static const expected {name}_expected[] = {{\n")
        text += [f'    {{"{a}", {b}, {float(v)!r}}},\n' for a, b, v in rows]
        text.append("};\n")
    OUT.write_text("".join(text))


if __name__ == "__main__":
    main()
