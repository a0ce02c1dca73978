# SPDX-License-Identifier: MIT
"""Tables from lists, dictionaries and what is no table; parts of tables; tables out."""

import array
import datetime as dt
import decimal
import fractions
import gc
import io
import os
import pathlib
import tempfile

import libml
from libml import Table
from support import Case

UTC = dt.timezone.utc


class FromLists(Case):
    def test_types(self):
        t = Table({"i": [1, 2], "f": [1.5, 2], "b": [True, False], "s": ["x", "ü"],
                   "d": [dt.date(2020, 2, 29), dt.date(1969, 12, 31)],
                   "t": [dt.datetime(2020, 1, 2, 3, 4, 5, 6), dt.datetime(1900, 1, 1)]})
        self.assertEqual(t.types, {"i": "int64", "f": "float64", "b": "bool", "s": "text",
                                   "d": "date", "t": "timestamp"})
        self.assertEqual(t.to_dict()["s"], ["x", "ü"])
        self.assertEqual(t.to_dict()["d"], [dt.date(2020, 2, 29), dt.date(1969, 12, 31)])
        self.assertEqual(t.to_dict()["t"][0], dt.datetime(2020, 1, 2, 3, 4, 5, 6, UTC))

    def test_time_zones(self):
        zone = dt.timezone(dt.timedelta(hours=2))
        t = Table({"t": [dt.datetime(2020, 1, 1, 2, tzinfo=zone)]})
        self.assertEqual(t.to_dict()["t"], [dt.datetime(2020, 1, 1, tzinfo=UTC)])

    def test_dates_beside_times_are_midnights(self):
        t = Table({"t": [dt.date(2020, 1, 1), dt.datetime(2020, 1, 2, 5)]})
        self.assertEqual(t.to_dict()["t"][0], dt.datetime(2020, 1, 1, tzinfo=UTC))

    def test_missing(self):
        data = {"i": [1, None], "f": [None, 1.5], "b": [True, None], "s": [None, "x"],
                "d": [dt.date(2020, 1, 1), None], "n": [None, None],
                "mixed": ["x", float("nan")]}
        out = Table(data).to_dict()
        self.assertEqual(out["mixed"], ["x", None])
        for name in "ifbsdn":
            self.assertEqual(out[name], data[name], name)

    def test_numbers_of_other_kinds(self):
        out = Table({"x": [decimal.Decimal("1.5"), fractions.Fraction(1, 4), 2]}).to_dict()
        self.assertEqual(out["x"], [1.5, 0.25, 2.0])

    def test_iterables_and_buffers(self):
        out = Table({"r": range(3), "t": (1, 2, 3), "g": (i * i for i in range(3)),
                     "a": array.array("f", [1, 2, 3])}).to_dict()
        self.assertEqual(out, {"r": [0, 1, 2], "t": [1, 2, 3], "g": [0, 1, 4],
                               "a": [1.0, 2.0, 3.0]})

    def test_rows(self):
        t = Table([{"a": 1, "b": "x"}, {"b": "y", "c": 2.5}])
        self.assertEqual(t.to_dict(), {"a": [1, None], "b": ["x", "y"], "c": [None, 2.5]})
        self.assertEqual(Table([[1, "x"], [2, "y"]], names=["n", "s"]).to_dict(),
                         {"n": [1, 2], "s": ["x", "y"]})
        self.assertEqual(Table([[1], [2]]).columns, ["f0"])

    def test_mixed(self):
        self.refused(TypeError, ['column "x"', "str in row 2", "int in row 1"],
                     Table, {"x": [1, "a"]})
        self.refused(TypeError, ['column "x"', "bool in row 1"], Table, {"x": [True, 2]})
        self.refused(TypeError, ['column "x"', "row 2 holds a list"], Table,
                     {"x": [None, [1]]})
        self.refused(TypeError, ['column "x"', "complex"], Table, {"x": [1j]})
        self.refused(TypeError, ['column "x"', "bytes"], Table, {"x": [b"a"]})

    def test_values_out_of_range(self):
        self.refused(OverflowError, ['column "x", row 2', "64 bits"], Table,
                     {"x": [1, 2 ** 64]})
        self.refused(ValueError, ['column "s"', "Unicode"], Table, {"s": ["\ud800"]})
        self.refused(ValueError, ["NUL"], Table, {"a\0b": [1]})

    def test_shapes(self):
        self.refused(ValueError, ['column "b" has 1 values', '"a" has 2'], Table,
                     {"a": [1, 2], "b": [1]})
        self.refused(ValueError, "row 2 has 1 values", Table, [[1, 2], [3]])
        self.refused(ValueError, "names for", Table, [[1, 2]], names=["a"])
        self.refused(ValueError, 'two columns are called "1"', Table, {1: [0], "1": [0]})
        self.refused(ValueError, "mapping", Table, [])

    def test_no_table(self):
        for data, word in ((None, "NoneType"), (3, "int"), ("data.csv", "read_csv"),
                           (pathlib.Path("x.csv"), "read_csv"), ([1, 2], "mapping"),
                           (object(), "object"), (Table, "the class Table"), ({1, 2}, "set")):
            self.refused((TypeError, ValueError), word, Table, data)
        self.refused(TypeError, ['column "x"', "str"], Table, {"x": "abc"})
        self.refused(TypeError, ['column "x"', "int"], Table, {"x": 1})
        self.refused(TypeError, ['column "x"', "set"], Table, {"x": {1, 2}})  # no order

    def test_empty(self):
        t = Table({"x": [], "s": []})
        self.assertEqual(t.shape, (0, 2))
        self.assertEqual(t.to_dict(), {"x": [], "s": []})
        self.assertEqual(str(t).splitlines()[0].split(), ["x", "s"])
        thirds = Table({"x": [1 / 3, float("nan"), 12.5], "s": ["a", "b", "c"]})
        self.assertEqual(str(thirds).splitlines(),
                         ["       x  s", "0.333333  a", "          b", "    12.5  c"])
        self.assertIn("<i>missing</i>", thirds._repr_html_())
        self.assertIn("0 rows", t._repr_html_())
        self.assertEqual(Table({}).shape, (0, 0))
        self.refused(libml.LibmlError, "row", libml.Baseline(target="x").fit, t)

    def test_a_bad_iterator_passes_its_exception_on(self):
        def broken():
            yield 1
            raise KeyError("inner")
        self.refused(KeyError, "inner", Table, {"x": broken()})


