# SPDX-License-Identifier: MIT
"""Data that are not as they should be, in fits and predictions: a message that names the place,
or the same result as that of clean data."""

import datetime as dt

import libml
from support import Case, classifier, module, needs, toy

np, pd = module("numpy"), module("pandas")


def trees(**params):
    return libml.GBDT(n_trees=5, min_data_in_leaf=5, **params)


class Empty(Case):
    def test_fits(self):
        for rows in ({"x": [], "y": []}, {"y": []}):
            self.refused(libml.DataError, "", trees(target="y").fit, rows)
        self.refused(libml.LibmlError, "", trees(target="y").fit, {"y": [1.0, 2.0]})
        self.refused(libml.DataError, "y", trees(target="y").fit,
                     {"x": [1.0, 2.0], "y": [None, None]})
        self.refused(libml.UnknownNameError, '"y"', trees(target="y").fit, {"x": [1.0]})

    def test_predictions(self):
        model, data = classifier()
        none = {name: [] for name in data}
        self.assertEqual(len(model.predict(none)), 0)
        self.assertEqual(len(model.predict(none, "proba")), 0)
        scaled = libml.StandardScaler().fit({"a": [1.0, 2.0, 4.0]}).transform({"a": []})
        self.assertEqual(scaled.to_dict(), {"a": []})
        self.refused(libml.LibmlError, "", model.evaluate, none)

    def test_columns_that_lack(self):
        model, data = classifier()
        first, *rest = model.inputs
        less = {name: values for name, values in data.items() if name != first}
        self.refused(libml.UnknownNameError, "missing_columns", model.predict, less)
        missing = dict(less, **{first: [None] * len(data[first])})
        self.assertEqual(list(model.predict(less, missing_columns="missing")),
                         list(model.predict(missing)))

    @needs("pandas", "sklearn")
    def test_frames(self):
        from libml import sklearn as ls
        frame = pd.DataFrame({"x": np.arange(40.0), "c": list("ab") * 20})
        fitted = ls.GBDTRegressor(n_trees=3).fit(frame, np.arange(40.0))
        for est in (fitted, ls.Imputer().fit(frame)):
            use = getattr(est, "predict", None) or est.transform
            self.refused(ValueError, "0 sample(s)", use, frame.head(0))
        self.refused(ValueError, "0 sample(s)", ls.GBDTRegressor().fit, frame.head(0), [])
        with self.assertRaises(ValueError):
            ls.GBDTRegressor().fit(frame[[]], np.arange(40.0))


class Types(Case):
    """A column that is not of the type that the model knows."""

    def test_predictions(self):
        model, data = classifier()
        self.refused(libml.DataTypeError, '"a"', model.predict, {**data, "a": ["x"] * 200})
        self.refused(libml.DataTypeError, '"a"', model.predict,
                     {**data, "a": [dt.date(2020, 1, 1)] * 200})
        self.refused(libml.UnknownNameError, '"b"', model.predict,
                     {"a": data["a"], "color": data["color"]})
        numbers = model.predict({**data, "color": [3] * 200}, "proba")
        unseen = model.predict({**data, "color": ["mauve"] * 200}, "proba")
        self.assertEqual([list(p) for p in numbers], [list(p) for p in unseen])
        whole = {**data, "a": [round(v) for v in data["a"]]}
        same = {**data, "a": [float(round(v)) for v in data["a"]]}
        self.assertEqual(list(model.predict(whole)), list(model.predict(same)))

    def test_mixed(self):
        data = toy()
        data["a"][7] = "seven"
        self.refused(TypeError, ['"a"', "str in row 8"], trees(target="y").fit, data)
        self.refused(TypeError, ['"a"', "str in row 8"], classifier()[0].predict, data)

    @needs("numpy")
    def test_target_and_weight(self):
        x = np.arange(40.0).reshape(-1, 1)
        y = x[:, 0]
        self.refused(ValueError, "39", trees().fit, x, y[:39])
        self.refused(ValueError, "2 dimensions", trees().fit, x, np.stack([y, y], 1))
        self.refused(ValueError, "Complex", trees().fit, x, y * 1j)
        for bad, word in ((-1.0, "row 4"), (np.inf, "row 4")):
            weight = np.ones(40)
            weight[3] = bad
            self.refused(libml.DataError, word, trees().fit, x, y, weight=weight)
        target = y.copy()
        target[5] = np.inf
        self.refused(libml.DataError, "row 6", trees().fit, x, target)


