# SPDX-License-Identifier: MIT
"""Models, predictors, estimators, studies, reports, metrics, schemas."""

import io
import math
import pathlib
import pickle
import tempfile
import threading

import libml
from support import Case, classifier, module, needs, toy

np = module("numpy")


def flat(values):
    return [float(v) for v in values]


class Models(Case):
    def test_labels_have_the_type_of_the_target(self):
        for labels in (["no", "yes"], [3, 5], [False, True]):
            data = {"x": [0.0, 1.0] * 30, "y": labels * 30}
            model = libml.GBDT(target="y", task="classification", n_trees=3,
                               min_data_in_leaf=1).fit(data)
            self.assertEqual(model.classes, labels)
            self.assertEqual(list(model.predict({"x": [1.0, 0.0]})), labels[::-1])
            self.assertIs(type(model.classes[0]), type(labels[0]))

    def test_kinds(self):
        model, data = classifier()
        self.assertLessEqual({"class", "leaf", "proba", "score"}, set(model.kinds))
        proba = model.predict(data, "proba")
        self.assertEqual((len(proba), len(proba[0])), (200, 2))
        self.assertAlmostEqual(sum(proba[0]), 1)
        codes = model.predict(data, "class")
        labels = [model.classes[int(c)] for c in codes]
        self.assertEqual(labels, list(model.predict(data)))
        self.refused(libml.LibmlError, ["probability", "proba"], model.predict, data,
                     "probability")
        self.refused(TypeError, "kind", model.predict, data, 3)

    def test_inputs_by_name(self):
        model, data = classifier()
        wanted = list(model.predict(data))
        turned = {n: data[n] for n in ("color", "b", "a")}
        self.assertEqual(list(model.predict({**turned, "extra": data["a"]})), wanted)
        self.refused(libml.LibmlError, '"color"', model.predict, {"a": [1.0], "b": [1.0]})
        self.assertEqual(len(model.predict({n: [] for n in model.inputs})), 0)
        unseen = {"a": [0.9, None], "b": [0.5, 0.5], "color": ["mauve", None]}
        self.assertEqual(len(model.predict(unseen)), 2)

    def test_saved(self):
        model, data = classifier()
        wanted = list(model.predict(data))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "m.mlm"
            model.save(path)
            loaded = libml.load(path)
            self.assertEqual(list(loaded.predict(data)), wanted)
            with path.open("rb") as f:
                self.assertEqual(libml.load(f).to_bytes(), path.read_bytes())
            self.refused(libml.FileError, "nope", model.save, f"{folder}/nope/m.mlm")
            self.refused(libml.UnknownNameError, "compres", model.save, path, compres=1)
            path.write_bytes(b"\0" * 100)
            self.refused(libml.FormatError, "m.mlm", libml.load, path)
        for cut in (0, 1, 8, 100, -1):
            self.refused(libml.FormatError, "", libml.loads, model.to_bytes()[:cut])
        back = pickle.loads(pickle.dumps(model, protocol=2))
        self.assertEqual(list(back.predict(data)), wanted)
        self.refused(TypeError, "", libml.loads, "text")
        for kind in (bytearray, memoryview):
            self.assertEqual(libml.loads(kind(model.to_bytes())).algorithm, "gbdt")

    def test_a_file_that_raises(self):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError(28, "no space")
        model, _ = classifier()
        self.refused(OSError, "no space", model.save, Full())

    def test_about(self):
        model, _ = classifier()
        self.assertEqual(model.algorithm, "gbdt")
        self.assertEqual(model.inputs, ["a", "b", "color"])
        self.assertEqual(model.params["n_trees"], 10)
        self.assertIn("importance", model.attributes)
        self.assertIn("importance", dir(model))
        self.assertEqual(len(model.importance), 3)
        self.refused(libml.UnknownNameError, "importanc", model.tensor, "importanc")
        self.assertIn("gbdt", repr(model))
        html = model._repr_html_()
        self.assertIn("color", html)
        self.assertIn("gbdt", html)

    def test_evaluate(self):
        model, data = classifier()
        table = model.evaluate(data, ["accuracy", "roc_auc"])
        self.assertEqual(table.to_dict()["metric"], ["accuracy", "roc_auc"])
        self.assertGreater(model.score(data, "accuracy"), 0.8)
        self.refused(libml.UnknownNameError, "acuracy", model.score, data, "acuracy")

    def test_target_and_weight_as_values(self):
        data = toy()
        x = {n: data[n] for n in ("a", "b", "color")}
        named = libml.GBDT(target="y", n_trees=3, features=list(x)).fit(data)
        given = libml.GBDT(n_trees=3).fit(x, data["y"])
        self.assertEqual(flat(given.predict(x, "proba")[0]), flat(named.predict(x, "proba")[0]))
        weighted = libml.GBDT(n_trees=3).fit(x, data["y"], weight=[1.0, 5.0] * 100)
        self.assertNotEqual(flat(weighted.predict(x, "proba")[0]),
                            flat(named.predict(x, "proba")[0]))
        self.refused(ValueError, ["3 values", "target", "200 rows"],
                     libml.GBDT().fit, x, [1, 2, 3])
        self.refused(libml.LibmlError, "weight", libml.GBDT(n_trees=3).fit, x, data["y"],
                     weight=[-1.0] * 200)
        stopped = libml.GBDT(n_trees=500, early_stopping_rounds=3).fit(
            x, data["y"], valid=(x, data["y"][::-1]))
        self.assertLess(int(stopped.n_rounds), 500)

    def test_bad_training_data(self):
        est = libml.GBDT(target="y")
        self.refused(libml.LibmlError, '"y"', est.fit, {"x": [1, 2]})
        self.refused(libml.LibmlError, "", est.fit, {"x": [1.0, 2], "y": [None, None]})
        self.refused(libml.LibmlError, "", est.fit, {"y": [1.0, 2.0]})
        self.refused(TypeError, "None", est.fit, None)
        self.refused(libml.LibmlError, "inf", libml.GBDT(target="y", n_trees=1).fit,
                     {"x": [1.0, 2.0, 3.0], "y": [math.inf, 1.0, 2.5]})
        self.refused(libml.UnknownNameError, "nope",
                     libml.GBDT(target="y", features=["nope"]).fit, {"x": [1.0], "y": [1.0]})


