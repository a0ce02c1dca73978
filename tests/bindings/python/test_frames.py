# SPDX-License-Identifier: MIT
"""Frames of pandas, polars, pyarrow and DuckDB, in and out."""

import datetime as dt
import gc

import libml
from libml import Table
from support import Case, module, needs

pd = module("pandas")
np = module("numpy")


@needs("pandas")
class Pandas(Case):
    def test_dtypes(self):
        frame = pd.DataFrame({
            "i": [1, 2], "f": [1.5, np.nan], "b": [True, False], "s": ["x", None],
            "c": pd.Categorical(["u", None], categories=["v", "u"]),
            "o": pd.Categorical(["lo", "hi"], categories=["lo", "hi"], ordered=True),
            "I": pd.array([1, None], "Int32"), "F": pd.array([1.5, None], "Float64"),
            "B": pd.array([True, None], "boolean"), "S": pd.array(["x", None], "string"),
            "t": pd.to_datetime(["2020-01-01 01:00", None]),
            "z": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Oslo"),
            "p": pd.period_range("2020-01", periods=2, freq="M"),
            "d": [dt.date(2020, 1, 1), None],
            "n": pd.arrays.SparseArray([0.0, 2.0]), "x": [None, None]})
        t = Table(frame)
        self.assertEqual(t.types, {
            "i": "int64", "f": "float64", "b": "bool", "s": "text", "c": "category",
            "o": "category", "I": "int32", "F": "float64", "B": "bool", "S": "text",
            "t": "timestamp", "z": "timestamp", "p": "timestamp", "d": "date",
            "n": "float64", "x": "float64"})
        out = t.to_dict()
        for name in ("c", "I", "F", "B", "S", "s", "d"):
            self.assertIsNone(out[name][frame[name].isna().tolist().index(True)], name)
        self.assertEqual(out["c"], ["u", None])
        self.assertEqual(out["z"][0], dt.datetime(2019, 12, 31, 23, tzinfo=dt.timezone.utc))
        self.assertEqual(out["n"], [0, 2])

    def test_back(self):
        frame = pd.DataFrame({"i": [1, 2], "f": [1.5, np.nan], "b": [True, False],
                              "s": ["x", "y"], "c": pd.Categorical(["u", None])})
        back = Table(frame).to_pandas()
        pd.testing.assert_frame_equal(back, frame, check_dtype=False)
        self.assertEqual(str(back["c"].dtype), "category")
        holes = Table({"i": [1, None], "b": [True, None], "t": [dt.datetime(2020, 1, 1), None],
                       "d": [dt.date(2020, 1, 1), None]}).to_pandas()
        self.assertEqual([str(t) for t in holes.dtypes][:2], ["Int64", "boolean"])
        self.assertTrue(holes.iloc[1].isna().all())

    def test_numbers_are_shared(self):
        a = np.arange(6.0).reshape(3, 2)
        frame = pd.DataFrame(a.T.copy().T, columns=["x", "y"])
        t = Table(frame)
        self.assertEqual(t.tensor("x").to_numpy().__array_interface__["data"][0],
                         frame["x"].to_numpy().__array_interface__["data"][0])
        del frame
        gc.collect()
        self.assertEqual(t.to_dict()["y"], [1, 3, 5])

    def test_names_and_index(self):
        self.assertEqual(Table(pd.DataFrame([[1, 2]])).columns, ["f0", "f1"])
        self.assertEqual(Table(pd.DataFrame({2020: [1]})).columns, ["2020"])
        self.assertEqual(Table(pd.Series([1, 2], name="x")).columns, ["x"])
        shuffled = pd.DataFrame({"x": [1, 2, 3]}, index=[2, 0, 1])
        self.assertEqual(Table(shuffled).to_dict()["x"], [1, 2, 3])
        self.assertEqual(Table({"x": shuffled["x"]}).to_dict()["x"], [1, 2, 3])
        self.refused(ValueError, 'two columns are called "x"', Table,
                     pd.DataFrame([[1, 2]], columns=["x", "x"]))
        self.refused(TypeError, "levels", Table,
                     pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])))

    def test_refused(self):
        self.refused(TypeError, ['"x"', "str in row 1"], Table,
                     pd.DataFrame({"x": ["a", 1]}, dtype=object))
        self.refused(TypeError, ['"x"', "intervals"], Table,
                     pd.DataFrame({"x": pd.interval_range(0, 2)}))
        self.refused(ValueError, "Complex", Table, pd.DataFrame({"x": [1j]}))

    def test_empty(self):
        self.assertEqual(Table(pd.DataFrame()).shape, (0, 0))
        t = Table(pd.DataFrame({"x": pd.Series([], dtype=float), "c": pd.Categorical([])}))
        self.assertEqual(t.shape, (0, 2))
        self.assertEqual(len(t.to_pandas()), 0)

    @needs("pyarrow")
    def test_arrow_backed(self):
        frame = pd.DataFrame({"i": [1, None], "s": ["x", None]}).astype(
            {"i": "int64[pyarrow]", "s": "string[pyarrow]"})
        self.assertEqual(Table(frame).to_dict(), {"i": [1, None], "s": ["x", None]})

    def test_predictions_on_frames(self):
        frame = pd.DataFrame({"x": [1.0, 2, 3, 4] * 20, "c": pd.Categorical(list("abab") * 20)})
        model = libml.GBDT(min_data_in_leaf=1, n_trees=5).fit(frame, target=frame["x"] > 2)
        unseen = pd.DataFrame({"c": pd.Categorical(["zz", None]), "x": [1.0, 4.0], "extra": 0})
        self.assertEqual(model.predict(unseen).tolist(), [False, True])
        self.refused(libml.LibmlError, ['"x"'], model.predict, frame[["c"]])
        self.refused(libml.LibmlError, ['"x"'], model.predict, {"x": ["a"], "c": ["b"]})


