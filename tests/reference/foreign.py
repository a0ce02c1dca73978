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
    values = values.reshape(len(values), -1) if values.size else values
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
        "gblinear": ({"objective": "binary:logistic", "booster": "gblinear", "updater": "coord_descent", "nthread": 1}, z > 1, "json"),
        "gblinear3": ({"objective": "multi:softprob", "num_class": 3, "booster": "gblinear", "updater": "coord_descent", "nthread": 1},
                      third, "ubj"),
        "logitraw": ({"objective": "binary:logitraw"}, z > 1, "json"),
        "vectors": ({"multi_strategy": "multi_output_tree", "tree_method": "hist"},
                    np.stack([z, e, z * e], 1), "ubj"),
        "labels": ({"objective": "binary:logistic"}, np.stack([z > 1, z > 0], 1), "json"),
        "gblinpoisson": ({"objective": "count:poisson", "booster": "gblinear",
                          "updater": "coord_descent", "nthread": 1}, np.floor(e), "json"),
        "gblinreg": ({"booster": "gblinear", "updater": "coord_descent", "nthread": 1}, z, "json"),
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
        b = xgb.train({"max_depth": depth, "eta": .3, "seed": 1} | params, d, 4)
        b.save_model(OUT / f"numbers.xgb_{name}.{kind}")
        t = xgb.DMatrix(test)
        p = b.predict(t)
        if name == "logitraw":  # its predictions are margins
            p = 1 / (1 + np.exp(-p))
        write_expected(f"numbers.xgb_{name}", b.predict(t, output_margin=True), p)
    f = categories(rng, 600)
    y = effect(f, rng)
    for tag, frame in (("named", f), ("codes", codes(f))):
        types = None if tag == "named" else ["float", "float", "c", "c"]
        d = xgb.DMatrix(frame, y, enable_categorical=True, feature_types=types)
        b = xgb.train({"max_depth": 4, "max_cat_to_onehot": 2, "max_cat_threshold": 200}, d, 5)
        b.save_model(OUT / f"{tag}.xgb_category.json")
        t = xgb.DMatrix(frame[:ROWS], enable_categorical=True, feature_types=types)
        write_expected(f"{tag}.xgb_category", b.predict(t, output_margin=True), b.predict(t))


def own_softmax(scores, data):
    """An objective of the caller: the file names none."""
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    return p - np.eye(3)[data.get_label().astype(int)], 2 * p * (1 - p)


def truth_categories(rng):
    """LightGBM: categories that are true and false, in a column of texts."""
    import lightgbm as lgb
    k = rng.integers(0, 3, 600)
    f = pd.DataFrame({"a": rng.normal(size=600),
                      "k": pd.Categorical.from_codes(k - 1, [False, True])})
    b = lgb.train({"verbose": -1, "num_leaves": 5, "num_threads": 1},
                  lgb.Dataset(f, f["a"] + 2 * k), 2)
    texts = np.array(["neither", "false", "true"])[k]
    f.assign(k=texts)[:ROWS].to_csv(OUT / "truth.csv", index=False)
    b.save_model(OUT / "truth.lgb_category.txt")
    write_expected("truth.lgb_category", b.predict(f[:ROWS], raw_score=True), b.predict(f[:ROWS]))


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
        "linear": ({"objective": "regression", "linear_tree": True, "linear_lambda": 0.1}, z),
        "linear3": ({"objective": "multiclass", "num_class": 3, "linear_tree": True,
                     "linear_lambda": 1}, third),
        "own3": ({"objective": own_softmax, "num_class": 3}, third),
    }
    keep = {"verbose": -1, "num_leaves": 7, "seed": 1, "num_threads": 1}
    for name, (params, y) in cases.items():
        b = lgb.train(keep | params, lgb.Dataset(f, np.asarray(y, float)), 5)
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


def run_onnx(model, x, kind=np.float32):
    import onnxruntime
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed = {session.get_inputs()[0].name: x.to_numpy(kind)}
    if len(session.get_inputs()) > 1:
        feed = {i.name: x[[i.name]].to_numpy(np.float32) for i in session.get_inputs()}
    out = session.run(None, feed)[-1]
    return np.asarray(out)