class Predictors(Case):
    def test_single_rows_are_rows_of_the_batch(self):
        model, data = classifier()
        p = model.predictor("proba")
        batch = p.run(data)
        for i in range(20):
            row = [data["a"][i], data["b"][i], p.code("color", data["color"][i])]
            self.assertEqual(list(p.row(row)), list(batch[i]))
            self.assertEqual(list(p.rows([row])[0]), list(batch[i]))
        self.assertEqual(p.outputs, ["no", "yes"])
        self.assertTrue(math.isnan(p.code("color", None)))
        self.assertTrue(math.isnan(p.code(2, "mauve")))
        self.refused(KeyError, '"colour"', p.code, "colour", "red")
        table = p.run_table(data).to_dict()
        self.assertEqual(list(table), ["proba_no", "proba_yes"])

    def test_results_do_not_change_later(self):
        model, _ = classifier()
        p = model.predictor("proba")
        first = p.row([0.9, 0.5, 0])
        kept = list(first)
        p.row([0.1, 0.5, 1])
        self.assertEqual(list(first), kept)

    def test_wrong_rows(self):
        model, _ = classifier()
        for p in (model.predictor("proba"), model.predictor("class")):
            self.refused(ValueError, "3 inputs", p.row, [1.0, 2.0])
            self.refused(ValueError, "3", p.rows, [[1.0, 2.0]])
            self.refused((TypeError, ValueError), "", p.row, ["a", 1, 2])
            self.refused((TypeError, ValueError), "", p.rows, [["a", 1, 2]])
            self.refused(TypeError, "", p.row, None)
            for other in (3.0, {1: 2, 3: 4, 5: 6}, {1.0, 2.0, 3.0}, iter([1, 2, 3]), "123",
                          b"123"):
                self.refused(TypeError, "a row is a list or an array", p.row, other)
            p.row([math.nan, math.inf, 1e300])
            p.row((1, 2, True))

    @needs("scipy")
    def test_sparse_rows(self):
        from scipy import sparse
        random = np.random.default_rng(5)
        x = np.where(random.random((300, 30)) < 0.1, random.random((300, 30)), 0)
        y = x @ np.arange(30.0)
        holes = np.where(x == 0, np.nan, x)
        made = [libml.GBDT(n_trees=5), libml.LinearRegression()]
        for model in [e.fit(x, y) for e in made]:
            p = model.predictor()
            wanted = p.rows(x)
            m = sparse.csr_matrix(x)
            wide = sparse.csr_matrix((m.data, m.indices.astype(np.int64),
                                      m.indptr.astype(np.int64)), m.shape)
            for other in (m, m.tocsc(), m.tocoo(), sparse.csr_array(x), wide, m[::-1][::-1]):
                np.testing.assert_array_equal(p.rows(other), wanted)
                np.testing.assert_array_equal(p.run(other), wanted)
                np.testing.assert_array_equal(model.predict(other), wanted)
            np.testing.assert_array_equal(p.rows(m.astype(np.float32)),
                                          p.rows(x.astype(np.float32)))
            out = np.empty(300)
            p.rows(m, out=out)
            np.testing.assert_array_equal(out, wanted)
            np.testing.assert_array_equal(p.rows(m, absent=math.nan), p.rows(holes))
            np.testing.assert_array_equal(p.rows(m[10:20]), wanted[10:20])
            self.assertEqual(p.rows(m[:0]).shape, (0,))
            self.refused(ValueError, "30 inputs", p.rows, m[:, :29])
            self.refused(TypeError, "complex", p.rows, m.astype(complex))
            self.refused(ValueError, "50 elements", p.rows, m[:50], out=np.empty(49))
            bad = m.copy()
            bad.indices[3] = 30
            with self.assertRaisesRegex(libml.RangeError, "30 inputs, there is no number 30"):
                p.rows(bad)
            bad = m.copy()
            bad.indptr[5] = bad.indptr[6] + 1
            self.refused(ValueError, "ascend", p.rows, bad)
            bad = m.copy()
            bad.indptr[-1] += 1
            self.refused(ValueError, "damaged", p.rows, bad)
        named = libml.LinearRegression(target="y").fit({"a": x[:, 0], "b": x[:, 1], "y": y})
        self.refused(libml.UnknownNameError, '"a"', named.predict, m[:, :2])
        self.assertEqual(named.predictor().rows(m[:, :2]).shape, (300,))

    @needs("numpy")
    def test_arrays(self):
        model = libml.GBDT(n_trees=5, min_data_in_leaf=1).fit(
            np.random.default_rng(1).random((100, 4)), np.arange(100.0))
        p = model.predictor()
        x = np.random.default_rng(2).random((50, 4))
        wanted = p.rows(x)
        self.assertEqual(wanted.shape, (50,))
        for other in (np.asfortranarray(x), x[::1], np.repeat(x, 2, 0)[::2],
                      np.repeat(x, 2, 1)[:, ::2], x.astype(">f8"), x.astype(object),
                      x[::-1][::-1], np.ascontiguousarray(x[::-1])[::-1]):
            if other.dtype == object:
                self.refused(TypeError, "object", p.rows, other)
                continue
            np.testing.assert_array_equal(p.rows(other), wanted)
        np.testing.assert_array_equal(p.rows(x.astype(np.float32)),
                                      p.rows(x.astype(np.float32).astype(np.float64)))
        self.assertEqual(p.rows(x[:0]).shape, (0,))
        for row in (x[3], x[3].astype(np.float32), np.repeat(x[3], 2)[::2],
                    x[3].astype(">f8"), x[3].tolist()):
            p.row(row)
        self.assertEqual(p.row(x[3]), wanted[3])
        self.assertEqual(p.row(np.repeat(x[3], 3)[::3]), wanted[3])
        frozen = x[3].copy()
        frozen.flags.writeable = False
        self.assertEqual(p.row(frozen), wanted[3])
        out = np.empty(50)
        self.assertIs(p.rows(x, out=out).base if p.rows(x, out=out).base is not None
                      else out, out)
        np.testing.assert_array_equal(out, wanted)
        for bad in (np.empty(49), np.empty(50, np.float32), np.empty(100)[::2], [0.0] * 50,
                    np.broadcast_to(np.empty(1), 50)):
            self.refused(ValueError, "50 elements", p.rows, x, out=bad)
        self.refused(ValueError, "(4,)", p.rows, x[0])
        self.refused(ValueError, "4 inputs", p.row, x)
        self.refused(ValueError, "4 inputs", p.row, x[:1])
        self.refused(TypeError, "complex", p.rows, x.astype(complex))
        for other in (x[3].astype(complex), x[3].astype("M8[D]"), x[3].astype(str),
                      ["1", "2", "3", "4"]):
            self.refused(TypeError, "a row holds numbers", p.row, other)
        for same in (x[3].astype(">f8"), x[3].astype(object), list(x[3]), tuple(x[3]),
                     memoryview(x[3]), np.ma.array(x[3])):
            self.assertEqual(p.row(same), wanted[3])

        class Row:
            def __array__(self, dtype=None, copy=None):
                return x[3]
        self.assertEqual(p.row(Row()), wanted[3])

    def test_one_predictor_in_several_threads(self):
        model, data = classifier()
        p, problems = model.predictor("proba"), []
        rows = [[data["a"][i], data["b"][i], i % 3] for i in range(50)]
        wanted = [list(p.row(r)) for r in rows]

        def work():
            for _ in range(40):
                if [list(p.row(r)) for r in rows] != wanted:
                    problems.append("differs")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(problems, [])

    def test_closed_by_another_thread(self):
        for _ in range(10):
            model, data = classifier(n_trees=3)
            p, problems = model.predictor("proba"), []

            def work():
                try:
                    for _ in range(3000):
                        p.row([0.5, 0.5, 0])
                except libml.ClosedError:
                    pass
                except BaseException as problem:
                    problems.append(problem)
            threads = [threading.Thread(target=work) for _ in range(3)]
            for t in threads:
                t.start()
            p.close()
            for t in threads:
                t.join()
            self.assertEqual(problems, [])

    def test_options(self):
        model, _ = classifier()
        self.refused(libml.UnknownNameError, "thread", model.predictor, "proba", thread=2)


