#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/algorithms/forest_expected.h: trees of scikit-learn on small data of whole
numbers, and the scores of its forests on real data. Run with scikit-learn 1.9.1 and shap; needs the
shared data (their folder as the only argument)."""

import sys
from pathlib import Path

import numpy as np
import shap
from sklearn.ensemble import (ExtraTreesClassifier, ExtraTreesRegressor,
                              RandomForestClassifier, RandomForestRegressor)
from sklearn.metrics import accuracy_score, r2_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

OUT = Path(__file__).resolve().parent.parent / "algorithms" / "forest_expected.h"
ROWS, COLUMNS = 400, 4


def numbers(n):
    """The generator of the test: the same data there."""
    state, out = 12345, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 33)
    return out


def small_data(weighted):
    v = np.array(numbers(ROWS * (COLUMNS + 2))).reshape(ROWS, COLUMNS + 2)
    x = (v[:, :COLUMNS] % 1000).astype(float)
    y = x[:, 0] // 100 * 3 + x[:, 1] // 200 + v[:, COLUMNS] % 17 / 3
    w = 1.0 + v[:, COLUMNS + 1] % 3 if weighted else None
    return x, y, w


def walk(tree, node, out):
    """Depth first: feature, threshold of splits; -1 and the value of leaves."""
    left = tree.children_left[node]
    if left < 0:
        value = tree.value[node].ravel()
        several = tree.n_outputs > 1 or len(value) == 1
        out += [-1.0, float(value[0] if several else np.argmax(value))]
        return
    out += [float(tree.feature[node]), float(tree.threshold[node])]
    walk(tree, left, out)
    walk(tree, tree.children_right[node], out)


def stable(make, x, y, w):
    """The tree, when ties do not make it differ between seeds."""
    trees = []
    for seed in range(8):
        out = []
        walk(make(seed).fit(x, y, w).tree_, 0, out)
        trees.append(out)
    assert all(len(t) == len(trees[0]) and np.allclose(t, trees[0], rtol=1e-12) for t in trees)
    return trees[0]


def array(name, values):
    text = ", ".join(repr(float(v)) for v in np.ravel(values))
    return f"static const double {name}[] = {{{text}}};\n"


def read(folder, name):
    data = np.loadtxt(folder / "classic_small" / name, delimiter=",",
                      skiprows=0 if name == "digits.csv.gz" else 1)
    test = np.arange(len(data)) % 5 == 4
    return data[~test], data[test]


def score(make, metric, train, test):
    values = []
    for seed in range(10):
        model = make(seed).fit(train[:, :-1], train[:, -1])
        values.append(metric(test[:, -1], model.predict(test[:, :-1])))
    return [float(np.mean(values)), float(np.std(values))]


def explain(model, x, y, w=None):
    """Contributions to eight rows: [rows][outputs][features + 1], the expectation last."""
    explainer = shap.TreeExplainer(model.fit(x, y, w))
    values = explainer.shap_values(x[:8])
    expected = np.ravel(explainer.expected_value)
    values = values[:, :, None] if values.ndim == 2 else values
    values = values.transpose(0, 2, 1)
    if values.shape[1] == 2:  # of classes
        values, expected = values[:, 1:], expected[1:]
    base = np.broadcast_to(expected[None, :, None], values.shape[:2] + (1,))
    return np.concatenate([values, base], axis=2)


def scores(make, train, test):
    """R squared of several targets, as score() of one."""
    values = [r2_score(test[1], make(100, max_features=1 / 3, random_state=seed)
                       .fit(*train).predict(test[0])) for seed in range(10)]
    return [float(np.mean(values)), float(np.std(values))]


def main():
    folder = Path(sys.argv[1])
    text = "/* SPDX-License-Identifier: MIT\n * Written by tests/reference/forest.py. */\n"
    x, y, w = small_data(True)
    label = (y > np.median(y)).astype(int)
    three = np.digitize(y, np.quantile(y, [0.4, 0.7]))
    text += array("tree_squared", stable(
        lambda s: DecisionTreeRegressor(max_depth=3, random_state=s), x, y, None))
    text += array("tree_weighted", stable(
        lambda s: DecisionTreeRegressor(max_depth=3, min_samples_leaf=4, random_state=s), x, y, w))
    text += array("tree_pruned", stable(
        lambda s: DecisionTreeRegressor(max_depth=4, min_samples_leaf=8, ccp_alpha=1.0,
                                        random_state=s), x, y, None))
    text += array("tree_best_first", stable(
        lambda s: DecisionTreeRegressor(max_leaf_nodes=9, random_state=s), x, y, None))
    text += array("tree_gini", stable(
        lambda s: DecisionTreeClassifier(max_depth=3, min_samples_leaf=8, random_state=s),
        x, label, w))
    text += array("tree_three", stable(
        lambda s: DecisionTreeClassifier(max_depth=3, min_samples_leaf=8, random_state=s),
        x, three, None))
    text += array("tree_entropy", stable(
        lambda s: DecisionTreeClassifier(criterion="entropy", max_depth=3, min_samples_leaf=8,
                                         random_state=s), x, three, None))
    importance = DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, y)
    text += array("tree_importance", importance.feature_importances_)
    text += array("shap_squared", explain(DecisionTreeRegressor(max_depth=3), x, y))
    text += array("shap_gini", explain(
        DecisionTreeClassifier(max_depth=3, min_samples_leaf=8), x, label, w))
    text += array("shap_three", explain(
        DecisionTreeClassifier(max_depth=3, min_samples_leaf=8), x, three))
    several = np.column_stack([y, x[:, 2] // 50 + x[:, 0] % 7, three == 2])
    text += array("tree_several", stable(
        lambda s: DecisionTreeRegressor(max_depth=3, min_samples_leaf=4, random_state=s),
        x, several, w))
    both = DecisionTreeRegressor(max_depth=3, min_samples_leaf=4).fit(x, several, w)
    text += array("several_importance", both.feature_importances_)
    text += array("several_predicted", both.predict(x[:20]))
    text += array("several_shap", explain(both, x, several, w))
    text += array("tree_cuts", np.quantile(y, [0.4, 0.5, 0.7]))
    for name in ("breast_cancer.csv", "digits.csv.gz", "wine_data.csv"):
        short = name.split(".")[0].split("_")[0]
        train, test = read(folder, name)
        text += array(f"forest_{short}", score(
            lambda s: RandomForestClassifier(100, random_state=s), accuracy_score, train, test))
        text += array(f"extra_{short}", score(
            lambda s: ExtraTreesClassifier(100, random_state=s), accuracy_score, train, test))
    train, test = read(folder, "breast_cancer.csv")
    parts = [[part[:, [j for j in range(30) if j % 10]], part[:, [0, 10, 20, 30]]]
             for part in (train, test)]
    for name, make in (("forest", RandomForestRegressor), ("extra", ExtraTreesRegressor)):
        text += array(f"{name}_several", scores(make, *parts))
    text += array("forest_numbers", score(
        lambda s: RandomForestRegressor(100, max_features=1 / 3, random_state=s), r2_score,
        train[:, :-1], test[:, :-1]))
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