def every_mode():
    """Trees with each kind of comparison, for rows with missing values."""
    from onnx import TensorProto as T, helper as h
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_NEQ"]
    a = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids",
                         "falsenodeids", "missing_value_tracks_true")}
    leaves = []
    for t in range(24):
        mode = modes[t % 6]
        feature = 3 if t % 6 > 3 else t % 3
        value = float(t % 4) if feature == 3 else [0.25, 4.0, 40.0][feature]
        for n, (m, v, yes, no) in enumerate(((mode, value, 7, 3), ("LEAF", 0., 0, 0),
                                             ("LEAF", 0., 0, 0))):
            for key, x in zip(a, (t, (5, 3, 7)[n], feature, m, v, yes, no, t // 12 if n == 0 else 0)):
                a[key].append(x)
        leaves += [(t, 3, 2. ** -t), (t, 7, 2. ** -t / 3)]
    node = h.make_node("TreeEnsembleRegressor", ["X"], ["y"], domain="ai.onnx.ml", n_targets=1,
                       target_treeids=[x[0] for x in leaves], target_nodeids=[x[1] for x in leaves],
                       target_ids=[0] * len(leaves), target_weights=[x[2] for x in leaves],
                       base_values=[0.5], aggregate_function="AVERAGE",
                       **{f"nodes_{k}": v for k, v in a.items()})
    graph = h.make_graph([node], "modes", [h.make_tensor_value_info("X", T.FLOAT, [None, 5])],
                         [h.make_tensor_value_info("y", T.FLOAT, [None, 1])])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 15), h.make_opsetid("ai.onnx.ml", 3)])
    model.ir_version = 8
    return model


def newest_form():
    """TreeEnsemble of ai.onnx.ml 5: each kind of comparison above a threshold, two targets."""
    from onnx import TensorProto as T, helper as h
    n, features = 28, [3 if t % 7 > 3 else t % 3 for t in range(28)]
    splits = [float(t % 4) if f == 3 else [0.25, 4.0, 40.0][f] for t, f in enumerate(features)]
    members = [x for t in range(6, n, 7) for x in (float(t % 3), 3.0, np.nan)]
    weights = [(-1) ** i * 2.0 ** -(i % 9) / 3 for i in range(3 * n)]
    def tensor(kind, v):
        return h.make_tensor("t", kind, [len(v)], v)
    # Tree t: node 2 t asks, its true child is node 2 t + 1 on feature 4, leaves are 3 t...
    node = h.make_node(
        "TreeEnsemble", ["X"], ["y"], domain="ai.onnx.ml", n_targets=2, aggregate_function=0,
        tree_roots=[2 * t for t in range(n)],
        nodes_featureids=[x for f in features for x in (f, 4)],
        nodes_modes=tensor(T.UINT8, [x for t in range(n) for x in (t % 7, 3)]),
        nodes_splits=tensor(T.FLOAT, [x for v in splits for x in (v, 0.0)]),
        nodes_trueleafs=[0, 1] * n, nodes_falseleafs=[1, 1] * n,
        nodes_truenodeids=[x for t in range(n) for x in (2 * t + 1, 3 * t + 1)],
        nodes_falsenodeids=[x for t in range(n) for x in (3 * t, 3 * t + 2)],
        nodes_missing_value_tracks_true=[t % 2 for t in range(n) for _ in range(2)],
        membership_values=tensor(T.FLOAT, members),
        leaf_targetids=[i % 2 for i in range(3 * n)], leaf_weights=tensor(T.FLOAT, weights))
    graph = h.make_graph([node], "modes", [h.make_tensor_value_info("X", T.FLOAT, [None, 5])],
                         [h.make_tensor_value_info("y", T.FLOAT, [None, 2])])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 21),
                                               h.make_opsetid("ai.onnx.ml", 5)])
    model.ir_version = 10
    return model