class Checks(Case):
    def test_folds_and_comparisons(self):
        model, data = classifier()
        folds = model.check(data, folds=3, metric="accuracy").to_dict()
        self.assertGreater(folds["accuracy"][folds["fold"].index("mean")], 0.8)
        bins = model.check(data, method="calibration", bins=4)
        self.assertEqual(bins.to_dict()["bin"][-1], "all")
        two = model.check(data, classifier(n_trees=1)[0], method="compare")
        self.assertGreater(len(two), 0)
        self.refused(libml.UnknownNameError, "metrics", model.check, data, metrics="x")
        self.refused(libml.ArgumentError, "", model.check, data, method="compare")
        for other in (libml.GBDT(target="y"), libml.Table(data), "model"):
            self.refused(TypeError, "other", model.check, data, other, method="compare")


class Estimators(Case):
    def test_every_algorithm_has_a_class(self):
        for name in libml.list_algorithms():
            est = libml.estimator(name)
            self.assertEqual(est.algorithm, name)
            self.assertIs(type(est), getattr(libml, type(est).__name__))
            self.assertIsNot(type(est).__doc__, libml.Estimator.__doc__)
            self.assertIn(name, repr(est.schema))
            self.assertIsInstance(est.params, dict)

    def test_aliases_and_lists(self):
        est = libml.GBDT(n_estimators=7, categorical=("a", "b"))
        self.assertEqual(est["n_trees"], 7)
        self.assertEqual(est["categorical"], ["a", "b"])
        self.assertEqual(libml.estimator("dummy").algorithm, "baseline")
        self.refused(libml.UnknownNameError, ["gbtd", "gbdt"], libml.estimator, "gbtd")
        self.refused(TypeError, "algorithm", libml.estimator, 3)
        self.assertIn("<table>", est._repr_html_())

    def test_schemas(self):
        schema = libml.Schema("gbdt")
        self.assertEqual(schema.find("n_estimators")["name"], "n_trees")
        self.assertEqual(schema.find("label")["name"], "target")
        self.assertIsNone(schema.find("nope"))
        self.assertIn("options.csv", libml.default_context().schemas)
        self.assertEqual(libml.describe("gbdt")["name"], "gbdt")

    def test_yaml(self):
        p = libml.Params.from_yaml("n_trees: 5\nlearning_rate: 0.5\n")
        self.assertEqual(dict(p), {"n_trees": 5, "learning_rate": 0.5})
        self.assertEqual(dict(libml.Params.from_yaml(p.to_yaml())), dict(p))
        self.assertEqual(libml.GBDT(**p)["n_trees"], 5)
        self.refused(libml.ParseError, "line", libml.Params.from_yaml, "a: [")
        self.refused(KeyError, "nope", p.__getitem__, "nope")
        self.assertEqual((len(p), "n_trees" in p, 3 in p), (2, True, False))