class Streams(Case):
    DATA = {"i": [1, None, 3], "f": [1.5, None, 2.5], "s": ["x", None, "ü"],
            "b": [True, None, False], "d": [dt.date(2020, 1, 1), None, dt.date(1960, 1, 1)]}

    @needs("pyarrow")
    def test_pyarrow(self):
        import pyarrow as pa
        source = pa.table(self.DATA)
        self.assertEqual(Table(source).to_dict(), self.DATA)
        self.assertEqual(Table(source.to_batches()[0]).to_dict(), self.DATA)
        parts = pa.concat_tables([source.slice(0, 1), source.slice(1)])
        self.assertEqual(Table(parts).to_dict(), self.DATA)
        self.assertEqual(Table(source.slice(1)).to_dict()["s"], [None, "ü"])
        back = Table(self.DATA).to_arrow()
        self.assertEqual(back.to_pydict(), self.DATA)
        self.assertEqual(Table(source, names=list("vwxyz")).columns, list("vwxyz"))
        coded = pa.table({"c": pa.array(["a", None, "b"]).dictionary_encode()})
        self.assertEqual(Table(coded).types, {"c": "category"})
        self.assertEqual(Table(coded).to_dict()["c"], ["a", None, "b"])
        self.assertEqual(Table({"x": source["i"]}).to_dict()["x"], [1, None, 3])

    @needs("pyarrow")
    def test_pyarrow_types(self):
        import pyarrow as pa
        for kind, values in ((pa.large_string(), ["a", None]), (pa.string_view(), ["a", None]),
                             (pa.uint8(), [1, None]), (pa.float16(), [1.5, None]),
                             (pa.decimal128(5, 2), [None, 1]), (pa.null(), [None, None])):
            out = Table(pa.table({"x": pa.array(values, kind)})).to_dict()["x"]
            self.assertEqual(out, values, kind)
        for kind, values in ((pa.list_(pa.int64()), [[1], None]), (pa.binary(), [b"\0", None]),
                             (pa.struct([("a", pa.int64())]), [{"a": 1}, None])):
            self.refused(libml.LibmlError, '"x"', Table, pa.table({"x": pa.array(values, kind)}))

    @needs("pyarrow")
    def test_no_copy_and_lifetime(self):
        import pyarrow as pa
        source = pa.table({"x": pa.array([1.0, 2.0, 3.0])})
        there = source["x"].chunk(0).buffers()[1].address
        t = Table(source)
        self.assertEqual(t["x"].__array_interface__["data"][0], there)
        back = t.to_arrow()
        self.assertEqual(back["x"].chunk(0).buffers()[1].address, there)
        t.close()
        del t, source
        gc.collect()
        self.assertEqual(back["x"].to_pylist(), [1, 2, 3])

    @needs("polars")
    def test_polars(self):
        import polars as pl
        frame = pl.DataFrame(self.DATA)
        self.assertEqual(Table(frame).to_dict(), self.DATA)
        self.assertEqual(Table(self.DATA).to_polars().to_dict(as_series=False), self.DATA)
        self.assertEqual(Table(pl.DataFrame({"c": pl.Series(["a", "b"], dtype=pl.Categorical)}))
                         .types, {"c": "category"})
        self.assertEqual(Table({"x": frame["i"]}).to_dict()["x"], [1, None, 3])
        self.refused(TypeError, "collect() it first", Table, frame.lazy())
        self.refused(libml.LibmlError, '"x"', Table, pl.DataFrame({"x": [[1], [2]]}))

    @needs("duckdb")
    def test_duckdb(self):
        import duckdb
        relation = duckdb.sql("select i::bigint as i, 'n' || i as s, i / 2.0 as f "
                              "from range(3000) r(i)")
        t = Table(relation)
        self.assertEqual(t.shape, (3000, 3))
        self.assertEqual(t[2999]["s"], "n2999")

    @needs("duckdb", "pyarrow")
    def test_duckdb_reads_tables(self):
        import duckdb
        t = Table({"x": [1, 2, 3]}).to_arrow()  # noqa: F841: duckdb finds it by name
        self.assertEqual(duckdb.sql("select sum(x) from t").fetchall()[0][0], 6)

    def test_capsules(self):
        t = Table(self.DATA)
        capsule = t.__arrow_c_stream__()

        class Once:
            def __arrow_c_stream__(self, requested_schema=None):
                return capsule
        self.assertEqual(Table(Once()).to_dict(), self.DATA)
        self.refused(ValueError, "consumed", Table, Once())

        class No:
            def __arrow_c_stream__(self, requested_schema=None):
                return "capsule"

        class Wrong:
            def __arrow_c_stream__(self, requested_schema=None):
                return t.__arrow_c_schema__()
        self.refused(TypeError, "arrow_array_stream", Table, No())
        self.refused(TypeError, "arrow_array_stream", Table, Wrong())
        kept = t.__arrow_c_stream__()
        t.close()
        del kept, t  # never consumed: released with the capsule
        gc.collect()

    def test_a_source_that_raises(self):
        class Broken:
            def __arrow_c_stream__(self, requested_schema=None):
                raise ZeroDivisionError("inner")
        self.refused(ZeroDivisionError, "inner", Table, Broken())
