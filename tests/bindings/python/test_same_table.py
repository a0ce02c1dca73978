# SPDX-License-Identifier: MIT
"""The same rows give the same model bytes, whatever holds them: lists, NumPy, pandas, polars,
pyarrow, DuckDB, and the CSV file that the command reads."""

import gzip
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import libml
from support import ROOT, Case, module, needs

ADULT = ROOT / "examples" / "data" / "adult"
ALGORITHMS = [a for a in ("gbdt", "logistic_regression") if a in libml.list_algorithms()]
ROWS = 3000
LUA = """
local ml = require "libml"
local path, target, algorithm, way, out = ...
local rows = ml.assert(ml.read_csv(path))
if way == "records" then rows = ml.assert(ml.records(rows:records(), rows:columns())) end
local params = { target = target, n_trees = algorithm == "gbdt" and 10 or nil }
ml.assert(ml.assert(ml.estimator(algorithm, params):fit(rows)):save(out))
"""


def source():
    return next(p for p in sorted(ADULT.iterdir()) if ".csv" in p.name)


class SameTable(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.csv = pathlib.Path(cls.folder.name) / "adult.csv"
        opener = gzip.open if source().suffix == ".gz" else open
        with opener(source(), "rt", encoding="utf-8", newline="") as f:
            cls.csv.write_text("".join(f.readline() for _ in range(ROWS + 1)), "utf-8")
        cls.table = libml.read_csv(cls.csv)
        cls.target = cls.table.columns[-1]
        cls.wanted = {a: cls.fit(a, cls.table) for a in ALGORITHMS}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def fit(cls, algorithm, data):
        params = {"n_trees": 10} if algorithm == "gbdt" else {}
        return libml.estimator(algorithm, target=cls.target, **params).fit(data).to_bytes()

    def same(self, data):
        for algorithm, wanted in self.wanted.items():
            self.assertEqual(self.fit(algorithm, data), wanted, algorithm)

    def test_lists(self):
        self.same(self.table.to_dict())

    def test_rows_as_dictionaries(self):
        self.same(self.table.to_dicts())

    def test_the_command(self):
        command = os.environ.get("LIBML_COMMAND")
        if not command:
            raise unittest.SkipTest("LIBML_COMMAND is not set")
        for algorithm, wanted in self.wanted.items():
            out = self.csv.with_suffix(".mlm")
            more = ["-s", "n_trees=10"] if algorithm == "gbdt" else []
            subprocess.run([command, "train", self.csv, "--target", self.target, "-a",
                            algorithm, "-q", "-o", out, *more], check=True)
            self.assertEqual(out.read_bytes(), wanted, algorithm)

    def test_lua(self):
        """The file as Lua reads it, and the rows as tables of Lua."""
        command = os.environ.get("LIBML_COMMAND", "")
        modules = pathlib.Path(command).parents[1] / "bindings" / "lua" / "5.4" if command else None
        if not command or not (modules / "libml.so").exists() or not shutil.which("lua5.4"):
            raise unittest.SkipTest("no module for Lua 5.4 beside LIBML_COMMAND")
        for algorithm, wanted in self.wanted.items():
            for way in ("file", "records"):
                out = self.csv.with_suffix(".mlm")
                subprocess.run(["lua5.4", "-", self.csv, self.target, algorithm, way, out],
                               input=LUA, text=True, check=True,
                               env={**os.environ, "LUA_CPATH": f"{modules}/?.so"})
                self.assertEqual(out.read_bytes(), wanted, f"{algorithm} {way}")

    def test_threads(self):
        before = libml.default_context().threads
        try:
            for threads in (1, 2, 7):
                libml.set_threads(threads)
                self.same(self.table)
        finally:
            libml.set_threads(before)

    @needs("numpy")
    def test_numpy(self):
        np = module("numpy")
        self.same({n: self.table[n] for n in self.table.columns})
        records = np.rec.fromarrays([self.table[n] for n in self.table.columns],
                                    names=self.table.columns)
        self.same(records)

    @needs("numpy")
    def test_numbers_as_a_matrix(self):
        np = module("numpy")
        numbers = [n for n, t in self.table.types.items() if t in ("int64", "float64")]
        x = self.table.select(numbers).to_numpy()
        y = self.table[self.target]
        wanted = libml.GBDT(n_trees=5).fit(libml.Table(x, names=numbers), y).to_bytes()
        for other in (np.asfortranarray(x), libml.Tensor(x), x.tolist(),
                      {n: x[:, i].tolist() for i, n in enumerate(numbers)}):
            table = libml.Table(other) if isinstance(other, dict) \
                else libml.Table(other, names=numbers)
            self.assertEqual(libml.GBDT(n_trees=5).fit(table, y).to_bytes(), wanted)

    @needs("pandas")
    def test_pandas(self):
        import pandas
        self.same(self.table.to_pandas())
        self.same(pandas.read_csv(self.csv, keep_default_na=False, na_values=[""]))

    @needs("polars")
    def test_polars(self):
        import polars
        self.same(polars.read_csv(self.csv, infer_schema_length=None))
        self.same(self.table.to_polars())

    @needs("pyarrow")
    def test_pyarrow(self):
        from pyarrow import csv
        empty = csv.ConvertOptions(null_values=[""], strings_can_be_null=True)
        self.same(csv.read_csv(self.csv, convert_options=empty))
        self.same(self.table.to_arrow())

    @needs("duckdb")
    def test_duckdb(self):
        import duckdb
        self.same(duckdb.sql(f"select * from read_csv('{self.csv}', strict_mode=true)"))
