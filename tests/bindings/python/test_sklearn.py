# SPDX-License-Identifier: MIT
"""libml.sklearn: the checks of scikit-learn itself on every generated class, and the classes
inside its tools."""

import io
import pickle
import re
import unittest
import warnings

import libml
from support import ROOT, Case, module, needs

sklearn = module("sklearn")
np = module("numpy")
if sklearn is not None:
    from sklearn.base import clone
    from sklearn.utils import estimator_checks
    from libml import sklearn as ls

# Searches are kept short: each check fits several times.
SHORT = {"AutoMLClassifier": {"trials": 2}, "AutoMLRegressor": {"trials": 2}}
# Checks that scikit-learn leaves out itself: unless its environment is set up for them, and
# (1.2.1, by the names of classes) for forests, which have no decision function.
NOT_RUN = {"check_array_api_input",
           "check_classifiers_multilabel_output_format_decision_function"}


def documented():
    """What docs/python.md says may fail: (class, check)."""
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    return set(re.findall(r"^\| `(\w+)` \| `(check_\w+)` \|", text, re.M))


def outcomes(estimator):
    """(check, "passed", "failed", "skipped" or "xfail", reason) of all checks."""
    if hasattr(estimator_checks, "estimator_checks_generator"):
        for r in estimator_checks.check_estimator(estimator, on_fail=None, on_skip=None):
            yield r["check_name"], r["status"], r["exception"]
        return
    for one, check in estimator_checks.check_estimator(estimator, generate_only=True):
        name = getattr(check, "func", check).__name__
        try:
            check(one)
            yield name, "passed", None
        except unittest.SkipTest as skip:
            excused = re.match(r"Skipping (check_\w+) for", str(skip))
            yield excused.group(1) if excused else name, "skipped", skip
        except Exception as problem:
            yield name, "failed", problem


@needs("sklearn")
class Checks(Case):
    """A test per class is added below."""

    def all_checks(self, cls):
        allowed = {check for name, check in documented() if name == cls.__name__}
        self.assertEqual(set(getattr(cls, "_xfail", {})) - allowed, set(),
                         "docs/python.md must say why")
        bad, total = [], 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for check, status, why in outcomes(cls(**SHORT.get(cls.__name__, {}))):
                total += 1
                excused = status == "skipped" and check in NOT_RUN
                if status == "passed" or excused or check in allowed:
                    continue
                bad.append(f"{check} {status}: {why}")
        self.assertGreater(total, 30)
        self.assertEqual(bad, [])


def _add(cls):
    setattr(Checks, f"test_{cls.__name__}", lambda self: self.all_checks(cls))


if sklearn is not None:
    for _name in ls.__all__:
        _add(getattr(ls, _name))


def rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 4))
    return x, np.where(x[:, 0] + x[:, 1] > 1, "yes", "no"), 3 * x[:, 0] - x[:, 2]