class Pipelines(Case):
    """Estimators made of estimators."""

    def test_steps(self):
        data = toy()
        given = libml.Pipeline(target="y", steps=["imputer", "gbdt"], ignore=["price"],
                               **{"imputer.strategy": "median", "gbdt.n_trees": 7})
        for steps in ([libml.Imputer(strategy="median"), libml.GBDT(n_trees=7)],
                      [("imputer", libml.Imputer(strategy="median")),
                       ("gbdt", libml.GBDT(n_trees=7))],
                      {"imputer": libml.Imputer(strategy="median"),
                       "gbdt": libml.GBDT(n_trees=7)}):
            made = libml.Pipeline(target="y", ignore=["price"], steps=steps)
            self.assertEqual(made.params, given.params)
            self.assertEqual(made.fit(data).to_bytes(), given.fit(data).to_bytes())
        self.assertEqual(repr(pickle.loads(pickle.dumps(given))), repr(given))
        self.assertEqual(eval(repr(given), vars(libml)).params, given.params)

    def test_repeated_and_named(self):
        est = libml.Pipeline(steps=[("first", libml.Imputer()), libml.StandardScaler(),
                                    libml.StandardScaler(), "gbdt"])
        self.assertEqual(est["steps"], ["first=imputer", "standard_scaler",
                                        "standard_scaler_2=standard_scaler", "gbdt"])

    def test_branches(self):
        data = toy()
        numbers = libml.Pipeline(columns=["number"], steps=[libml.StandardScaler()])
        names = libml.Pipeline(columns=["color"], steps=[libml.OneHotEncoder()])
        est = libml.Pipeline(target="y", ignore=["price"], steps=[
            libml.Columns(branches={"numbers": numbers, "names": names}),
            libml.LogisticRegression()])
        self.assertGreater(est.fit(data).score(data, "accuracy"), 0.8)

    def test_transform(self):
        table = libml.StandardScaler().fit({"x": [1.0, 2, 3], "c": ["a", "b", None]}).transform(
            {"x": [2.0], "c": ["a"]})
        self.assertEqual(table.to_dict(), {"x": [0.0], "c": ["a"]})
        self.refused(libml.LibmlError, "transform", classifier()[0].transform, toy())

    def test_fit_transform_of_what_makes_no_columns(self):
        est = libml.GBDT(target="y")
        self.refused(libml.UnsupportedError, "gbdt makes no columns", est.fit_transform, toy(),
                     progress=self.fail)


