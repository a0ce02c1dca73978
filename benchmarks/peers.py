# SPDX-License-Identifier: MIT
"""One workload of one peer, once, in a fresh process: prints one JSON object like
benchmarks/bench.c. Runs in the benchmarks' virtual environment.

Usage: peers.py WORKLOAD PEER THREADS KEY=VALUE ...
"""

import json
import os
import resource
import sys
import time

clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter


def read(path):
    import numpy as np
    with open(path, "rb") as f:
        rows, columns = np.fromfile(f, np.int64, 2)
        x = np.fromfile(f, np.float32, rows * columns).reshape(rows, columns)
        return x, np.fromfile(f, np.float32, rows)


def auc(y, p):
    from sklearn.metrics import roc_auc_score
    return float(roc_auc_score(y, p))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def logistic(peer, threads, a):
    from sklearn.linear_model import LogisticRegression
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    mean, sd = x.mean(0), x.std(0)
    x, xt = (x - mean) / sd, (xt - mean) / sd
    solver = {"sklearn-lbfgs": "lbfgs", "sklearn-newton-cholesky": "newton-cholesky"}[peer]
    start = clock()
    model = LogisticRegression(max_iter=200, solver=solver).fit(x, y)
    seconds = clock() - start
    return seconds, auc(yt, model.decision_function(xt)), {}


def forest(peer, threads, a):
    if peer == "onedal-forest":
        from sklearnex.ensemble import RandomForestClassifier
    else:
        from sklearn.ensemble import RandomForestClassifier
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    if peer == "ydf-forest":
        return ydf_forest(threads, a, x, y, xt, yt)
    if peer.endswith(("-extra", "-leaf5", "-numbers", "-multiclass")):
        return other_forest(peer, threads, a, x, y, xt, yt)
    model = RandomForestClassifier(int(a["trees"]), max_features=5, n_jobs=threads, random_state=0)
    start = clock()
    model.fit(x, y)
    seconds = clock() - start
    return seconds, auc(yt, model.predict_proba(xt)[:, 1]), {}


def other_forest(peer, threads, a, x, y, xt, yt):
    if peer.startswith("onedal"):
        from sklearnex.ensemble import (ExtraTreesClassifier, RandomForestClassifier,
                                        RandomForestRegressor)
    else:
        from sklearn.ensemble import (ExtraTreesClassifier, RandomForestClassifier,
                                      RandomForestRegressor)
    kind = peer.split("-")[1]
    maker = {"extra": ExtraTreesClassifier, "numbers": RandomForestRegressor}.get(
        kind, RandomForestClassifier)
    model = maker(int(a["trees"]), max_features=5, n_jobs=threads, random_state=0,
                  min_samples_leaf=5 if kind == "leaf5" else 1)
    start = clock()
    model.fit(x, y)
    seconds = clock() - start
    if kind in ("extra", "leaf5"):
        return seconds, auc(yt, model.predict_proba(xt)[:, 1]), {}
    return seconds, model.score(xt, yt), {}


def ydf_forest(threads, a, x, y, xt, yt):
    """YDF takes dictionaries of columns; reading them is part of its time."""
    import ydf
    ydf.verbose(0)
    names = [f"f{j}" for j in range(x.shape[1])]
    data = dict(zip(names, x.T)) | {"y": y.astype(int)}
    learner = ydf.RandomForestLearner("y", num_trees=int(a["trees"]), num_threads=threads,
                                      num_candidate_attributes=5, max_depth=-1,
                                      min_examples=1, winner_take_all=False,
                                      compute_oob_performances=False)
    start = clock()
    model = learner.train(data)
    seconds = clock() - start
    return seconds, auc(yt, model.predict(dict(zip(names, xt.T)))), {}


# For the time of binning alone, as many rows as libml's: LightGBM takes 200,000 unless told
# otherwise, and does so where it trains.
SAMPLE = {"bin_construct_sample_cnt": 65536}


def binning(peer, threads, a):
    import lightgbm as lgb
    x, y = read(a["train"])
    start = clock()
    data = lgb.Dataset(x, y, params={"max_bin": 255, "num_threads": threads, "verbose": -1,
                                     "force_row_wise": True, **SAMPLE})
    data.construct()
    return clock() - start, float(data.num_data()), {}