class Parts(Case):
    def setUp(self):
        self.t = Table({"x": [1, 2, 3, 4], "s": ["a", None, "c", "d"]})

    def test_getitem(self):
        t = self.t
        self.assertEqual(list(t["x"]), [1, 2, 3, 4])
        self.assertEqual(t[1], {"x": 2, "s": None})
        self.assertEqual(t[-1], {"x": 4, "s": "d"})
        self.assertEqual(t[1:3].to_dict()["x"], [2, 3])
        self.assertEqual(t[::-2].to_dict()["x"], [4, 2])
        self.assertEqual(t[3:1].shape, (0, 2))
        self.assertEqual(t[["s"]].columns, ["s"])
        self.assertEqual(t[[3, 0, 0]].to_dict()["x"], [4, 1, 1])
        self.assertEqual(t[[-1]].to_dict()["x"], [4])
        self.assertEqual(t[[True, False, False, True]].to_dict()["x"], [1, 4])

    def test_refusals(self):
        t = self.t
        self.refused(KeyError, ["ss", 'did you mean "s"'], t.column, "ss")
        self.refused(IndexError, "index 4 is outside", t.__getitem__, 4)
        self.refused(IndexError, "index -9 is outside", t.__getitem__, [0, -9])
        self.refused(IndexError, "index 7 is outside", t.take, [0, 7])
        self.refused(ValueError, "mask has 2", t.__getitem__, [True, False])
        self.refused(libml.LibmlError, "nope", t.select, ["nope"])
        self.refused(TypeError, "str", t.select, [1])
        self.refused(KeyError, "nope", t.drop, "nope")
        self.refused(TypeError, "", t.take, ["a", 1])
        self.refused(OverflowError, "64 bits", t.slice, 0, 2 ** 70)
        self.refused(libml.LibmlError, "", t.slice, 2, 9)

    def test_with_column(self):
        t = self.t.with_column("z", [0.5] * 4).with_column("x", list("wxyz"))
        self.assertEqual(t.columns, ["x", "s", "z"])
        self.assertEqual(t.to_dict()["x"], list("wxyz"))
        self.assertEqual(self.t.to_dict()["x"], [1, 2, 3, 4])
        self.refused(ValueError, ["1 values", "4 rows"], self.t.with_column, "z", [1])

    def test_split(self):
        train, test = Table({"x": list(range(100))}).split(0.2, seed=1)
        self.assertEqual(sorted(train.to_dict()["x"] + test.to_dict()["x"]), list(range(100)))
        self.assertEqual(len(test), 20)
        self.refused(libml.RangeError, ["fraction", "1.5"], self.t.split, 1.5)
        self.refused(libml.UnknownNameError, ["fration", "fraction"], self.t.split,
                     fration=0.5)

    def test_profile(self):
        profile = self.t.profile().to_dict()
        self.assertEqual(profile["column"], ["x", "s"])
        self.assertEqual(profile["missing"], [0, 1])
        self.assertEqual(self.t.profile("x").to_dict()["role"][0], "target")
        self.assertEqual(self.t.profile(part="summary").to_dict()["columns"], [2])
        with self.assertRaisesRegex(libml.UnknownNameError, "no column"):
            self.t.profile("nothing")

    def test_join_and_aggregate(self):
        pets = {"x": [1, 1, 5], "pet": ["cat", "dog", "fish"]}
        self.assertEqual(self.t.join(pets, on="x")["pet"].tolist(), ["cat", "dog"])
        each = Table(pets).aggregate("n = count()", by="x", left=self.t.select("x"))
        self.assertEqual(each.to_dict()["n"], [2, 0, 0, 0])
        self.refused(TypeError, "right", self.t.join, None, on="x")
        self.refused(libml.UnknownNameError, "z", self.t.join, pets, on="z")
        self.refused(libml.ArgumentError, "aggregates", self.t.aggregate, [])
        closed = Table(pets)
        closed.close()
        self.refused(libml.ClosedError, "closed", self.t.join, closed, on="x")
        self.refused(libml.ClosedError, "closed", Table(pets).aggregate, "n = count()", by="x",
                     left=closed)

    def test_rename_shares(self):
        t = Table(self.t, names=["u", "v"])
        self.assertEqual(t.to_dict(), {"u": [1, 2, 3, 4], "v": ["a", None, "c", "d"]})

    def test_looks(self):
        t = Table({"<b>": ["<script>", "x" * 100]})
        html = t._repr_html_()
        self.assertNotIn("<script>", html)
        self.assertIn("&lt;b&gt;", html)
        self.assertNotIn("x" * 61, html)
        self.assertIn("2 rows", repr(t))
        self.assertEqual(len(t), 2)
        self.assertIn("<b>", t)
        self.assertNotIn(3, t)

    def test_parts_outlive_the_whole(self):
        t = Table({"x": [1.5, 2.5], "s": ["a", "b"]})
        column, part, batch = t["x"], t[1:], t.to_dict()
        t.close()
        del t
        gc.collect()
        self.assertEqual(list(column), [1.5, 2.5])
        self.assertEqual(part.to_dict(), {"x": [2.5], "s": ["b"]})
        self.assertEqual(batch["s"], ["a", "b"])