@needs("numpy")
class OwnFunctions(Case):
    """Losses, metrics and starts of the user's own."""

    def setUp(self):
        rng = np.random.default_rng(0)
        self.x = rng.random((300, 3))
        self.y = 3 * self.x[:, 0] - self.x[:, 1]

    def test_loss(self):
        est = libml.GBDT(n_trees=40).set_objective(lambda y, s: (s - y, np.ones_like(y)))
        model = est.fit(self.x, self.y)
        self.assertLess(np.abs(model.predict(self.x) - self.y).mean(), 0.2)
        self.refused(libml.UnsupportedError, "baseline",
                     libml.Baseline().set_objective, lambda y, s: (s, s))
        est.set_objective(None)
        self.assertEqual(est["objective"], "auto")
        est.fit(self.x, self.y)

    def test_loss_that_fails(self):
        def broken(y, s):
            raise ZeroDivisionError("inner")
        est = libml.GBDT(n_trees=5).set_objective(broken)
        self.refused(ZeroDivisionError, "inner", est.fit, self.x, self.y)
        for bad in (lambda y, s: s, lambda y, s: (s[:3], s), lambda y, s: ("a", "b"),
                    lambda y: y, lambda y, s: None, lambda y, s: (s, s, s)):
            with self.assertRaises((TypeError, ValueError)):
                est.set_objective(bad).fit(self.x, self.y)

        def writes(y, s):
            y[0] = 5
        self.refused(ValueError, "read-only", est.set_objective(writes).fit, self.x, self.y)
        self.refused(TypeError, "gradients and hessians",
                     est.set_objective(lambda y, s: None).fit, self.x, self.y)
        self.refused(TypeError, "function", est.set_objective, "squared")

    def test_metric(self):
        seen = []

        def metric(y, s, w):
            seen.append(w is None)
            return np.abs(y - s).mean()
        est = libml.GBDT(n_trees=30, early_stopping_rounds=5).set_metric(metric)
        est.fit(self.x[:200], self.y[:200], valid=(self.x[200:], self.y[200:]))
        self.assertTrue(seen and all(seen))
        est.set_metric(lambda y, s, w: 1 / 0)
        self.refused(ZeroDivisionError, "", est.fit, self.x[:200], self.y[:200],
                     valid=(self.x[200:], self.y[200:]))

    def test_going_on(self):
        first = libml.GBDT(n_trees=5).fit(self.x, self.y)
        est = libml.GBDT(n_trees=3).set_model(first)
        self.assertEqual(int(est.fit(self.x, self.y).n_trees), 8)
        self.assertEqual(int(est.set_model(None).fit(self.x, self.y).n_trees), 3)
        self.refused(TypeError, "Model", est.set_model, "first")
        self.refused(libml.LibmlError, "baseline", est.set_model,
                     libml.Baseline().fit(self.x, self.y))

    def test_export(self):
        model, out = libml.GBDT(n_trees=3).fit(self.x, self.y), io.BytesIO()
        model.save(out, format="c")
        self.assertIn(b"double", out.getvalue())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.c"
            model.save(path)
            self.assertEqual(path.read_bytes(), out.getvalue())
            self.refused(libml.LibmlError, "nope", model.save, f"{folder}/nope/model.c")
        self.refused(libml.LibmlError, "cobol", model.save, out, format="cobol")