@needs("sklearn")
class Tools(Case):
    def test_every_algorithm_is_there(self):
        names = set()
        for name in libml.list_algorithms():
            schema = libml.describe(name)
            tasks = [] if "resample" in schema["caps"] else schema["tasks"]
            if tasks and {k["name"] for k in schema["kinds"]} == {"transform"}:
                tasks = ["transform"]
            for task in ("classification", "regression", "transform"):
                if task in tasks:
                    names.add((name, task))
        have = {(getattr(ls, c)._algorithm, getattr(ls, c)._task) for c in ls.__all__}
        self.assertEqual(names - have, set())

    def test_pipeline_search_and_scores(self):
        from sklearn.model_selection import GridSearchCV, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        x, y, z = rows()
        pipe = make_pipeline(StandardScaler(), ls.GBDTClassifier(n_trees=10))
        search = GridSearchCV(pipe, {"gbdtclassifier__max_leaves": [3, 15]}, cv=3).fit(x, y)
        self.assertGreater(search.score(x, y), 0.9)
        self.assertEqual(set(search.predict(x)), {"yes", "no"})
        scores = cross_val_score(ls.GBDTRegressor(n_trees=30), x, z, cv=3)
        self.assertGreater(scores.mean(), 0.8)
        parallel = cross_val_score(ls.GBDTRegressor(n_trees=30), x, z, cv=3, n_jobs=2)
        np.testing.assert_array_equal(scores, parallel)

    def test_ensembles_and_calibration(self):
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier
        from sklearn.multiclass import OneVsRestClassifier
        x, y, z = rows(150)
        one = ls.GBDTClassifier(n_trees=5)
        for tool in (CalibratedClassifierCV(one, cv=2), OneVsRestClassifier(one),
                     VotingClassifier([("a", one), ("b", ls.BaselineClassifier())], voting="soft"),
                     StackingClassifier([("a", one)], cv=2)):
            self.assertGreater(tool.fit(x, y).score(x, y), 0.7, tool)
        BaggingRegressor(ls.GBDTRegressor(n_trees=3), n_estimators=2).fit(x, z).predict(x)

    def test_clone_params_and_repr(self):
        est = ls.GBDTClassifier(n_trees=7, random_state=3)
        other = clone(est)
        self.assertEqual(other.get_params(), est.get_params())
        other.set_params(n_trees=9)
        self.assertIn("n_trees=9", repr(other))
        self.assertIn("<", other._repr_html_())
        self.refused(ValueError, "Invalid parameter", est.set_params, nope=1)
        self.refused(libml.RangeError, "n_trees", ls.GBDTClassifier(n_trees=-1).fit,
                     *rows()[:2])

    def test_names_of_other_libraries(self):
        import inspect
        from sklearn.model_selection import GridSearchCV
        x, y, z = rows(150)
        est = ls.GBDTClassifier(n_estimators=7, num_leaves=5, random_seed=3)
        self.assertEqual((est.n_trees, est.max_leaves, est.random_state), (7, 5, 3))
        self.assertEqual(repr(est), repr(clone(est)))
        self.assertNotIn("n_estimators", est.get_params())
        self.assertNotIn("n_estimators", inspect.signature(ls.GBDTClassifier).parameters)
        self.assertEqual(est.set_params(eta=0.5, n_trees=8).learning_rate, 0.5)
        search = GridSearchCV(est, {"num_leaves": [3, 9]}, cv=2).fit(x, y)
        self.assertIn(search.best_estimator_.max_leaves, (3, 9))
        self.refused(TypeError, "'n_estimators' is another name of 'n_trees'",
                     ls.GBDTClassifier, n_estimators=7, n_trees=8)
        self.refused(TypeError, "n_trees", ls.GBDTClassifier, n_estimators=7, iterations=8)
        self.refused(TypeError, "nope", ls.GBDTClassifier, nope=1)
        self.refused(TypeError, "label", ls.GBDTClassifier, label="y") # a column is not set
        pipe = ls.PipelineRegressor(steps=[("scale", ls.StandardScaler()),
                                           ("trees", ls.GBDTRegressor(iterations=9))])
        self.assertEqual(pipe.set_params(trees__eta=0.3).get_params()["trees__learning_rate"],
                         0.3)
        self.assertEqual(pipe.fit(x, z).get_params()["trees__n_trees"], 9)

        class Few(ls.GBDTRegressor):
            def __init__(self, rounds=3):
                super().__init__(n_estimators=rounds)
                self.rounds = rounds
        self.assertEqual(Few().n_trees, 3)

    def test_pickle_and_joblib_through_the_model_file(self):
        import joblib
        x, y, _ = rows()
        est = ls.GBDTClassifier(n_trees=5).fit(x, y)
        data = pickle.dumps(est)
        self.assertIn(b"safetensors" if b"safetensors" in est.model_.to_bytes()
                      else est.model_.to_bytes()[:64], data)
        out = io.BytesIO()
        joblib.dump(est, out)
        out.seek(0)
        for back in (pickle.loads(data), joblib.load(out)):
            np.testing.assert_array_equal(back.predict_proba(x), est.predict_proba(x))
            self.assertEqual(back.model_.to_bytes(), est.model_.to_bytes())

    def test_single_and_batch(self):
        x, y, z = rows()
        est = ls.GBDTClassifier(n_trees=5).fit(x, y)
        whole = est.predict_proba(x)
        for i in range(5):
            np.testing.assert_array_equal(est.predict_proba(x[i:i + 1])[0], whole[i])

    def test_weights_classes_and_stopping(self):
        x, y, z = rows()
        est = ls.GBDTClassifier(n_trees=500, early_stopping_rounds=2, class_weight="balanced")
        est.fit(x, y, sample_weight=np.ones(len(x)), eval_set=(x, y[::-1]))
        self.assertLess(int(est.model_.n_rounds), 500)
        self.refused(ValueError, "eval_set", est.fit, x, y, eval_set=3)
        self.refused(ValueError, "classes", est.fit, x, y, eval_set=(x, ["new"] * len(x)))
        with self.assertRaises(KeyboardInterrupt):
            def press(p):
                raise KeyboardInterrupt
            est.fit(x, y, progress=press)

    def test_several_targets(self):
        X, _, y = rows()
        both = np.column_stack([y, X[:, 0] * 2])
        model = ls.RandomForestRegressor(n_trees=20, random_state=0).fit(X, both)
        self.assertEqual(model.predict(X).shape, both.shape)
        self.assertGreater(model.score(X, both), 0.8)
        model = ls.GBDTRegressor(early_stopping_rounds=5).fit(X, both, eval_set=(X, both[::-1]))
        self.assertEqual(model.predict(X).shape, both.shape)
        self.assertLess(int(model.model_.n_rounds), 200)
        self.refused(ValueError, "the eval_set has 1 target, y has 2", model.fit, X, both,
                     eval_set=(X, y))
        self.refused(ValueError, "the eval_set has 3 targets, y has 2", model.fit, X, both,
                     eval_set=(X, np.column_stack([both, y])))
        labels = np.column_stack([X[:, 0] > 0.5, X[:, 1] > 0.5])
        model = ls.ExtraTreesClassifier(n_trees=20, random_state=0).fit(X, labels)
        self.assertTrue((model.predict(X) == labels).all())
        self.assertEqual([p.shape for p in model.predict_proba(X)], [(len(X), 2)] * 2)
        three = np.column_stack([np.digitize(X[:, 0], [0.3, 0.6]), labels[:, 1]])
        model = ls.RandomForestClassifier(n_trees=20, random_state=0).fit(X, three)
        self.assertGreater((model.predict(X) == three).mean(), 0.95)
        self.assertEqual([p.shape[1] for p in model.predict_proba(X)], [3, 2])
        self.refused(ValueError, "Unknown label type", model.fit, X, both)

    def test_importances_and_coefficients(self):
        x, y, z = rows()
        est = ls.GBDTRegressor(n_trees=20).fit(x, z)
        self.assertEqual(est.feature_importances_.shape, (4,))
        self.assertAlmostEqual(est.feature_importances_.sum(), 1)
        self.assertEqual(int(est.feature_importances_.argmax()), 0)
        from sklearn.linear_model import LinearRegression
        ours, theirs = ls.LinearRegression().fit(x, z), LinearRegression().fit(x, z)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
        self.assertAlmostEqual(ours.intercept_, theirs.intercept_)
        constant = np.column_stack([x[:, :2], np.full(len(x), 2.0), x[:, 2:]])
        self.assertEqual(ls.LinearRegression().fit(constant, z).coef_.shape, (5,))

    @needs("pandas")
    def test_frames(self):
        import pandas as pd
        x, y, z = rows()
        frame = pd.DataFrame(x[:, :3], columns=["a", "b", "c"])
        frame["color"] = pd.Categorical(np.where(x[:, 3] > 0.5, "red", "green"))
        frame.loc[3, "color"] = None
        frame.loc[4, "a"] = np.nan
        est = ls.GBDTClassifier(n_trees=5).fit(frame, y)
        self.assertEqual(list(est.feature_names_in_), ["a", "b", "c", "color"])
        self.assertEqual(est.n_features_in_, 4)
        turned = frame[["a", "b", "c", "color"]]
        np.testing.assert_array_equal(est.predict(turned), est.predict(frame))
        self.refused_lines(ValueError, "feature names", est.predict,
                           frame.rename(columns={"a": "z"}))
        self.refused_lines(ValueError, "features", est.predict, frame[["a", "b"]].to_numpy())
        unseen = frame.head(2).assign(color=pd.Categorical(["mauve", None]))
        self.assertEqual(len(est.predict(unseen)), 2)
        declared = ls.GBDTRegressor(n_trees=5, categorical=["a"])
        declared.fit(frame[["a", "b"]].round(1), z).predict(frame[["a", "b"]].round(1))

    @needs("polars")
    def test_polars(self):
        import polars as pl
        x, y, z = rows()
        frame = pl.DataFrame(x, schema=list("abcd"))
        est = ls.GBDTRegressor(n_trees=5).fit(frame, z)
        np.testing.assert_array_equal(est.predict(frame), est.predict(frame.to_numpy()))

    def test_feature_names_after_arrays(self):
        x, y, _ = rows()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            est = ls.GBDTClassifier(n_trees=3).fit(x, y)
            self.assertEqual(est.predict(x.tolist()).shape, (300,))

    def refused_lines(self, kind, word, function, *args):
        with self.assertRaises(kind) as caught:
            function(*args)
        self.assertIn(word, str(caught.exception))

    @needs("pandas")
    def test_target_encoder_cross_fits(self):
        import pandas as pd
        from sklearn.pipeline import make_pipeline
        rng = np.random.default_rng(5)
        y = rng.random(300)  # the names say nothing about it
        frame = pd.DataFrame({"name": rng.integers(0, 100, 300).astype(str), "x": 1.0})
        few, some = frame[:100], y[:100]
        encoder = ls.TargetEncoder(folds=100, smooth="0")
        made = encoder.fit_transform(few, some)[:, 0].astype(float)
        total, n = (pd.Series(some).groupby(few["name"]).transform(f) for f in ("sum", "size"))
        others = np.where(n > 1, (total - some) / np.maximum(n - 1, 1),
                          (some.sum() - some) / 99)
        np.testing.assert_allclose(made, others)
        np.testing.assert_allclose(encoder.transform(few)[:, 0].astype(float), total / n)
        pipe = make_pipeline(ls.TargetEncoder(), ls.LinearRegression()).fit(frame, y)
        leaky = make_pipeline(ls.TargetEncoder(folds=1), ls.LinearRegression()).fit(frame, y)
        self.assertLess(pipe.score(frame, y), leaky.score(frame, y) - 0.1)
        framed = ls.TargetEncoder().set_output(transform="pandas").fit_transform(frame, y)
        self.assertEqual(list(framed.columns), ["name", "x"])

    @needs("pandas")
    def test_cross_fitting_is_weighted(self):
        import pandas as pd
        rng = np.random.default_rng(5)
        frame = pd.DataFrame({"name": rng.integers(0, 5, 200).astype(str)})
        y, weight = rng.random(200), rng.integers(0, 3, 200).astype(float)
        silly = np.where(weight > 0, y, 1e6)
        one = ls.PipelineTransformer(["imputer", ls.TargetEncoder(smooth="0")])
        for scale in (1, 0.3):  # whole numbers are repetitions, others are not
            made = one.fit_transform(frame, silly, sample_weight=weight * scale)
            self.assertLess(np.asarray(made, float).max(), 1)
            np.testing.assert_array_equal(
                made, one.fit_transform(frame, y, sample_weight=weight * scale))
        ones = one.fit_transform(frame, y, sample_weight=np.ones(len(y)))
        np.testing.assert_array_equal(ones, one.fit_transform(frame, y))

    @needs("pandas")
    def test_transformers_of_frames(self):
        import pandas as pd
        from sklearn.pipeline import make_pipeline
        x, y, _ = rows()
        frame = pd.DataFrame({"a": x[:, 0], "color": np.where(x[:, 1] > 0.5, "red", "green")})
        frame.loc[3] = [np.nan, None]
        filled = ls.Imputer().fit(frame).transform(frame)
        self.assertEqual(filled.shape, (300, 2))
        self.assertFalse(pd.isna(filled).any())
        self.assertEqual(set(filled[:, 1]), {"red", "green"})
        encoder = ls.OneHotEncoder().set_output(transform="pandas").fit(frame)
        out = encoder.transform(frame)
        self.assertEqual(list(out.columns), list(encoder.get_feature_names_out()))
        pipe = make_pipeline(ls.Imputer(), ls.OneHotEncoder(), ls.LogisticRegression())
        self.assertGreater(pipe.fit(frame, y).score(frame, y), 0.6)
        target = ls.TargetEncoder().fit(frame, y)
        self.assertEqual(target.transform(frame).shape, (300, 2))

    def test_text(self):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        docs = ["the film was good, really good", "a bad film; don't see it",
                "good music and a good cast", "bad, bad and boring", "good fun", "fun"]
        want = TfidfVectorizer().fit_transform(docs).toarray()
        words = ls.TfIdf(words="simple")
        for given in (docs, np.array(docs), np.array(docs, object)):
            self.assertLess(abs(words.fit(given).transform(given) - want).max(), 1e-12)
        self.assertEqual(words.transform(["zzz", None]).sum(), 0)
        pipe = make_pipeline(ls.CountVectorizer(), ls.LogisticRegression())
        self.assertEqual(list(pipe.fit(docs, [1, 0, 1, 0, 1, 1]).predict(docs[:2])), [1, 0])

    def test_what_is_no_text(self):
        words = ls.CountVectorizer()
        for bad in (["a b", 3], ["a b", b"c"], np.array(["a", 4], object), np.array([b"a"])):
            self.refused(TypeError, "texts", words.fit, bad)
        self.assertEqual(words.fit(["one two", None, np.nan, "two"]).transform(["two"]).sum(), 1)

    def test_text_of_composed_estimators(self):
        docs = ["the film was good, really good", "a bad film; don't see it",
                "good music and a good cast", "bad, bad and boring", "good fun", "so bad"] * 5
        y = [1, 0, 1, 0, 1, 0] * 5
        pipe = ls.PipelineClassifier([ls.TfIdf(), "logistic_regression"])
        for given in (docs, np.array(docs), np.array(docs, object)):
            self.assertEqual(pipe.fit(given, y).score(given, y), 1)
        self.assertEqual(clone(pipe).fit(docs, y).model_.to_bytes(), pipe.model_.to_bytes())
        words = ls.PipelineTransformer([ls.TfIdf()]).fit(docs)
        np.testing.assert_array_equal(words.transform(docs),
                                      ls.TfIdf().fit(docs).transform(docs))
        found = ls.AutoMLClassifier(trials=2, folds=2, algorithms=["logistic_regression"])
        self.assertEqual(found.fit(docs, y).score(docs, y), 1)
        if module("pandas"):
            import pandas as pd
            frame = pd.DataFrame({"shop": ["a", "b", "a"] * 10, "said": docs})
            self.assertEqual(pipe.fit(pd.Series(docs), y).score(docs, y), 1)
            pipe.set_params(text=["said"], steps=[
                ls.Columns([("words", [ls.TfIdf()], ["said"]), ("shop", ["one_hot_encoder"], ["shop"])]),
                "logistic_regression"])
            self.assertEqual(pipe.fit(frame, y).score(frame, y), 1)
            self.assertEqual([i["kind"] for i in pipe.model_.info["inputs"]],
                             ["categorical", "text"])

    @needs("pandas")
    def test_one_column_of_categories_is_no_text(self):
        import pandas as pd
        frame, y = pd.DataFrame({"c": ["a", "b"] * 100}), [0, 1] * 100
        search = ls.AutoMLClassifier(trials=2, folds=2, algorithms=["gbdt"])
        value = ls.AutoMLRegressor(trials=2, folds=2, algorithms=["gbdt"])
        for given in (frame, frame.astype("category")):
            self.assertEqual(search.fit(given, y).score(given, y), 1)
            self.assertEqual(search.model_.info["inputs"][0]["kind"], "categorical")
            self.assertGreater(value.fit(given, np.array(y, float)).score(given, y), 0.9)
        for name, kind in (("aa bb", "text"), ("a", "categorical")):  # a list of texts, declared
            docs = [name, "cc dd"] * 100
            search.set_params(text="auto" if kind == "text" else [])
            self.assertEqual(search.fit(docs, y).score(docs, y), 1)
            self.assertEqual(search.model_.info["inputs"][0]["kind"], kind)

    @needs("pandas")
    def test_frames_keep_types(self):
        import pandas as pd
        x, y, z = rows()
        frame = pd.DataFrame({"a": x[:, 0], "day": pd.date_range("2024-01-31", periods=300),
                              "k": np.where(x[:, 1] > 0.5, "red", "green")})
        part = frame.sample(20, random_state=1)
        out = ls.StandardScaler().set_output(transform="pandas").fit(frame).transform(part)
        self.assertEqual(out["a"].dtype, float)
        self.assertEqual(list(out["k"]), list(part["k"]))
        self.assertEqual(list(out["day"].dt.day_of_year), list(part["day"].dt.day_of_year))
        self.assertTrue((out.index == part.index).all())
        if module("polars"):
            framed = ls.StandardScaler().set_output(transform="polars").fit(frame)
            self.assertNotIn("Object", [str(t) for t in framed.transform(part).dtypes])

    def test_set_output(self):
        made = [getattr(ls, n) for n in ls.__all__ if getattr(ls, n)._task == "transform"]
        for cls in made:
            with self.subTest(cls.__name__):
                x, y, z = rows()
                one = cls().fit(x, y)
                names = one.get_feature_names_out()
                self.assertEqual(one.transform(x).shape, (300, len(names)))
                if module("pandas"):
                    framed = cls().set_output(transform="pandas").fit(x, y).transform(x)
                    self.assertEqual(list(framed.columns), list(names))