def gbdt(peer, threads, a):
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    trees, leaves, rate = int(a["trees"]), int(a["leaves"]), float(a["rate"])
    before = peak()
    if peer.startswith("lightgbm"):
        import lightgbm as lgb
        params = {"objective": "binary", "num_leaves": leaves, "learning_rate": rate,
                  "max_bin": 255, "min_data_in_leaf": 0, "min_sum_hessian_in_leaf": 100,
                  "num_threads": threads, "verbose": -1, "force_row_wise": True,
                  "use_quantized_grad": peer == "lightgbm-quantized"}
        if a.get("depth"):
            params |= {"max_depth": int(a["depth"]), "min_sum_hessian_in_leaf": 1}
        start = clock()
        model = lgb.train(params, lgb.Dataset(x, y), num_boost_round=trees)
        seconds = clock() - start
        extra = peak() - before
        p = model.predict(xt)
        if a.get("model"):
            model.save_model(a["model"])
    elif peer == "xgboost":
        import xgboost as xgb
        params = {"objective": "binary:logistic", "max_leaves": leaves, "max_depth": 0,
                  "grow_policy": "lossguide", "eta": rate, "max_bin": 256,
                  "min_child_weight": 100, "lambda": 0, "tree_method": "hist",
                  "nthread": threads}
        if a.get("depth"):
            params |= {"max_depth": int(a["depth"]), "grow_policy": "depthwise",
                       "max_leaves": 0, "min_child_weight": 1}
        start = clock()
        model = xgb.train(params, xgb.QuantileDMatrix(x, y, max_bin=256, nthread=threads), trees)
        seconds = clock() - start
        extra = peak() - before
        p = model.predict(xgb.DMatrix(xt))
        if a.get("model"):
            model.save_model(a["model"])
    elif peer == "ydf":
        import ydf
        ydf.verbose(0)
        names = [f"f{j}" for j in range(x.shape[1])]
        data = dict(zip(names, x.T)) | {"y": y.astype(int)}
        # A hessian of 100 is 400 rows at the least. Its exact cuts take several times as long.
        learner = ydf.GradientBoostedTreesLearner(
            "y", num_trees=trees, shrinkage=rate, growing_strategy="BEST_FIRST_GLOBAL",
            max_num_nodes=leaves, max_depth=-1, min_examples=400, use_hessian_gain=True,
            validation_ratio=0.0, early_stopping="NONE", discretize_numerical_columns=True,
            num_discretized_numerical_bins=255, num_threads=threads)
        start = clock()
        model = learner.train(data)
        seconds = clock() - start
        extra = peak() - before
        p = model.predict(dict(zip(names, xt.T)))
    elif peer == "catboost":
        import catboost as cb
        start = clock()
        model = cb.CatBoostClassifier(iterations=trees, depth=6, learning_rate=rate,
                                      border_count=254, thread_count=threads, verbose=False,
                                      l2_leaf_reg=1, boosting_type="Plain",
                                      random_seed=int(a.get("seed", 0)),
                                      allow_writing_files=False).fit(x, y)
        seconds = clock() - start
        extra = peak() - before
        p = model.predict_proba(xt)[:, 1]
    elif peer == "sklearn-hist":
        from sklearn.ensemble import HistGradientBoostingClassifier
        start = clock()
        model = HistGradientBoostingClassifier(
            max_iter=trees, max_leaf_nodes=leaves, learning_rate=rate, max_bins=255,
            min_samples_leaf=1, early_stopping=False).fit(x, y)
        seconds = clock() - start
        extra = peak() - before
        p = model.predict_proba(xt)[:, 1]
    else:
        sys.exit(f"no peer {peer} for gbdt")
    return seconds, auc(yt, p), {"extra_kib": extra}


def plain_params(peer, threads):
    """100 rounds of 31 leaves, as benchmarks/compare gives libml."""
    if peer == "lightgbm":
        return {"objective": "binary", "num_leaves": 31, "learning_rate": 0.1,
                "num_threads": threads, "verbose": -1}
    return {"objective": "binary:logistic", "max_leaves": 31, "max_depth": 0,
            "grow_policy": "lossguide", "eta": 0.1, "max_bin": 256, "tree_method": "hist",
            "nthread": threads}