class Studies(Case):
    def test_run(self):
        study = libml.Study(libml.GBDT(target="price", n_trees=5, ignore=["y"]), toy(),
                            n_trials=4, metric="rmse", tune=["learning_rate", "max_leaves"],
                            seed=1)
        told = []
        self.assertIs(study.run(progress=told.append), study)
        self.assertEqual(len(study), 4)
        self.assertEqual(set(study.best_params) & {"learning_rate", "max_leaves"},
                         {"learning_rate", "max_leaves"})
        scores = study.results.to_dict()["score"]
        self.assertAlmostEqual(study.best_score, min(scores))
        self.assertEqual(study.best_model().algorithm, "gbdt")
        self.assertIn("4 trials", repr(study))
        self.assertIn("<table>", study._repr_html_())
        self.assertTrue(any(p.trial is not None for p in told))

    def test_ask_and_tell(self):
        study = libml.Study(libml.GBDT(), tune=["learning_rate"], n_trials=5)
        for _ in range(3):
            trial, params = study.ask()
            study.tell(trial, abs(params["learning_rate"] - 0.1))
        trial, _ = study.ask()
        self.assertIs(study.tell_value(trial, 0.5, 1), False)
        study.tell(trial, None)
        self.assertEqual(len(study), 4)
        self.assertTrue(study)
        self.refused(libml.LibmlError, "no such trial", study.tell, 99, 1.0)

    def test_optimize(self):
        def cost(params):
            tried.append(params["x"])
            return (params["x"] - 0.3) ** 2
        options = dict(space="x: [0.0, 1.0]", metric="rmse", seed=1)
        tried = []
        study = libml.Study(libml.Baseline(), n_trials=7, **options).optimize(cost)
        self.assertEqual(len(study), 7)
        self.assertEqual(min(tried, key=lambda x: (x - 0.3) ** 2), study.best_params["x"])
        other = libml.Study(libml.Baseline(), n_trials=7, **options)
        self.assertEqual(len(other.optimize(cost, 3).optimize(cost, 4)), 7)
        self.assertEqual(other.results.to_dict()["x"], study.results.to_dict()["x"])
        grid = libml.Study(libml.Baseline(), space="x: [1, 3]", sampler="grid")
        self.assertEqual(len(grid.optimize(lambda p: float(p["x"]))), 3)
        failing = libml.Study(libml.Baseline(), n_trials=2, **options)
        self.refused(ZeroDivisionError, "zero", failing.optimize, lambda p: 1 / 0)
        self.assertEqual(failing.results.to_dict()["state"], ["failed"])
        self.refused(TypeError, "a function is expected", failing.optimize, 3)

    def test_optimize_keeps_to_the_limits(self):
        def trials(n=None, function=lambda params, trial: float(trial), **options):
            with libml.Study(libml.Baseline(), space="x: [0.0, 1.0]", sampler="random",
                             **options) as study:
                return len(study.optimize(function, n))
        self.assertEqual((trials(), trials(60), trials(n_trials=None)), (50, 60, 50))
        for name in ("n_trials", "trials", "n_iter", "max_evals"):
            self.assertEqual((trials(**{name: 3}), trials(**{name: "3"})), (3, 3))
            self.assertEqual((trials(2, **{name: 3}), trials(4, **{name: 3})), (2, 3))
        self.assertEqual(trials(patience=4), 5)
        self.assertEqual(trials(time=1e-9), 1)
        self.assertEqual(trials(target_score=5, direction="maximize"), 6)
        self.refused(TypeError, "", trials, "3")

    def test_optimize_goes_on_from_a_journal(self):
        def cut(params, trial):
            if trial == 2:
                raise KeyboardInterrupt
            return params["x"]
        with tempfile.TemporaryDirectory() as folder:
            def study(**options):
                return libml.Study(libml.Baseline(), space="x: [0.0, 1.0]", seed=1,
                                   journal=str(pathlib.Path(folder) / "j"), **options)
            with study(n_trials=5) as first, self.assertRaises(KeyboardInterrupt):
                first.optimize(cut)
            for options, n in (({"n_trials": 5}, 5), ({"max_evals": 7}, 7), ({}, 50)):
                with study(**options) as again:
                    self.assertEqual(len(again.optimize(lambda p: p["x"])), n)

    def test_optimize_several_objectives(self):
        def cost(params, trial):
            study.tell_value(trial, 1 - params["x"], name="cost")
            return params["x"]
        options = dict(space="x: [0.0, 1.0]", objectives=["cost"], n_trials=3, seed=1)
        one = libml.Study(libml.Baseline(), **options)
        self.refused(libml.StateError, '"cost" has not been told', one.optimize,
                     lambda p: p["x"])
        study = libml.Study(libml.Baseline(), **options)
        self.assertEqual(study.optimize(cost).results.to_dict()["state"], ["done"] * 3)
        seen = []
        libml.Study(libml.Baseline(), space="x: [0.0, 1.0]").optimize(
            lambda params, scale=2.0: seen.append(scale), 2)  # not a place for the trial
        self.assertEqual(seen, [2.0, 2.0])

    def test_optimize_what_is_no_score(self):
        options = dict(space="x: [0.0, 1.0]", metric="rmse", n_trials=5)
        study = libml.Study(libml.Baseline(), **options)
        for answer in ("much", (1, 2), b"1", "1.5"):
            self.refused(TypeError, "a score is a number or None, not a "
                         + type(answer).__name__, study.optimize, lambda p, a=answer: a)
        self.assertEqual(study.results.to_dict()["state"], ["failed"] * 4)
        self.refused(TypeError, "a score", study.tell, study.ask()[0], "much")
        closed = libml.Study(libml.Baseline(), **options)
        closed.close()
        self.refused(libml.ClosedError, "", closed.optimize, lambda p: 1.0)
        closing = libml.Study(libml.Baseline(), **options)
        self.refused(libml.ClosedError, "", closing.optimize, lambda p: closing.close())

    @needs("numpy")
    def test_loss_and_metric_of_the_estimator(self):
        calls = []

        def loss(y, score):
            calls.append(threading.get_ident())
            return score - y, np.ones_like(y)
        est = libml.GBDT(target="price", ignore=["y"], n_trees=5)
        with_loss = est.set_objective(loss).set_metric(
            lambda y, s, w: float(np.abs(y - s).mean()))
        options = dict(n_trials=3, tune=["learning_rate"], metric="rmse", seed=1, parallel=4)
        study = libml.Study(with_loss, toy(), **options)
        est.set_objective(None).set_metric(None)  # the study has its own
        model = study.run().best_model()
        self.assertEqual(set(calls), {threading.get_ident()})
        same = libml.GBDT(target="price", ignore=["y"], n_trees=5, **{
            "learning_rate": study.best_params["learning_rate"],
            "min_gain_ratio": 0}).set_objective(loss)  # as in folds, where rows watch
        np.testing.assert_array_equal(same.clone().fit(toy()).predict(toy()),
                                      model.predict(toy()))

        def broken(y, score):
            calls.append(1)
            raise ValueError("no gradient")
        calls.clear()
        study = libml.Study(est.set_objective(broken), toy(), **options)
        self.refused(ValueError, "no gradient", study.run)
        self.assertEqual(len(calls), 1)
        self.refused(ValueError, "no gradient", est.clone().fit, toy())

    def test_refused(self):
        self.refused(libml.UnknownNameError, "n_trial", libml.Study, libml.GBDT(), toy(),
                     n_trial=3)
        self.refused(libml.LibmlError, "trial", lambda: libml.Study(
            libml.GBDT(), n_trials=2).best_params)
        self.refused(TypeError, "Estimator", libml.Study, "gbdt", toy())