@needs("numpy")
class Layouts(Case):
    """The layout of an array is no part of the data."""

    def test_same_model(self):
        rng = np.random.default_rng(0)
        x, y = rng.random((100, 4)), rng.random(100)
        wanted = trees().fit(x, y)
        frozen = x.copy()
        frozen.flags.writeable = False
        wide = np.repeat(np.repeat(x, 2, 0), 3, 1)
        for same in (np.asfortranarray(x), frozen, wide[::2, ::3], x[::-1].copy()[::-1],
                     x.astype(">f8"), x.astype(object), x.astype(np.longdouble)):
            model = trees().fit(same, y)
            self.assertEqual(model.to_bytes(), wanted.to_bytes())
            np.testing.assert_array_equal(model.predict(same), wanted.predict(x))
        narrow = trees().fit(x.astype(np.float32), y)
        same = trees().fit(np.asfortranarray(x.astype(np.float32)), y[::-1].copy()[::-1])
        self.assertEqual(narrow.to_bytes(), same.to_bytes())
        self.assertTrue((x == frozen).all())

    def test_results_do_not_go_into_what_is_read_only(self):
        model = trees().fit(np.arange(40.0).reshape(-1, 1), np.arange(40.0))
        out = np.zeros(3)
        out.flags.writeable = False
        self.refused(ValueError, "writable", model.predictor().rows, [[1.0]] * 3, out=out)


class Missing(Case):
    """What is missing is missing, however it is written."""

    def names(self, hole):
        data = toy()
        data["color"] = [hole if i % 7 == 0 else c for i, c in enumerate(data["color"])]
        return {n: data[n] for n in ("a", "color", "y")}

    def test_among_texts(self):
        wanted = trees(target="y").fit(self.names(None))
        holes = [float("nan")]
        if np is not None:
            holes.append(np.float64("nan"))
        if pd is not None:
            holes += [pd.NA, pd.NaT]
        for hole in holes:
            model = trees(target="y").fit(self.names(hole))
            self.assertEqual(model.to_bytes(), wanted.to_bytes(), repr(hole))
            self.assertEqual(list(model.predict(self.names(hole))),
                             list(wanted.predict(self.names(None))), repr(hole))

    @needs("pandas")
    def test_in_frames(self):
        plain = self.names(None)
        wanted = trees(target="y").fit(plain)
        frame = pd.DataFrame(plain)
        for kind in ("object", "string", "category"):
            given = frame.assign(color=frame["color"].astype(kind))
            model = trees(target="y").fit(given)
            self.assertEqual(list(model.predict(given)), list(wanted.predict(plain)), kind)

    @needs("pandas")
    def test_in_categories_of_numbers(self):
        rng = np.random.default_rng(1)
        code = rng.integers(0, 4, 200).astype(float)
        code[::9] = np.nan
        y = np.where(code == 2, 5.0, 1.0) + np.isnan(code)
        declared = trees(categorical=["c"]).fit({"c": code}, y)
        nullable = trees(categorical=["c"]).fit({"c": pd.array(code, "Float64")}, y)
        category = trees().fit(pd.DataFrame({"c": pd.Categorical(code)}), y)
        for model in (declared, nullable, category):
            made = model.predict(pd.DataFrame({"c": pd.Categorical(code)})
                                 if model is category else {"c": code})
            self.assertLess(abs(made[np.isnan(code)] - 2).max(), 1.5)
            self.assertGreater(made[code == 2].min(), made[code == 1].max())

    def test_what_the_model_has(self):
        self.refused(AttributeError, "the model that fit returns has it",
                     lambda: trees().predict)
        self.refused(AttributeError, "no attribute 'nope'", lambda: trees().nope)

    @needs("pandas")
    def test_extension_types(self):
        rng = np.random.default_rng(2)
        x = rng.integers(0, 50, 200).astype(float)
        flag = (rng.random(200) > 0.5).astype(float)
        x[::11], flag[::13] = np.nan, np.nan
        y = np.nan_to_num(x) + np.nan_to_num(flag)
        wanted = trees().fit({"x": x, "flag": flag}, y).predict({"x": x, "flag": flag})
        types = [("Int64", "boolean"), ("Float64", "Int8")]
        if module("pyarrow"):
            types.append(("int64[pyarrow]", "bool[pyarrow]"))
        for number, truth in types:
            frame = pd.DataFrame({"x": pd.array(x, "Float64").astype(number),
                                  "flag": pd.array(flag, "Float64").astype(truth)})
            made = trees().fit(frame, pd.array(y, "Float64")).predict(frame)
            np.testing.assert_allclose(made, wanted, rtol=1e-12, err_msg=number)
        holes = pd.array(y, "Float64")
        holes[3] = pd.NA
        self.assertEqual(len(trees().fit({"x": x, "flag": flag}, holes).predict(
            {"x": x[:2], "flag": flag[:2]})), 2)

    @needs("pyarrow")
    def test_in_a_dictionary(self):
        import pyarrow as pa
        color = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2, 0] * 20),
                                               pa.array(["red", None, "blue"]))
        table = pa.table({"color": color, "y": pa.array([1.0, 2.0, 2.0, 3.0, 1.0] * 20)})
        self.assertEqual(libml.Table(table).to_dict()["color"][:4], ["red", None, None, "blue"])
        model = trees(target="y").fit(table)
        self.assertEqual(model.predict(table)[1], model.predict({"color": [None]})[0])