@needs("sklearn", "pandas")
class Composed(Case):
    """Estimators made of others."""

    def setUp(self):
        import pandas as pd
        x, self.y, self.z = rows()
        self.x = x
        self.frame = pd.DataFrame(x, columns=list("abcd"))
        self.frame["k"] = pd.Categorical(np.where(x[:, 3] > 0.5, "red", "green"))
        self.frame.loc[3, "a"] = np.nan

    def test_several_targets(self):
        both = np.column_stack([self.x[:, 3], 2 * self.x[:, 3]])
        pipe = ls.PipelineRegressor([ls.StandardScaler(), ls.GBDTRegressor(n_trees=5)])
        self.assertEqual(pipe.fit(self.x, both).predict(self.x).shape, both.shape)
        with self.assertRaisesRegex(ValueError, "1d|y should be"):
            ls.PipelineRegressor().fit(self.x, both)

    def test_a_pipeline_is_that_of_the_library(self):
        pipe = ls.PipelineRegressor([ls.Imputer(strategy="median"), ("s", ls.StandardScaler()),
                                     ls.GBDTRegressor(n_trees=5)]).fit(self.frame, self.z)
        own = libml.Pipeline(task="regression", steps=[
            libml.Imputer(strategy="median"), ("s", libml.StandardScaler()),
            libml.GBDT(n_trees=5)]).fit(self.frame, self.z)
        np.testing.assert_array_equal(pipe.predict(self.frame), own.predict(self.frame))
        self.assertEqual(pipe.model_.params["imputer.strategy"], "median")

    def test_parameters_of_parts(self):
        pipe = ls.PipelineClassifier([ls.Imputer(), ("scale", ls.StandardScaler()), "gbdt"])
        given = pipe.steps
        other = clone(pipe).set_params(gbdt__n_trees=7, scale__with_mean=False)
        self.assertIs(pipe.steps, given)
        self.assertTrue(pipe.get_params()["scale__with_mean"])
        self.assertFalse(other.get_params()["scale__with_mean"])
        self.assertEqual(other.fit(self.frame, self.y).model_.params["gbdt.n_trees"], 7)
        other.set_params(imputer=ls.Imputer(strategy="mode"), imputer__indicators=True)
        self.assertEqual(other.get_params()["imputer__strategy"], "mode")
        self.assertTrue(other.get_params()["imputer"].indicators)
        other.set_params(steps=["gbdt"], gbdt__n_trees=3)
        self.assertEqual(other.fit(self.frame, self.y).model_.params["gbdt.n_trees"], 3)
        self.assertNotIn("scale", other.get_params())
        self.assertEqual(clone(other).get_params()["gbdt__n_trees"], 3)
        self.refused(ValueError, "Invalid parameter 'nope'", pipe.set_params, nope__x=1)
        self.refused(ValueError, "Invalid parameter 'nope'", pipe.set_params, scale__nope=1)
        nested = ls.PipelineClassifier([ls.Columns([("n", ["imputer"], "number")]), "gbdt"])
        nested.set_params(columns__rest="drop")
        self.assertEqual(nested.fit(self.frame, self.y).model_.params["columns.rest"], "drop")

    def test_parameters_in_lists_of_branches(self):
        columns = ls.Columns([("num", ["imputer", ls.StandardScaler()], "number"), (
            "cat", ls.OneHotEncoder(), ["k"])])
        pipe = ls.PipelineClassifier([columns, "gbdt"])
        self.assertTrue(pipe.get_params()["columns__num__standard_scaler__with_mean"])
        self.assertNotIn("columns__num__steps", pipe.get_params())
        other = clone(pipe).set_params(columns__num__imputer__strategy="mode",
                                       columns__num__standard_scaler__with_mean=False)
        params = other.fit(self.frame, self.y).model_.params
        self.assertEqual(params["columns.num.imputer.strategy"], "mode")
        self.assertIs(params["columns.num.standard_scaler.with_mean"], False)
        self.assertTrue(pipe.get_params()["columns__num__standard_scaler__with_mean"])
        self.refused(ValueError, "list of steps", other.set_params, columns__num__columns=["a"])

    def test_steps_that_change_rows(self):
        from sklearn.pipeline import make_pipeline
        y = np.where(self.x[:, 0] > 0.9, "yes", "no")
        smote = ls.Smote(k_neighbors=3)
        for steps in (["imputer", smote, "gbdt"], ["imputer", "class_balancer", "gbdt"]):
            pipe = ls.PipelineClassifier(steps).fit(self.x, y)
            plain = ls.PipelineClassifier([steps[0], steps[2]]).fit(self.x, y)
            self.assertGreater(np.abs(pipe.predict_proba(self.x) -
                                      plain.predict_proba(self.x)).max(), 0)
        self.assertEqual(pickle.loads(pickle.dumps(smote)).k_neighbors, 3)
        clone(ls.PipelineClassifier(["imputer", smote, "gbdt"])).set_params(smote__k_neighbors=4)
        for name in ("fit", "transform", "fit_transform"):
            self.assertFalse(hasattr(smote, name))
        self.refused(AttributeError, "a step of a PipelineClassifier", lambda: smote.fit)
        self.refused(AttributeError, "no attribute 'nope'", lambda: smote.nope)
        with self.assertRaises(TypeError):
            make_pipeline(smote, ls.GBDTClassifier()).fit(self.x, y)

    def test_search(self):
        from sklearn.model_selection import GridSearchCV
        pipe = ls.PipelineClassifier(["imputer", ls.GBDTClassifier(n_trees=5)])
        search = GridSearchCV(pipe, {"gbdt__max_leaves": [3, 7],
                                     "imputer": [ls.Imputer(), ls.Imputer(strategy="mode")]},
                              cv=2).fit(self.frame, self.y)
        self.assertGreater(search.score(self.frame, self.y), 0.8)
        back = pickle.loads(pickle.dumps(search.best_estimator_))
        self.assertEqual(back.model_.to_bytes(), search.best_estimator_.model_.to_bytes())

    def test_columns(self):
        columns = ls.Columns([("num", ["imputer", "standard_scaler"], "number"),
                              ("cat", ls.TargetEncoder(smooth="10"), ["k"])])
        fitted = columns.fit_transform(self.frame, self.y)
        plain = columns.transform(self.frame)
        np.testing.assert_array_equal(fitted[:, :4], plain[:, :4])
        self.assertGreater(np.abs(fitted[:, 4] - plain[:, 4]).max(), 0)
        self.assertEqual(list(columns.get_feature_names_out()), list("abcdk"))
        self.refused(ValueError, "requires y", columns.fit, self.frame)
        steps = ls.PipelineTransformer(["one_hot_encoder"], columns=["k"])
        hot = ls.Columns({"k": steps}, rest="drop").fit(self.frame)
        np.testing.assert_array_equal(hot.transform(self.frame).sum(axis=1), 1)

    def test_ensemble(self):
        members = [("line", ls.LinearRegression()), ls.GBDTRegressor(n_trees=5),
                   ls.PipelineRegressor([ls.StandardScaler(), "linear_regression"])]
        both = ls.EnsembleRegressor(members, weights=[1, 2, 3]).fit(self.x, self.z)
        line = ls.LinearRegression().fit(self.x, self.z).predict(self.x)
        trees = ls.GBDTRegressor(n_trees=5).fit(self.x, self.z).predict(self.x)
        np.testing.assert_allclose(both.predict(self.x), (4 * line + 2 * trees) / 6)
        self.refused(libml.ArgumentError, "weights", ls.EnsembleRegressor(
            members, weights=[1]).fit, self.x, self.z)

    def test_stacking(self):
        both = ls.StackingRegressor(
            [("line", ls.LinearRegression()), ls.GBDTRegressor(n_trees=5)], folds=3,
            final=ls.LinearRegression(penalty="l2", alpha=0.5))
        self.assertIn("linear_regression__alpha", both.get_params())
        clone(both).set_params(linear_regression__alpha=2.0, line__intercept=False)
        self.assertEqual(both.final.alpha, 0.5)
        fitted = both.fit(self.x, self.z).model_
        self.assertEqual(fitted.params["linear_regression.alpha"], 0.5)
        own = libml.Stacking(members=[("line", libml.LinearRegression()),
                                      libml.GBDT(n_trees=5)], task="regression", folds=3,
                             final=[libml.LinearRegression(penalty="l2", alpha=0.5)])
        np.testing.assert_array_equal(own.fit(self.x, self.z).predict(self.x),
                                      both.predict(self.x))
        same = ls.StackingRegressor(["linear_regression"], final=["linear_regression"])
        self.assertIn("linear_regression_2", same.get_params())
        self.assertGreater(same.fit(self.x, self.z).score(self.x, self.z), 0.9)
        self.assertEqual(clone(same).set_params(final="gbdt", gbdt__n_trees=3).fit(
            self.x, self.z).model_.params["gbdt.n_trees"], 3)

    def test_automl(self):
        found = ls.AutoMLClassifier(trials=3, folds=2).fit(self.frame, self.y)
        self.assertGreater(found.score(self.frame, self.y), 0.8)
        self.assertEqual(len(found.leaderboard_), 3)
        self.assertNotIn("members", found.get_params())

    def test_what_cannot_be(self):
        from sklearn.preprocessing import StandardScaler
        for parts, kind, word in (
                ([], ValueError, "steps is empty"), (3, TypeError, "steps must be a list"),
                ([StandardScaler()], TypeError, "a pipeline of scikit-learn takes both"),
                (["gdbt"], libml.UnknownNameError, 'did you mean "gbdt"'),
                ([("a", "imputer"), ("a", "gbdt")], ValueError, "two parts are called 'a'"),
                ([("columns", "imputer"), "gbdt"], ValueError, "a part cannot be called"),
                ([("a.b", "gbdt")], ValueError, "without a dot"),
                ([ls.GBDTClassifier(n_jobs=1)], ValueError, "n_jobs of the part"),
                (["gbdt", "imputer"], ValueError, '"gbdt" is no transformer'),
                ([ls.GBDTRegressor()], TypeError, "GBDTRegressor is no classifier"),
                ([("a__b", "gbdt")], ValueError, "without __"),
                ([None], TypeError, "NoneType"), ([ls.Imputer], TypeError, "type"),
                ([ls.GBDTClassifier(class_weight="balanced")], ValueError,
                 "class_weight of the part"),
                ([ls.Imputer(strategy="nope"), "gbdt"], libml.RangeError,
                 "params.imputer.strategy")):
            pipe = ls.PipelineClassifier(parts)
            pipe.get_params(), repr(pipe)
            self.refused(kind, word, pipe.fit, self.frame, self.y)
        self.refused(libml.ArgumentError, "does not predict", libml.Ensemble(
            members=[libml.Pipeline(steps=["imputer"])]).fit, self.x, self.z)