class Reports(Case):
    def test_page(self):
        model, data = classifier()
        report = libml.Report("My <data>")
        report.add_profile("Profile", data, "y", top=5)
        self.refused(libml.UnknownNameError, "prat", report.add_profile, "P", data, prat="x")
        report.add_profile("Profile", data).add_model("Model", model, data)
        report.add_table("Table", {"x": [1]})
        html = report.to_html()
        self.assertIn("My &lt;data&gt;", html)
        self.assertNotIn("My <data>", html)
        self.assertTrue(report._repr_html_().startswith("<iframe"))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "r.html"
            report.save(path)
            self.assertEqual(path.read_text("utf-8"), html)
            self.refused(libml.FileError, "nope", report.save, f"{folder}/nope/r.html")
        self.refused(TypeError, "title", libml.Report, None)


class Metrics(Case):
    def test_values(self):
        m = libml.metrics
        self.assertEqual(m.accuracy([0, 1, 1, 0], [0, 1, 0, 0]), 0.75)
        self.assertEqual(m.accuracy(["a", "b"], ["a", "b"]), 1)
        self.assertEqual(m.accuracy([True, False], [True, True]), 0.5)
        self.assertAlmostEqual(m.rmse([1.0, 2.0], [2.0, 4.0]), math.sqrt(2.5))
        self.assertAlmostEqual(m.mae([1.0, 2.0], [2.0, 4.0], weight=[3.0, 1.0]), 1.25)
        self.assertEqual(m.roc_auc([0, 0, 1], [0.1, 0.2, 0.9]), 1)
        self.assertEqual(m.roc_auc(["n", "y"], [[0.9, 0.1], [0.2, 0.8]]), 1)
        self.assertEqual(libml.metric_score("accuracy", [0], [0]), 1)

    def test_refused(self):
        m = libml.metrics
        self.refused(libml.LibmlError, "", m.accuracy, [0, 1], [0])
        self.refused(libml.UnknownNameError, "accuracy", m.score, "acurracy", [0], [0])
        self.refused(TypeError, "text", m.rmse, [1.0], [1.0], weight=["a"])
        self.refused(TypeError, "rmse compares numbers", m.rmse, ["a"], [1.0])
        self.refused(libml.UnknownNameError, "nope", m.rmse, [1.0], [1.0], nope=1)