class Batches(Case):
    """Tables of what comes batch by batch, in memory and in a file."""

    def parts(self, stop=None):
        for k in range(4):
            if k == stop:
                raise ZeroDivisionError("inner")
            yield {"x": [k, None, k + 2], "s": ["a", f"b{k}", None]}

    def test_batches_are_one_table(self):
        wanted = {"x": [], "s": []}
        for part in self.parts():
            for name, values in part.items():
                wanted[name] += values
        with tempfile.TemporaryDirectory() as folder:
            for spill in (None, folder, pathlib.Path(folder)):
                t = Table(self.parts(), spill=spill)
                self.assertEqual(t.to_dict(), wanted)
                self.assertEqual(Table(t, spill=spill).to_dict(), wanted)
                self.assertEqual(Table(iter([t, t[:0]]), spill=spill).to_dict(), wanted)
                self.assertEqual(Table(iter([t[:0]]), spill=spill).shape, (0, 2))
                named = Table(iter([t, t]), ["p", "q"], spill=spill)
                self.assertEqual(named.to_dict(),
                                 {"p": wanted["x"] * 2, "q": wanted["s"] * 2})
                self.assertEqual(os.listdir(folder), [])

    def test_a_table_in_a_file_is_the_same_to_a_fit(self):
        rows = io.BytesIO(b"x,c,y\n" + b"".join(
            b"%d,k%d,%d\n" % (i * 7919 % 10007, i % 5, i * i % 97) for i in range(20000)))
        with tempfile.TemporaryDirectory() as folder:
            models = []
            for spill in (None, folder):
                rows.seek(0)
                t = libml.read_csv(rows, spill=spill)
                train, test = t.split(0.25)
                model = libml.GBDT(target="y", n_trees=5).fit(train, valid=test)
                models.append(model.to_bytes())
                self.assertEqual(len(model.predict(test)), 5000)
            self.assertEqual(*models)

    def test_refusals(self):
        for spill in (None, tempfile.gettempdir()):
            self.refused(ZeroDivisionError, "inner", Table, self.parts(2), spill=spill)
            self.refused(ValueError, ["\"x\"", "float64", "batch 2", "int64"], Table,
                         iter([{"x": [1]}, {"x": [0.5]}]), spill=spill)
            self.refused(ValueError, ["batch 2", "y", "x"], Table,
                         iter([{"x": [1]}, {"y": [1]}]), spill=spill)
            self.refused(ValueError, "no batch", Table, iter([]), spill=spill)
            self.refused(TypeError, "int", Table, iter([3]), spill=spill)
        self.refused(TypeError, "iterator", Table, {"x": [1]}, spill="/tmp")
        self.refused(libml.FileError, "/nope", Table, self.parts(), spill="/nope")