def fit_plain(peer, threads, x, y, xt, more=None, categories=(), group=None, trees=100):
    params, before = {**plain_params(peer, threads), **(more or {})}, peak()
    if peer == "lightgbm":
        import lightgbm as lgb
        start = clock()
        data = lgb.Dataset(x, y, group=group, categorical_feature=list(categories))
        model = lgb.train(params, data, trees)
        seconds = clock() - start
        return seconds, model.predict(xt), {"extra_kib": peak() - before}
    import xgboost as xgb
    options = {}
    if categories:
        options = {"enable_categorical": True,
                   "feature_types": ["c" if j in categories else "q"
                                     for j in range(x.shape[1])]}
    start = clock()
    data = xgb.QuantileDMatrix(x, y, max_bin=256, nthread=threads, group=group, **options)
    model = xgb.train(params, data, trees)
    seconds = clock() - start
    extra = peak() - before
    return seconds, model.predict(xgb.DMatrix(xt, **options)), {"extra_kib": extra}


def gbdt_plain(peer, threads, a):
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    seconds, p, extra = fit_plain(peer, threads, x, y, xt)
    return seconds, auc(yt, p), extra


def gbdt_categories(peer, threads, a):
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    if peer != "catboost":
        seconds, p, extra = fit_plain(peer, threads, x, y, xt, categories=range(10))
        return seconds, auc(yt, p), extra
    import catboost as cb
    import pandas as pd
    x, xt = (pd.DataFrame(v).astype({j: int for j in range(10)}) for v in (x, xt))
    before = peak()
    start = clock()
    model = cb.CatBoostClassifier(iterations=100, depth=6, learning_rate=0.1, verbose=False,
                                  thread_count=threads, cat_features=list(range(10)),
                                  allow_writing_files=False).fit(x, y)
    seconds = clock() - start
    return seconds, auc(yt, model.predict_proba(xt)[:, 1]), {"extra_kib": peak() - before}


def gbdt_multiclass(peer, threads, a):
    """Five classes, 20 rounds; the share of right classes."""
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    if peer == "catboost":
        import catboost as cb
        before = peak()
        start = clock()
        model = cb.CatBoostClassifier(iterations=20, depth=6, learning_rate=0.1, verbose=False,
                                      thread_count=threads, loss_function="MultiClass",
                                      allow_writing_files=False).fit(x, y.astype(int))
        seconds = clock() - start
        p, extra = model.predict_proba(xt), {"extra_kib": peak() - before}
    else:
        more = {"objective": "multiclass" if peer == "lightgbm" else "multi:softprob",
                "num_class": 5}
        seconds, p, extra = fit_plain(peer, threads, x, y, xt, more, trees=20)
    return seconds, float((p.argmax(1) == yt).mean()), extra


def ndcg(y, p):
    """At 10, of queries of 40 rows."""
    import numpy as np
    y, p = y.reshape(-1, 40), p.reshape(-1, 40)
    discount = 1 / np.log2(np.arange(10) + 2)
    best, got = (((2.0 ** np.take_along_axis(y, np.argsort(-by, 1, kind="stable"), 1)[:, :10] - 1)
                  * discount).sum(1) for by in (y, p))
    return float(np.where(best > 0, got / np.maximum(best, 1e-30), 1).mean())