def onnx_several(f, z, third, test):
    """Several models of trees in one graph; raw scores behind a sigmoid; several distances."""
    from sklearn import ensemble, linear_model, multioutput, svm, tree
    from skl2onnx import to_onnx
    keep = {"random_state": 0}
    trees = keep | {"n_estimators": 2, "max_depth": 3}
    forest, extra = ensemble.RandomForestClassifier(**trees), ensemble.ExtraTreesClassifier(**trees)
    boost = ensemble.GradientBoostingRegressor(**trees)
    values = [("a", ensemble.RandomForestRegressor(**trees)), ("b", boost)]
    soft = {"voting": "soft", "flatten_transform": False}
    cases = {
        "vote": (ensemble.VotingRegressor(values), z),
        "vote2": (ensemble.VotingClassifier([("a", forest), ("b", extra)], **soft), z > 1),
        "vote3": (ensemble.VotingClassifier([("a", forest), ("b", extra)], **soft), third),
        "bagged": (ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=3),
                                             n_estimators=3, **keep), z),
        "bagged3": (ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3),
                                               n_estimators=3, **keep), third),
        "each": (multioutput.MultiOutputRegressor(boost), np.stack([z, z ** 2], 1)),
        "mixed": (ensemble.VotingRegressor([("c", linear_model.LinearRegression())] + values), z),
        "stack": (ensemble.StackingRegressor(values, linear_model.Ridge()), z),
        "exponential": (ensemble.GradientBoostingClassifier(loss="exponential", **trees), z > 1),
    }
    rows = test.to_numpy(np.float32)
    for name, (model, y) in cases.items():
        model.fit(f.to_numpy(np.float32), y if y.dtype != bool else y.astype(int))
        options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
        m = to_onnx(model, rows, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
        (OUT / f"whole.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"whole.onnx_{name}", np.empty((0, 1)), run_onnx(m, test))
    model = svm.LinearSVC(**keep).fit(f.to_numpy(np.float32), third)
    m = to_onnx(model, rows)
    (OUT / "whole.onnx_border3.onnx").write_bytes(m.SerializeToString())
    distance = run_onnx(m, test).reshape(len(test), -1)
    write_expected("whole.onnx_border3", distance, distance == distance.max(1, keepdims=True))


def onnx_graphs(f, z, third, test):
    """Operators that mix columns before a model, transformed results of several models."""
    from sklearn import calibration, decomposition, ensemble, linear_model, multiclass, tree
    from sklearn import preprocessing as pre
    from sklearn.pipeline import make_pipeline
    from skl2onnx import to_onnx
    keep = {"random_state": 0}
    trees = keep | {"n_estimators": 2, "max_depth": 3}
    few = keep | {"n_estimators": 3}
    forest = ensemble.RandomForestClassifier(**trees)
    boost = ensemble.GradientBoostingClassifier(**trees)
    straight = linear_model.LogisticRegression(max_iter=1000)
    stump = tree.DecisionTreeClassifier(max_depth=2)
    pair = [("a", ensemble.RandomForestRegressor(**trees)),
            ("b", linear_model.LinearRegression())]
    cases = {
        "normal": (make_pipeline(pre.Normalizer(), decomposition.PCA(3), forest), third),
        "powers": (make_pipeline(pre.PolynomialFeatures(2),
                                 ensemble.GradientBoostingRegressor(**trees)), z),
        "bins": (make_pipeline(pre.KBinsDiscretizer(4, encode="onehot-dense"), forest), z > 1),
        "boosted3": (ensemble.AdaBoostClassifier(stump, **few), third),
        "median": (ensemble.AdaBoostRegressor(tree.DecisionTreeRegressor(max_depth=2), **few), z),
        "steps3": (calibration.CalibratedClassifierCV(forest, method="isotonic", cv=2), third),
        "rest3": (multiclass.OneVsRestClassifier(boost), third),
        "stack3": (ensemble.StackingClassifier([("a", boost), ("b", straight)], forest,
                                               passthrough=True), third),
        "parts": (ensemble.BaggingClassifier(stump, n_estimators=3, max_features=.6, **keep),
                  third),
        "over": (ensemble.StackingRegressor(pair, linear_model.Ridge(), passthrough=True), z),
        "doubles": (ensemble.RandomForestClassifier(**trees), third),
    }
    for name, (model, y) in cases.items():
        kind = np.float64 if name == "doubles" else np.float32
        model.fit(f.to_numpy(np.float32), y if y.dtype != bool else y.astype(int))
        last = model[-1] if hasattr(model, "steps") else model
        options = {id(last): {"zipmap": False}} if hasattr(last, "classes_") else None
        m = to_onnx(model, test.to_numpy(kind), options=options,
                    target_opset={"": 17, "ai.onnx.ml": 3})
        (OUT / f"whole.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"whole.onnx_{name}", np.empty((0, 1)), run_onnx(m, test, kind))
    # An output for each class.
    p = make_pipeline(pre.Normalizer(), forest).fit(f.to_numpy(np.float32), (z > 1).astype(int))
    m = to_onnx(p, test.to_numpy(np.float32), options={id(forest): {"zipmap": "columns"}})
    (OUT / "whole.onnx_zipped.onnx").write_bytes(m.SerializeToString())
    second = run_onnx(m, test).reshape(-1, 1)
    write_expected("whole.onnx_zipped", np.empty((0, 1)), np.hstack([1 - second, second]))


def onnx_vectors(f, z, third, test):
    """Rows that are compared with those of the training: support vectors, neighbours; naive
    Bayes, discriminants, clusters, several labels of a row."""
    from sklearn import cluster, discriminant_analysis as da, multiclass, naive_bayes as nb
    from sklearn import linear_model, neighbors, svm
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skl2onnx import to_onnx
    f, z, third = f[:90].to_numpy(np.float32), z[:90].to_numpy(), third[:90]
    keep = {"random_state": 0}
    near = {"n_neighbors": 3}
    cases = {
        "svc3": (svm.SVC(probability=True, **keep), third),
        "svc2": (svm.NuSVC(kernel="poly", degree=2, coef0=1, probability=True, **keep), z > 1),
        "svr": (svm.SVR(kernel="sigmoid", gamma=.05, C=2), z),
        "svr_rbf": (svm.SVR(C=3), z),
        "near3": (neighbors.KNeighborsClassifier(weights="distance", **near), third),
        "near2": (neighbors.KNeighborsClassifier(metric="manhattan", **near), z > 1),
        "near": (neighbors.KNeighborsRegressor(p=3, **near), np.stack([z, z ** 2], 1)),
        "cosine": (neighbors.KNeighborsRegressor(metric="cosine", algorithm="brute", **near), z),
        "bernoulli": (nb.BernoulliNB(), third),
        "discriminants": (da.QuadraticDiscriminantAnalysis(), third),
        "labels": (multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
                   np.stack([z > 1, z > 0], 1)),
    }
    for name, (model, y) in cases.items():
        if name in ("svc3", "near3", "svr", "svr_rbf", "svc2"):
            model = make_pipeline(StandardScaler(), model)
        model.fit(f, y if y.dtype != bool else y.astype(int))
        last = model[-1] if hasattr(model, "steps") else model
        options = {id(last): {"zipmap": False}} if hasattr(last, "classes_") else {}
        if name == "near3":
            options[id(last)]["optim"] = "cdist"
        m = to_onnx(model, f[:1], options=options, target_opset={"": 17, "ai.onnx.ml": 3})
        (OUT / f"whole.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"whole.onnx_{name}", np.empty((0, 1)), run_onnx(m, test))
    # The label is the one with most votes; the nearest cluster. Both are the class.
    for name, model in (("votes3", svm.SVC()), ("clusters", cluster.KMeans(3, n_init=1, **keep))):
        p = make_pipeline(StandardScaler(), model).fit(f, third)
        m = to_onnx(p, f[:1], target_opset={"": 17, "ai.onnx.ml": 3},
                    options={id(model): {"zipmap": False}} if name == "votes3" else {})
        (OUT / f"whole.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        label = p.predict(test.to_numpy(np.float32))
        write_expected(f"whole.onnx_{name}", np.empty((0, 1)),
                       label[:, None] == getattr(model, "classes_", np.arange(3))[None])


def with_attribute(model, name, value):
    from onnx import helper as h
    node = model.graph.node[0]
    for a in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(a)
    node.attribute.append(h.make_attribute(name, value))
    return model


def onnx_formulas(test):
    """What comes behind trees seldom, and what neural networks are made of."""
    from onnx import TensorProto as T, helper as h, numpy_helper
    rows = numbers(np.random.default_rng(7), 2000)[:ROWS]
    cases = {"least": (every_mode(), "aggregate_function", "MIN"),
             "most": (with_attribute(newest_form(), "n_targets", 1), "aggregate_function", 3),
             "probit": (every_mode(), "post_transform", "PROBIT"),
             "zero": (newest_form(), "post_transform", 3)}
    for name, (m, key, value) in cases.items():
        if name == "most":
            m = with_attribute(m, "leaf_targetids", [0] * 84)
        m = with_attribute(m, key, value)
        (OUT / f"numbers.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"numbers.onnx_{name}", np.empty((0, 1)), run_onnx(m, rows))
    rng = np.random.default_rng(5)
    values = {"m": rng.normal(size=5), "v": rng.random(5) + 1, "s": rng.random(5), "z": np.zeros(5),
              "W": rng.normal(size=(4, 5)), "o": rng.random(4), "p": rng.random(4)}
    n = h.make_node
    nodes = [n("BatchNormalization", ["X", "s", "z", "m", "v"], ["a"], epsilon=1e-3),
             n("LayerNormalization", ["a", "s", "m"], ["b"]),
             n("Gemm", ["b", "W"], ["c"], transB=1), n("LeakyRelu", ["c"], ["d"], alpha=.2),
             n("Elu", ["d"], ["e"]), n("Softplus", ["e"], ["f"]), n("HardSwish", ["c"], ["g"]),
             n("PRelu", ["c", "p"], ["i"]), n("Selu", ["i"], ["j"]), n("Softsign", ["j"], ["k"]),
             n("HardSigmoid", ["j"], ["l"]), n("Reciprocal", ["f"], ["q"]),
             n("Sum", ["f", "g", "k", "l", "q"], ["r"]), n("LogSoftmax", ["r"], ["y"])]
    graph = h.make_graph(nodes, "net", [h.make_tensor_value_info("X", T.FLOAT, [None, 5])],
                         [h.make_tensor_value_info("y", T.FLOAT, [None, 4])],
                         [numpy_helper.from_array(v.astype(np.float32), k)
                          for k, v in values.items()])
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)])
    m.ir_version = 8
    (OUT / "whole.onnx_net.onnx").write_bytes(m.SerializeToString())
    write_expected("whole.onnx_net", np.empty((0, 1)), run_onnx(m, test))


def onnx_texts():
    """Columns of texts: one-hot and ordinal codes, unknown and missing ones."""
    import onnxruntime
    from sklearn import compose, ensemble, impute, preprocessing
    from sklearn.pipeline import make_pipeline
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    f = categories(np.random.default_rng(8), 600)
    y = effect(f, np.random.default_rng(9))
    for name in ("colour", "place"):
        f[name] = f[name].astype(object).where(f[name].notna(), "")
    f.loc[f["colour"] == "white", "colour"] = "red"  # so that it is not known
    ordinal = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    filled = impute.SimpleImputer(strategy="constant", fill_value="none", missing_values="")
    hot = make_pipeline(filled, preprocessing.OneHotEncoder(handle_unknown="ignore"))
    p = make_pipeline(
        compose.ColumnTransformer([("fill", impute.SimpleImputer(), ["a", "b"]),
                                   ("hot", hot, ["colour"]), ("code", ordinal, ["place"])]),
        ensemble.RandomForestRegressor(n_estimators=3, max_depth=4, random_state=0))
    known = f[f["place"] != ""]
    p.fit(known, y[known.index])
    m = to_onnx(p, initial_types=[(c, (FloatTensorType if c in "ab" else StringTensorType)([None, 1]))
                                  for c in f.columns], target_opset={"": 17, "ai.onnx.ml": 3})
    (OUT / "named.onnx_texts.onnx").write_bytes(m.SerializeToString())
    rows = pd.read_csv(OUT / "named.csv", keep_default_na=False, na_values={"a": "", "b": ""})
    feeds = {c: rows[[c]].to_numpy(np.float32 if c in "ab" else object) for c in rows}
    session = onnxruntime.InferenceSession(m.SerializeToString())
    write_expected("named.onnx_texts", np.empty((0, 1)), session.run(None, feeds)[-1])
    # What an empty text becomes counts, what an unknown one does not.
    p = make_pipeline(
        compose.ColumnTransformer([("hot", hot, ["colour"]), ("code", ordinal, ["place"])]),
        ensemble.RandomForestRegressor(n_estimators=1, max_depth=4, random_state=0))
    p.fit(f, y - 5 * (f["colour"] == ""))
    m = to_onnx(p, initial_types=[(c, StringTensorType([None, 1])) for c in ("colour", "place")],
                target_opset={"": 17, "ai.onnx.ml": 3})
    (OUT / "named.onnx_empty.onnx").write_bytes(m.SerializeToString())
    session = onnxruntime.InferenceSession(m.SerializeToString())
    write_expected("named.onnx_empty", np.empty((0, 1)),
                   session.run(None, {c: feeds[c] for c in ("colour", "place")})[-1])


def onnx_models(rng):
    from sklearn import ensemble, linear_model, svm
    from skl2onnx import to_onnx
    f = numbers(rng, 2000)
    z = target(f, rng)
    write_rows("numbers", f[:ROWS])
    f = f.fillna(0)
    test = f[:ROWS]
    write_rows("whole", test)
    third = np.array(["low", "mid", "high"])[np.digitize(z, np.quantile(z, [.33, .66]))]
    keep = {"random_state": 0}
    trees = keep | {"n_estimators": 4, "max_depth": 3}
    cases = {
        "forest3": (ensemble.RandomForestClassifier(**trees), third),
        "forest2": (ensemble.RandomForestClassifier(**trees), z > 1),
        "forest": (ensemble.RandomForestRegressor(**trees), z),
        "extra3": (ensemble.ExtraTreesClassifier(**trees), third),
        "boost2": (ensemble.GradientBoostingClassifier(**trees), z > 1),
        "boost3": (ensemble.GradientBoostingClassifier(**trees), third),
        "boost": (ensemble.GradientBoostingRegressor(**trees), z),
        "targets": (ensemble.ExtraTreesRegressor(**trees), np.stack([z, z ** 2], 1)),
        "linear": (linear_model.LinearRegression(), z),
        "logistic2": (linear_model.LogisticRegression(max_iter=1000), z > 1),
        "logistic3": (linear_model.LogisticRegression(max_iter=1000), third),
    }
    for name, (model, y) in cases.items():
        model.fit(f.to_numpy(np.float32), y if y.dtype != bool else y.astype(int))
        options = {"zipmap": False} if hasattr(model, "predict_proba") else None
        options = {id(model): options} if options else None
        m = to_onnx(model, test.to_numpy(np.float32), options=options)
        (OUT / f"whole.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"whole.onnx_{name}", np.empty((0, 1)), run_onnx(m, test))
    model = svm.LinearSVC(random_state=0).fit(f.to_numpy(np.float32), (z > 1).astype(int))
    m = to_onnx(model, test.to_numpy(np.float32))
    (OUT / "whole.onnx_border.onnx").write_bytes(m.SerializeToString())
    distance = run_onnx(m, test).reshape(len(test), -1)[:, -1]
    write_expected("whole.onnx_border", distance, distance > 0)
    from sklearn import impute, pipeline, preprocessing
    holes = numbers(np.random.default_rng(7), 2000)
    first = (impute.SimpleImputer(), preprocessing.StandardScaler(),
             preprocessing.MinMaxScaler())
    last = {"pipeline": (ensemble.GradientBoostingRegressor(**trees), z),
            "pipeline3": (linear_model.LogisticRegression(max_iter=1000), third)}
    for name, (model, y) in last.items():
        p = pipeline.make_pipeline(*first, model).fit(holes.to_numpy(np.float32), y)
        options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
        m = to_onnx(p, holes[:ROWS].to_numpy(np.float32), options=options)
        (OUT / f"numbers.onnx_{name}.onnx").write_bytes(m.SerializeToString())
        write_expected(f"numbers.onnx_{name}", np.empty((0, 1)), run_onnx(m, holes[:ROWS]))
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    keep_all = ColumnTransformer([("all", "passthrough", list(f.columns))])
    model = make_pipeline(keep_all, ensemble.RandomForestClassifier(**trees)).fit(f, z > 1)
    from skl2onnx.common.data_types import FloatTensorType
    m = to_onnx(model, initial_types=[(c, FloatTensorType([None, 1])) for c in f.columns],
                options={id(model): {"zipmap": False}})
    (OUT / "whole.onnx_columns.onnx").write_bytes(m.SerializeToString())
    write_expected("whole.onnx_columns", np.empty((0, 1)), run_onnx(m, test))
    some = ColumnTransformer([("scaled", preprocessing.StandardScaler(), [3, 1]),
                              ("filled", impute.SimpleImputer(), [1]),
                              ("kept", "passthrough", [4, 0])])
    model = make_pipeline(some, ensemble.GradientBoostingRegressor(**trees))
    model.fit(f.to_numpy(np.float32), z)
    m = to_onnx(model, test.to_numpy(np.float32))
    (OUT / "whole.onnx_chosen.onnx").write_bytes(m.SerializeToString())
    write_expected("whole.onnx_chosen", np.empty((0, 1)), run_onnx(m, test))
    onnx_several(f, z, third, test)
    onnx_graphs(f, z, third, test)
    onnx_vectors(f, z, third, test)
    onnx_formulas(test)
    m = newest_form()
    (OUT / "numbers.onnx_newest.onnx").write_bytes(m.SerializeToString())
    rows = numbers(np.random.default_rng(7), 2000)[:ROWS]
    write_expected("numbers.onnx_newest", np.empty((0, 1)), run_onnx(m, rows))
    m = every_mode()
    (OUT / "numbers.onnx_modes.onnx").write_bytes(m.SerializeToString())
    rows = numbers(np.random.default_rng(7), 2000)[:ROWS]
    write_expected("numbers.onnx_modes", np.empty((0, 1)), run_onnx(m, rows))


def save_cbm(model, path):
    """The binary format, without what the training says of itself at length."""
    import json
    facts = model.get_metadata()
    loss = json.loads(facts["params"])["loss_function"]
    for key in list(facts.keys()):
        if key not in ("params", "class_params"):
            del facts[key]
    facts["params"] = json.dumps({"loss_function": loss})
    model.save_model(path)


def catboost_models(rng):
    import json
    import catboost
    f = numbers(rng, 2000)
    z = target(f, rng)
    third = np.array(["low", "mid", "high"])[np.digitize(z, np.quantile(z, [.33, .66]))]
    keep = {"iterations": 5, "depth": 3, "verbose": 0, "allow_writing_files": False,
            "thread_count": 1, "random_seed": 0}
    classes, value = catboost.CatBoostClassifier, catboost.CatBoostRegressor
    cases = {
        "binary": (classes, {}, z > 1),
        "three": (classes, {"nan_mode": "Max"}, third),
        "ova": (classes, {"loss_function": "MultiClassOneVsAll"}, third),
        "lossguide": (value, {"grow_policy": "Lossguide", "max_leaves": 7}, z),
        "nested3": (classes, {"grow_policy": "Depthwise"}, third),
        "poisson": (value, {"loss_function": "Poisson"}, np.floor(np.exp(z / 2))),
        "vectors": (value, {"loss_function": "MultiRMSE"}, np.stack([z, np.exp(z / 2)], 1)),
        "tweedie": (value, {"loss_function": "Tweedie:variance_power=1.5"}, np.exp(z / 2)),
    }
    for name, (kind, params, y) in cases.items():
        model = kind(**keep, **params).fit(f, y)
        path = OUT / f"numbers.cat_{name}.json"
        model.save_model(path, "json")
        j = json.loads(path.read_text())
        j["model_info"] = {"params": {"loss_function": j["model_info"]["params"]["loss_function"]},
                           "class_params": j["model_info"].get("class_params")}
        if kind is value:
            del j["model_info"]["class_params"]
        path.write_text(json.dumps(j, separators=(",", ":")))
        raw = model.predict(f[:ROWS], prediction_type="RawFormulaVal")
        p = model.predict_proba(f[:ROWS]) if kind is classes else model.predict(f[:ROWS])
        write_expected(f"numbers.cat_{name}", raw, p)
        if name in ("binary", "nested3", "vectors"):
            save_cbm(model, OUT / f"numbers.cat_{name}.cbm")


def old_xgboost():
    """The binary format before JSON, packed from models that are there as JSON: XGBoost 3
    does not write it any more. Predictions are those of the JSON models."""
    import json
    import struct
    import xgboost as xgb

    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    def tree(t):
        n = len(t["left_children"])
        out = struct.pack("<6i", 1, n, 0, 0, 0, 0) + bytes(124)
        for i in range(n):
            index = t["split_indices"][i] | (int(t["default_left"][i]) << 31)
            out += struct.pack("<3iIf", t["parents"][i], t["left_children"][i],
                               t["right_children"][i], index, t["split_conditions"][i])
        for i in range(n):
            out += struct.pack("<3fi", t["loss_changes"][i], t["sum_hessian"][i],
                               t["base_weights"][i], 0)
        return out

    def forest(m):
        head = struct.pack("<4iq2i", len(m["trees"]), 1, 0, 0, 0, 1, 0) + bytes(128)
        return (head + b"".join(map(tree, m["trees"])) +
                struct.pack(f"<{len(m['tree_info'])}i", *m["tree_info"]))

    def pack(j, version, base):
        learner = j["learner"]
        booster, param = learner["gradient_booster"], learner["learner_model_param"]
        head = struct.pack("<fI3i2I", base, int(param["num_feature"]),
                           int(param["num_class"]), 0, 0, version, 0)
        out = head.ljust(136, b"\0") + text(learner["objective"]["name"])
        out += text(booster["name"])
        if booster["name"] == "gblinear":
            w = booster["model"]["weights"]
            return out + bytes(136) + struct.pack(f"<Q{len(w)}f", len(w), *w)
        if booster["name"] == "gbtree":
            return out + forest(booster["model"])
        w = booster["weight_drop"]
        return (out + forest(booster["gbtree"]["model"]) +
                struct.pack(f"<Q{len(w)}f", len(w), *w))

    for name, file, version in (("old0", "xgb_binary.json", 0),
                                ("old1", "xgb_binary.json", 1),
                                ("old_dart", "xgb_tweedie.ubj", 1),
                                ("old_linear", "xgb_gblinear3.ubj", 1)):
        b = xgb.Booster(model_file=OUT / f"numbers.{file}")
        j = json.loads(b.save_raw("json"))
        base = float(j["learner"]["learner_model_param"]["base_score"].strip("[]").split(",")[0])
        if version == 0:
            base = -np.log(1 / base - 1)
        data = pack(j, version, base)
        (OUT / f"numbers.xgb_{name}.bin").write_bytes((b"binf" if name == "old1" else b"") + data)
        (OUT / f"numbers.xgb_{name}.expected").write_text(
            (OUT / f"numbers.{file.split('.')[0]}.expected").read_text())


def words(rng, n, more=()):
    return pd.DataFrame({
        "a": numbers(rng, n)["a"],
        "colour": rng.choice(COLOURS[:5] + list(more), n),
        "place": rng.choice([f"p{i}" for i in range(12)] + list(more), n),
        "sex": rng.choice(["f", "m"] + list(more), n),
        "unused": rng.choice(["u", "v"], n)})


def catboost_categories(rng):
    """Splits on statistics of one category and on single ones; rows of unknown ones."""
    import json
    import catboost
    f, test = words(rng, 600), words(rng, ROWS, ["new"])
    named = ["colour", "place", "sex", "unused"]
    place = f["place"].str[1:].astype(int)
    z = np.nan_to_num(f["a"]) + (f["colour"] == "blue") + place % 3 + (f["sex"] == "m")
    z += rng.normal(size=len(f)) / 4
    third = np.array(["low", "mid", "high"])[np.digitize(z, np.quantile(z, [.33, .66]))]
    classes, value = catboost.CatBoostClassifier, catboost.CatBoostRegressor
    cases = {
        "number": (value, {"simple_ctr": ["Borders:TargetBorderCount=2", "Counter"]}, z),
        "mean": (value, {"simple_ctr": ["BinarizedTargetMeanValue"],
                         "grow_policy": "Lossguide", "max_leaves": 6}, z),
        "buckets": (classes, {"simple_ctr": ["Buckets"]}, (z > 2).astype(int)),
        "three": (classes, {}, third),
    }
    for name, (kind, params, y) in cases.items():
        model = kind(iterations=5, depth=3, verbose=0, allow_writing_files=False,
                     thread_count=1, random_seed=0, max_ctr_complexity=1, one_hot_max_size=2,
                     ignored_features=["unused"], **params)
        pool = catboost.Pool(f, y, cat_features=named)
        model.fit(pool)
        path = OUT / f"words.cat_{name}.json"
        model.save_model(path, "json", pool=pool)
        j = json.loads(path.read_text())
        j["model_info"] = {"params": {"loss_function": j["model_info"]["params"]["loss_function"]},
                           "class_params": j["model_info"].get("class_params")}
        if kind is value:
            del j["model_info"]["class_params"]
        path.write_text(json.dumps(j, separators=(",", ":")))
        raw = model.predict(test, prediction_type="RawFormulaVal")
        p = model.predict_proba(test) if kind is classes else model.predict(test)
        write_expected(f"words.cat_{name}", raw, p)
        save_cbm(model, OUT / f"words.cat_{name}.cbm")
    # Statistics of each target: JSON mixes them up, so that only the binary format has them.
    model = value(iterations=5, depth=3, verbose=0, allow_writing_files=False, thread_count=1,
                  random_seed=0, loss_function="MultiRMSE", ignored_features=["unused"])
    model.fit(catboost.Pool(f, np.stack([z, place % 5 - z], 1), cat_features=named))
    save_cbm(model, OUT / "words.cat_targets.cbm")
    model.save_model(OUT / "words.cat_targets.json", "json")
    path = OUT / "words.cat_targets.json"
    path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")))
    write_expected("words.cat_targets", model.predict(test), model.predict(test))
    write_rows("words", test)


def catboost_crosses(rng):
    """Statistics of combinations: categories, splits on numbers and on single categories."""
    import json
    import catboost
    f, test = words(rng, 1500), words(rng, ROWS, ["new"])
    test.loc[3, "a"] = np.nan
    named = ["colour", "place", "sex", "unused"]
    colour = f["colour"].map({c: i for i, c in enumerate(COLOURS)}).to_numpy()
    place = f["place"].str[1:].astype(int).to_numpy()
    man = (f["sex"] == "m").to_numpy()
    z = rng.normal(size=(12, 5))[place, colour] + np.where(man, 1, -1) * np.cos(2 * place)
    z += np.where(f["a"] > .3, 3, -3) * np.cos(3 * place) + rng.normal(size=len(f)) / 4
    third = np.array(["low", "mid", "high"])[np.digitize(z, np.quantile(z, [.33, .66]))]
    classes, value = catboost.CatBoostClassifier, catboost.CatBoostRegressor
    ctrs = ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]
    cases = {
        "plain": (classes, {}, (z > 0).astype(int)),
        "kinds": (classes, {"simple_ctr": ctrs, "combinations_ctr": ctrs}, (z > 0).astype(int)),
        "three": (classes, {"nan_mode": "Max"}, third),
        "number": (value, {"combinations_ctr": ["Borders:TargetBorderCount=4", "Counter"]}, z),
    }
    for name, (kind, params, y) in cases.items():
        model = kind(**{"iterations": 8, "depth": 3, "verbose": 0, "thread_count": 1,
                        "allow_writing_files": False, "random_seed": 3, "model_size_reg": 0,
                        "one_hot_max_size": 2, "max_ctr_complexity": 4} | params)
        pool = catboost.Pool(f, y, cat_features=named)
        model.fit(pool)
        path = OUT / f"crosses.cat_{name}.json"
        model.save_model(path, "json", pool=pool)
        j = json.loads(path.read_text())
        print(name, [[e["combination_element"][:7] for e in c["elements"]]
                     for c in j["features_info"]["ctrs"]], file=sys.stderr)
        j["model_info"] = {"params": {"loss_function": j["model_info"]["params"]["loss_function"]},
                           "class_params": j["model_info"].get("class_params")}
        if kind is value:
            del j["model_info"]["class_params"]
        path.write_text(json.dumps(j, separators=(",", ":")))
        raw = model.predict(test, prediction_type="RawFormulaVal")
        p = model.predict_proba(test) if kind is classes else model.predict(test)
        write_expected(f"crosses.cat_{name}", raw, p)
        save_cbm(model, OUT / f"crosses.cat_{name}.cbm")
        shap = model.get_feature_importance(catboost.Pool(test, cat_features=named),
                                            type="ShapValues")
        (OUT / f"crosses.cat_{name}.shap").write_text(lines(shap))
    write_rows("crosses", test)


def main():
    OUT.mkdir(exist_ok=True)
    for part in (xgboost_models, lightgbm_models, truth_categories, onnx_models,
                 catboost_models, catboost_categories, catboost_crosses):
        part(np.random.default_rng(7))
    old_xgboost()
    rng = np.random.default_rng(7)
    f = numbers(rng, 2000)
    target(f, rng)
    write_rows("numbers", f[:ROWS])
    f = categories(rng, 600)
    write_rows("named", f[:ROWS])
    write_rows("codes", codes(f)[:ROWS])
    onnx_texts()
    print(sum(p.stat().st_size for p in OUT.iterdir()), "bytes in", OUT, file=sys.stderr)


if __name__ == "__main__":
    main()