class Text(Case):
    CSV = b'x,s\n1,"a,b"\n2,\n'

    def test_csv_of_files_and_streams(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "ä.csv"
            path.write_bytes(self.CSV)
            wanted = {"x": [1, 2], "s": ["a,b", None]}
            self.assertEqual(libml.read_csv(path).to_dict(), wanted)
            self.assertEqual(libml.read_csv(str(path)).to_dict(), wanted)
            with path.open("rb") as f:
                self.assertEqual(libml.read_csv(f).to_dict(), wanted)
            libml.read_csv(path).write_csv(path.with_suffix(".csv.gz"))
            self.assertEqual(libml.read_csv(path.with_suffix(".csv.gz")).to_dict(), wanted)
        out = io.BytesIO()
        libml.read_csv(io.BytesIO(self.CSV)).write_csv(out)
        self.assertEqual(out.getvalue().replace(b"\r\n", b"\n"), self.CSV)

    def test_refusals(self):
        error = self.refused(libml.FileError, "/nope/x.csv", libml.read_csv, "/nope/x.csv")
        self.assertIsInstance(error, OSError)
        self.refused(TypeError, "rb", libml.read_csv, io.StringIO("x\n1\n"))
        self.refused(libml.ParseError, ["line 2"], libml.read_csv,
                     io.BytesIO(b"x,y\n1\n3,4\n"), on_ragged="error")
        self.refused(ValueError, "NUL", libml.read_csv, "a\0b")
        self.refused(TypeError, "", libml.read_csv, 3.5)

    def test_what_a_file_raises_comes_out(self):
        class Broken(io.BytesIO):
            def read(self, size=-1):
                raise ZeroDivisionError("inner")

            def write(self, data):
                raise ZeroDivisionError("inner")
        self.refused(ZeroDivisionError, "inner", libml.read_csv, Broken())
        self.refused(ZeroDivisionError, "inner", Table({"x": [1]}).write_csv, Broken())