def gbdt_rank(peer, threads, a):
    import numpy as np
    x, y = read(a["train"])
    xt, yt = read(a["test"])
    more = {"objective": "lambdarank" if peer == "lightgbm" else "rank:ndcg"}
    seconds, p, extra = fit_plain(peer, threads, x[:, :30], y, xt[:, :30], more,
                                  group=np.full(len(y) // 40, 40))
    return seconds, ndcg(yt, p), extra


def compiled(path, threads):
    """XGBoost's model as nested ifs in C, compiled (tl2cgen)."""
    import pathlib
    import tl2cgen
    import treelite
    cache = pathlib.Path(str(path) + ".so")
    if not cache.exists():
        tl2cgen.export_lib(treelite.frontend.load_xgboost_model(path), toolchain="gcc",
                           libpath=cache, params={"parallel_comp": 8})
    model = tl2cgen.Predictor(cache, nthread=threads)
    return model, lambda x: model.predict(tl2cgen.DMatrix(x)).ravel()


def compiled_leaves(path, threads):
    """LightGBM's model compiled by LLVM (lleaves)."""
    import pathlib
    import lleaves
    model = lleaves.Model(model_file=path)
    model.compile(cache=pathlib.Path(str(path) + ".o"))
    return model, lambda x: model.predict(x, n_jobs=threads)


def onnx_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    model = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, out = model.get_inputs()[0].name, model.get_outputs()[-1].name

    def predict(x):
        return model.run([out], {name: x})[0][:, -1]
    predict.dtype = "f8" if "double" in model.get_inputs()[0].type else "f4"
    return model, predict


def booster(peer, path, threads):
    """(model, function of a float32 matrix) for a saved model."""
    if peer == "tl2cgen":
        return compiled(path, threads)
    if peer == "lleaves":
        return compiled_leaves(path, threads)
    if peer == "onnxruntime":
        return onnx_session(path, threads)
    if peer == "lightgbm":
        import lightgbm as lgb
        model = lgb.Booster(model_file=path)
        return model, lambda x: model.predict(x, num_threads=threads)
    import xgboost as xgb
    model = xgb.Booster(model_file=path)
    model.set_param({"nthread": threads})
    return model, lambda x: model.inplace_predict(x)


def predict_batch(peer, threads, a):
    x, _ = read(a["data"])
    _, run = booster(peer, a["model"], threads)
    x = x.astype(getattr(run, "dtype", x.dtype), copy=False)
    best, p = float("inf"), None
    for _ in range(5):
        start = clock()
        p = run(x)
        best = min(best, clock() - start)
    return best, float(p.mean()), {}


def shapley(peer, threads, a):
    """Contributions of all features, the peer's own implementation."""
    x, _ = read(a["data"])
    model, _ = booster("lightgbm" if peer == "shap" else peer, a["model"], threads)
    if peer == "xgboost":
        import xgboost as xgb
        rows = xgb.DMatrix(x, nthread=threads)
        run = lambda: model.predict(rows, pred_contribs=True)
    elif peer == "lightgbm":
        run = lambda: model.predict(x, pred_contrib=True, num_threads=threads)
    else:
        import numpy as np
        import shap
        explainer = shap.TreeExplainer(model)
        explainer.model.model_type = "internal"  # else it asks the model's own library

        def run():
            values = explainer.shap_values(x, check_additivity=False)
            values = values[-1] if isinstance(values, list) else values
            bias = np.full((len(x), 1), np.ravel(explainer.expected_value)[-1])
            return np.hstack([values, bias])
    best, out = float("inf"), None
    for _ in range(1 if peer == "shap" else 2):
        start = clock()
        out = run()
        best = min(best, clock() - start)
    return best, float(out[:, -1].mean()), {}


def predict_single(peer, threads, a):
    """One row per call through the C library, without Python's share of the time."""
    import ctypes
    import numpy as np
    x, _ = read(a["data"])
    x = np.ascontiguousarray(x[:2000])
    if peer == "xgboost":
        return xgboost_single(x, a)
    import lightgbm as lgb
    from lightgbm.basic import _LIB as lib
    model = lgb.Booster(model_file=a["model"])
    config = ctypes.c_void_p()
    if lib.LGBM_BoosterPredictForMatSingleRowFastInit(
            model._handle, ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(-1),
            ctypes.c_int(0), ctypes.c_int32(x.shape[1]), ctypes.c_char_p(b"num_threads=1"),
            ctypes.byref(config)):
        sys.exit("LightGBM refused")
    out, size = (ctypes.c_double * 4)(), ctypes.c_int64()
    call = lib.LGBM_BoosterPredictForMatSingleRowFast
    times, total, base = [], 0.0, x.ctypes.data
    step = x.shape[1] * 4
    rows = [ctypes.c_void_p(base + i * step) for i in range(len(x))]
    size_ref = ctypes.byref(size)
    for s in range(200):
        start = clock()
        for i in range(100):
            call(config, rows[(s * 100 + i) % len(rows)], size_ref, out)
        times.append((clock() - start) / 100)
        total += out[0]
    times.sort()
    return times[100], total, {"p99": times[198]}


def xgboost_single(x, a):
    import ctypes
    import xgboost as xgb
    from xgboost.core import _LIB as lib
    model = xgb.Booster(model_file=a["model"])
    model.set_param({"nthread": 1})
    text = json.dumps({"type": 0, "training": False, "iteration_begin": 0,
                       "iteration_end": 0, "missing": float("nan"),
                       "strict_shape": False, "cache_id": 0}).encode()
    shape, dim = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    result = ctypes.POINTER(ctypes.c_float)()
    rows = [json.dumps({"data": [x.ctypes.data + i * x.shape[1] * 4, True],
                        "shape": [1, x.shape[1]], "typestr": "<f4", "version": 3}).encode()
            for i in range(len(x))]
    times, total = [], 0.0
    for s in range(60):
        start = clock()
        for i in range(100):
            if lib.XGBoosterPredictFromDense(model.handle, rows[(s * 100 + i) % len(rows)],
                                             text, None, ctypes.byref(shape),
                                             ctypes.byref(dim), ctypes.byref(result)):
                sys.exit("XGBoost refused")
        times.append((clock() - start) / 100)
        total += result[0]
    times.sort()
    return times[30], total, {"p99": times[58]}


def bindings(peer, threads, a):
    """One row of NumPy per call through the peer's own Python."""
    x, _ = read(a["data"])
    rows = [np_row for np_row in x[:200].astype("f8").reshape(200, 1, -1)]
    if peer == "sklearn-hist":
        from sklearn.ensemble import HistGradientBoostingClassifier
        xt, yt = read(a["train"])
        run = HistGradientBoostingClassifier(
            max_iter=int(a["trees"]), max_leaf_nodes=int(a["leaves"]), early_stopping=False,
            min_samples_leaf=1).fit(xt, yt).predict_proba
    else:
        _, run = booster(peer, a["model"], threads)
    times, total = [], 0.0
    for _ in range(20):
        start = clock()
        for row in rows:
            total += float(run(row).ravel()[0])
        times.append((clock() - start) / len(rows))
    return sorted(times)[10], total, {}


def load(peer, threads, a):
    times = []
    for _ in range(31):
        start = clock()
        booster(peer, a["model"], 1)
        times.append(clock() - start)
    times.sort()
    return times[15], 1.0, {}


def csv(peer, threads, a):
    path = a["file"]
    if peer == "polars":
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars as pl
        start = clock()
        table = pl.read_csv(path, infer_schema_length=None)
        seconds = clock() - start
        return seconds, float(table.to_series(1).sum()), {}
    if peer == "pandas-pyarrow":
        import pyarrow as pa
        pa.set_cpu_count(threads)
        import pandas as pd
        start = clock()
        table = pd.read_csv(path, engine="pyarrow")
        seconds = clock() - start
        return seconds, float(table.iloc[:, 1].sum()), {}
    if peer == "pandas":
        import pandas as pd
        start = clock()
        table = pd.read_csv(path)
        seconds = clock() - start
        return seconds, float(table.iloc[:, 1].sum()), {}
    import duckdb
    connection = duckdb.connect()
    connection.execute(f"SET threads={threads}")
    start = clock()
    connection.execute(f"CREATE TABLE t AS SELECT * FROM read_csv('{path}', sample_size=-1)")
    seconds = clock() - start
    return seconds, float(connection.execute("SELECT sum(f1) FROM t").fetchone()[0]), {}


WORKLOADS = {"logistic": logistic, "forest": forest, "binning": binning, "gbdt": gbdt, "gbdt_plain": gbdt_plain, "gbdt_wide": gbdt_plain,
             "gbdt_categories": gbdt_categories, "gbdt_rank": gbdt_rank, "gbdt_multiclass": gbdt_multiclass,
             "tree-predict-batch": predict_batch, "tree-predict-single": predict_single,
             "shap": shapley,
             "bindings": bindings, "load": load, "csv": csv}


def main():
    workload, peer, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    arguments = dict(item.split("=", 1) for item in sys.argv[4:])
    seconds, quality, extra = WORKLOADS[workload](peer, threads, arguments)
    print(json.dumps({"seconds": seconds, "quality": quality, **extra}))


if __name__ == "__main__":
    main()
