#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The libml command as a person uses it: the main ways through, and bad input of every
kind, each of which must give one line that names place and remedy, an exit code, and no
partial output.

Usage: test_command.py LIBML
"""

import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

LIBML = sys.argv.pop(1) if len(sys.argv) > 1 else "libml"
ROOT = Path(__file__).resolve().parent.parent.parent
ADULT = ROOT / "examples" / "data" / "adult"


def call(*args, stdin=None, env=None, timeout=None):
    return subprocess.run([LIBML, *map(str, args)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
                          timeout=timeout)


def algorithms():
    """Those that predict by themselves: no transformers, nothing made of parts."""
    schemas = json.loads(call("schema").stdout)["schemas"]
    return [s["name"] for s in schemas if s["sort"] == "algorithm"
            and "transform" not in s["tasks"] and s["family"] != "compose"]


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        rng = random.Random(3)
        lines = ["a,b,color,y,price"]
        for i in range(300):
            a, b = rng.random(), rng.random()
            color = rng.choice(["red", "green", "blue"])
            y = "yes" if a + (color == "red") * 0.5 + 0.1 * rng.random() > 0.8 else "no"
            lines.append(f"{a:.4f},{b:.4f},{color},{y},{3 * a - b:.5f}")
        self.data = self.file("data.csv", "\n".join(lines) + "\n")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def refused(self, done, *words, code=1):
        """Failed, with one line on stderr that has these words."""
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertTrue(lines[0].startswith("libml: "), lines[0])

    def refused_with(self, spec, old, new, *words):
        """The file of a run is refused when `old` in it is `new`, with these words."""
        spec.write_text(spec.read_text().replace(old, new))
        self.refused(call("run", spec), *words)

    def model(self, *more):
        path = self.folder / "model.mlm"
        done = call("train", self.data, "--target", "y", "-a", "baseline", "-o", path, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    # The main ways through

    def test_train_predict_evaluate_inspect(self):
        for name in algorithms():
            schema = json.loads(call("algorithms", name, "--json").stdout)
            for task, target in (("classification", "y"), ("regression", "price")):
                if task not in schema["tasks"]:
                    continue
                model, out = self.folder / "m.mlm", self.folder / "out.csv"
                done = call("train", self.data, "--target", target, "-a", name, "--holdout",
                            "0.3", "-o", model, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads(done.stdout)
                self.assertEqual(result["algorithm"], name)
                self.assertTrue(result["metrics"])
                done = call("predict", model, self.data, "-o", out)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(out.read_text().splitlines()), 301)
                done = call("evaluate", model, self.data, "--json", "--verify")
                self.assertEqual(json.loads(done.stdout)["rows"], 300)
                done = call("inspect", model, "--json")
                self.assertEqual(json.loads(done.stdout)["algorithm"], name)
                self.assertEqual(call("inspect", model).returncode, 0)

    def test_predict_kinds_and_ids(self):
        model = self.model()
        done = call("predict", model, self.data, "-k", "class", "--id", "color")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(",")[0], "color")
        self.assertIn(lines[1].split(",")[1], ("yes", "no"))
        self.refused(call("predict", model, self.data, "-k", "probabilty"), "proba")
        self.refused(call("predict", model, self.data, "--id", "colour"), "colour")

    def test_several_targets(self):
        rows = "\n".join(f"{i},{i % 7},{i * 3 % 5}" for i in range(60))
        data, model = self.file("many.csv", "x,y,z\n" + rows), self.folder / "many.mlm"
        done = call("train", data, "-s", "targets=[y,z]", "-a", "decision_tree", "-o", model)
        self.assertEqual(done.returncode, 0, done.stderr)
        out = self.folder / "many.out.csv"
        self.assertEqual(call("predict", model, data, "-o", out).returncode, 0)
        self.assertEqual(out.read_text().splitlines()[:3],
                         ["value_y,value_z", "0.0,0.0", "1.0,3.0"])
        self.refused(call("train", data, "-a", "decision_tree"), "--target", code=2)
        self.refused(call("train", data, "-s", "targets=[y,z]", "-a", "linear_regression"),
                     "targets")
        for name in ("target", "label"):
            done = call("train", data, "-s", name + "=z", "-a", "decision_tree", "-q", "--json")
            self.assertEqual(json.loads(done.stdout)["rows"], 60, done.stderr)

    def test_evaluate_checks(self):
        model, other = self.model(), self.folder / "other.mlm"
        self.assertEqual(call("train", self.data, "--target", "y", "-s",
                              "n_trees=20", "-o", other).returncode, 0)
        done = call("evaluate", other, self.data, "--cv", "2", "--calibration", "--slices",
                    "--compare", model, "--learning-curve", "--set", "folds=2", "--json",
                    "--report", self.folder / "checks.html")
        self.assertEqual(done.returncode, 0, done.stderr)
        checks = json.loads(done.stdout)
        self.assertEqual(set(checks), {"rows", "cross_validation", "learning_curve",
                                       "calibration", "slices", "compare", "compare_folds"})
        self.assertEqual(len(checks["cross_validation"]), 4)
        self.assertGreater(checks["compare"][0]["difference"], 0)
        page = (self.folder / "checks.html").read_text()
        for title in ("Learning curve", "Score by training rows", "Calibration error"):
            self.assertIn(title, page)
        train = ("train", self.data, "--target", "y", "--holdout", "0.3", "-s", "n_trees=9")
        for args in (("evaluate", other, self.data), train):
            self.assertNotIn("beyond that of chance", page)
            call(*args, "--metrics", "kappa", "--report", self.folder / "kappa.html")
            page = (self.folder / "kappa.html").read_text()
            self.assertIn("beyond that of chance, at most 1 (higher is better)", page)
            page = ""
        self.refused(call("evaluate", model, self.data, "--cv", "1"), "folds")
        for args, word in ((("--set", "folds=2"), "--set is for checks"),
                           (("--slices", "--metrics", "auc"), "--metrics says nothing"),
                           (("--cv", "2", "--metrics", "auc,f1"), "one metric")):
            self.refused(call("evaluate", model, self.data, *args), word, code=2)

    def test_models_without_a_target_are_not_scored(self):
        spec = self.file("scale.yaml", "run: {data: data.csv, output: s.ml}\n"
                                       "steps: [standard_scaler]\n")
        self.assertEqual(call("run", spec).returncode, 0)
        self.refused(call("evaluate", self.folder / "s.ml", self.data), "predicts no target")

    def test_convert(self):
        model, out = self.folder / "m.ml", self.folder / "m.txt"
        self.assertEqual(call("train", self.data, "--target", "price", "-s", "n_trees=5",
                              "-o", model).returncode, 0)
        for end, start in (("c", b"/* Made by libml"), ("json", b'{"version"'),
                           ("txt", b"tree\n"), ("onnx", b"\x08")):
            done = call("convert", model, self.folder / f"m.{end}")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue((self.folder / f"m.{end}").read_bytes().startswith(start))
        again = self.folder / "again.mlm"
        self.assertEqual(call("convert", out, again, "--target", "price").returncode, 0)
        for a, b in ((model, again), (model, out)):
            self.assertEqual(call("predict", a, self.data).stdout,
                             call("predict", b, self.data).stdout)
        self.assertEqual(call("evaluate", again, self.data).returncode, 0)
        self.refused(call("convert", model, out, "--to", "pmml"), "pmml", "onnx")
        for name in ("m.xyz", "m"):
            self.refused(call("convert", model, self.folder / name), name, "--to", code=2)
            self.assertFalse((self.folder / name).exists())
        self.refused(call("convert", self.data, out), "data.csv")

    def test_tune(self):
        for name in algorithms():
            schema = json.loads(call("algorithms", name, "--json").stdout)
            if "classification" not in schema["tasks"] or \
                    not any(p.get("tune") for p in schema.get("params", [])):
                continue
            model = self.folder / "t.mlm"
            done = call("tune", self.data, "--target", "y", "-a", name, "-n", "3", "-o", model,
                        "--json", "--report", self.folder / "r.html")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(json.loads(done.stdout)["trials"]), 3)
            page = (self.folder / "r.html").read_text()
            self.assertIn("<svg", page)
            self.assertNotIn("http://", page.replace("http://www.w3.org", ""))

    def test_holdout_is_the_last_in_time(self):
        data, model = self.folder / "days.csv", self.folder / "m.mlm"
        data.write_text("day,x,y\n" + "".join(f"{i},{i % 7},{i // 90}\n" for i in range(100)))
        scores = []
        for more in ((), ("-s", "time=day")):
            done = call("train", data, "--target", "y", "-a", "baseline", "-s",
                        "task=regression", "--holdout", "0.1", "-o", model, "--json", *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            scores.append({r["metric"]: r["value"] for r in json.loads(done.stdout)["metrics"]})
        self.assertEqual(scores[1]["mae"], 1)
        self.assertLess(scores[0]["mae"], 1)

    def test_automl_with_next_to_no_time(self):
        """A model of what there is time for, and a word about what there was not."""
        rows = "".join(f"{i % 17},{i % 5},{(i % 17 > 8) + 0}\n" for i in range(3000))
        data = self.file("rows.csv", "a,b,y\n" + rows)
        model, report = self.folder / "m.mlm", self.folder / "r.html"
        done = call("automl", data, "--target", "y", "--time", "0.001", "--holdout", "0.5",
                    "-o", model, "--report", report)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("raise --time", done.stderr)
        self.assertIn("scores on 1000 of 1500 test rows", done.stdout)
        self.assertTrue(model.exists())
        self.assertIn("(100 of 1500 rows)", report.read_text())
        done = call("automl", data, "--target", "y", "--time", "1", "--holdout", "0.5",
                    "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(json.loads(done.stdout)["test_rows"], 1500)
        done = call("automl", data, "--target", "y", "--trials", "2", "--holdout", "0.5")
        self.assertIn("scores on 1500 test rows:", done.stdout)

    def test_no_time_is_no_limit(self):
        """Then the number of trials ends the search."""
        data = self.file("rows.csv", "x,y\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(60)))
        for command, more in (("automl", ("-s", "algorithms=linear_regression")),
                              ("tune", ("-a", "decision_tree"))):
            done = call(command, data, "--target", "y", "--time", "0", "-o",
                        self.folder / "m.mlm", *more, timeout=100)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_tune_goes_on(self):
        journal, model = self.folder / "t.journal", self.folder / "t.mlm"
        for n in (2, 3):
            done = call("tune", self.data, "--target", "y", "-n", n, "--journal", journal,
                        "-s", "n_trees=5", "-o", model, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(json.loads(done.stdout)["trials"]), n)
        alone = self.folder / "alone.mlm"
        self.assertEqual(call("tune", self.data, "--target", "y", "-n", 3, "-s", "n_trees=5",
                              "-o", alone, "-q").returncode, 0)
        self.assertEqual(model.read_bytes(), alone.read_bytes())

    def test_same_seed_same_bytes_whatever_threads(self):
        for name in algorithms():
            if "classification" not in json.loads(
                    call("algorithms", name, "--json").stdout)["tasks"]:
                continue
            models = []
            for threads in (1, 2, 7):
                path = self.folder / f"m{threads}.mlm"
                done = call("train", ADULT / "test.csv.gz", "--target", "income", "-a", name,
                            "-o", path, "--threads", threads, "--seed", 5)
                self.assertEqual(done.returncode, 0, done.stderr)
                models.append(path.read_bytes())
            self.assertEqual(models[0], models[1], name)
            self.assertEqual(models[0], models[2], name)

    def test_gzip_and_profile(self):
        path = self.file("data.csv.gz", gzip.compress(self.data.read_bytes()))
        done = call("profile", path, "--json")
        self.assertEqual(json.loads(done.stdout)["summary"][0]["rows"], 300)
        self.assertEqual(call("profile", path).returncode, 0)
        done = call("profile", path, "--part", "correlations", "--json")
        self.assertIn("method", json.loads(done.stdout)["correlations"][0])
        done = call("profile", path, "--part", "summary", "--json", "--quiet")
        self.assertEqual(done.stdout.count("summary"), 1)
        self.refused(call("profile", path, "--part", "summary", "--target", "y"),
                     "--target is for", code=2)
        page = self.folder / "profile.html"
        done = call("profile", path, "--target", "y", "--report", page)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("predictive", page.read_text().lower())
        self.assertIn("no column", call("profile", path, "--target", "zz").stderr)

    def test_join_and_aggregate(self):
        left = self.file("left.csv", b"id,day\n1,2024-01-05\n2,2024-01-02\n3,2024-01-09\n")
        right = self.file("right.csv", b"id,day,x\n1,2024-01-01,5\n1,2024-01-05,6\n"
                                       b"3,2024-01-08,1\n")
        done = call("join", left, right, "-s", "on=id", "-s", "how=left", "-s", "time=day",
                    "-s", "strict=true", "-s", "tolerance=5d")
        self.assertEqual(done.stdout.split(), ["id,day,day_right,x", "1,2024-01-05,2024-01-01,5",
                                               "2,2024-01-02,,", "3,2024-01-09,2024-01-08,1"])
        done = call("aggregate", right, "-s", "by=id", "-s", "aggregates=n = count(), sum(x)",
                    "--json")
        self.assertEqual(json.loads(done.stdout), [{"id": 1, "n": 2, "x_sum": 11},
                                                   {"id": 3, "n": 1, "x_sum": 1}])
        done = call("aggregate", right, left, "-s", "by=id", "-s", "time=day",
                    "-s", "aggregates=mean(x) over 2d")
        self.assertEqual(done.stdout.split()[1:], ["1,2024-01-05,", "2,2024-01-02,",
                                                   "3,2024-01-09,1.0"])
        done = call("aggregate", right, "-s", "by=idd", "-s", "aggregates=count()")
        self.assertEqual(done.returncode, 1)
        self.assertIn('did you mean "id"?', done.stderr)

    def test_help_manual_completion_schema(self):
        self.assertIn("train", call("--help").stdout)
        for command in ("train", "tune", "predict", "evaluate", "inspect", "profile"):
            self.assertIn("usage: libml " + command, call(command, "--help").stdout)
        self.assertIn(".TH LIBML 1", call("manual").stdout)
        self.assertIn("complete ", call("completion").stdout)
        self.assertTrue(json.loads(call("schema").stdout)["schemas"])
        for text in (call("algorithms", "gbdt"), call("schema", "--json-schema")):
            self.assertIn("instead of target. Of columns", " ".join(text.stdout.split()))
            self.assertNotIn("{param:", text.stdout)
        self.assertEqual(json.loads(call("version", "--json").stdout)["version"],
                         json.loads(call("schema").stdout)["version"])
        done = subprocess.run(["bash", "-n", "-c", call("completion").stdout])
        self.assertEqual(done.returncode, 0)

    # Bad input

    def test_wrong_names_are_near_others(self):
        self.refused(call("trian", self.data), 'did you mean "train"?', code=2)
        self.refused(call("predcit"), 'did you mean "predict"?', code=2)
        self.assertNotIn("did you mean", call("whatever").stderr)
        for wrong in (("--traget", "y"), ("--traget=a long name of a column",)):
            self.refused(call("train", self.data, *wrong),
                         "has no option --traget; did you mean --target?", code=2)
        self.assertNotIn("did you mean", call("train", self.data, "--bogus").stderr)

    def test_one_row_is_a_row(self):
        one = self.file("one.csv", "a,y\n1,2\n")
        done = call("train", one, "--target", "y", "-a", "baseline", "-s",
                    "task=regression", "-o", self.folder / "m.mlm")
        self.assertIn("baseline: 1 row, 1 feature,", done.stdout)
        done = call("predict", self.folder / "m.mlm", one, "-o", self.folder / "p.csv")
        self.assertIn("predicted 1 row into", done.stdout)

    def test_wrong_usage(self):
        for args in ((), ("trian",), ("train",), ("train", self.data),
                     ("train", self.data, "--target", "y", "--bogus"),
                     ("train", self.data, self.data, "--target", "y"),
                     ("train", self.data, "--target"),
                     ("train", self.data, "--target", "y", "--set", "novalue"),
                     ("train", self.data, "--target", "y", "--threads", "-3"),
                     ("train", self.data, "--target", "y", "--threads", "x"),
                     ("train", self.data, "--target", "y", "-o", "-"),
                     ("predict", self.data)):
            done = call(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertTrue(done.stderr)

    def test_wrong_files(self):
        train = ("--target", "y", "-a", "baseline", "-o", self.folder / "never.mlm")
        cases = [(self.folder / "absent.csv", "absent.csv"), (self.folder, "folder"),
                 (self.file("empty.csv", ""), "empty.csv"),
                 (self.file("binary.csv", bytes(range(256)) * 40), "binary.csv"),
                 (self.file("ragged.csv", "a,y\n1,2\n1,2,3\n"), "line 3"),
                 (self.file("quote.csv", 'a,y\n1,"open\n2,3\n'), "line 2"),
                 (self.file("cut.csv.gz", gzip.compress(self.data.read_bytes())[:200]),
                  "cut.csv.gz"),
                 (self.file("head.csv", "a,b,y\n"), "")]
        for path, word in cases:
            self.refused(call("train", path, *train), word)
        self.assertFalse((self.folder / "never.mlm").exists())

    def test_wrong_columns(self):
        base = ("-a", "baseline")
        self.refused(call("train", self.data, "--target", "yy", *base), '"yy"', "y")
        self.refused(call("train", self.file("one.csv", "y\na\nb\na\n"), "--target", "y",
                          *base), "column")
        constant = self.file("constant.csv", "a,y\n" + "1,yes\n" * 20)
        self.refused(call("train", constant, "--target", "y", *base), "class")
        missing = self.file("missing.csv", "a,y\n" + "1,\n" * 20)
        self.refused(call("train", missing, "--target", "y", *base), "y")
        self.refused(call("train", self.data, "--target", "y", *base, "-s",
                          "task=regression"), "y")
        self.refused(call("train", self.data, "--target", "y", *base, "-s",
                          "features=[a,colour]"), "colour")

    def test_numbers_with_separators(self):
        rows = "".join(f'"{1000 + 37 * i:,}",{i % 7},"${2000 + 91 * i:,}"\n'
                       for i in range(200))
        money = self.file("money.csv", "size,b,price\n" + rows)
        self.refused(call("automl", money, "--target", "size", "--trials", "2"), "size",
                     "separators or signs", "thousands")
        done = call("train", money, "--target", "price", "-a", "baseline", "--holdout", "0.2")
        self.assertIn("rmse", done.stdout) # a sign tells what the comma means
        done = call("automl", money, "--target", "b", "--trials", "2", "-s", "ignore=price")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('the column "size" has numbers with separators', done.stderr)
        done = call("automl", money, "--target", "b", "--trials", "2", "-s", "ignore=price",
                    "--csv", "thousands=,")
        self.assertNotIn("size", done.stderr)
        codes = self.file("codes.csv", "code,y\n" + "".join(
            f"2024-{i % 40:02d},{i % 2}\n" for i in range(200)))
        self.assertNotIn("separators", call("automl", codes, "--target", "y", "--trials",
                                            "2").stderr)

    def test_dates_of_a_model_are_read_in_its_order(self):
        """3/4/2024 is what it was in training, found there or told, whatever reads it."""
        def rows(write, days):
            return "day,y\n" + "".join(f"{write(d)},{d * 3}\n" for d in days)
        def iso(d):
            return f"2024-{d % 12 + 1:02d}-{d // 12 % 28 + 1:02d}"
        def first(d):
            return "/".join(reversed(iso(d).split("-")))
        def month(d):
            return "/".join((iso(d)[5:7], iso(d)[8:], "2024"))
        plain = self.file("plain.csv", rows(iso, range(144)))
        for write, told in ((first, ()), (month, ()), (first, ("--csv", "date_order=day_first")),
                            (month, ("--csv", "date_order=month_first"))):
            train = self.file("train.csv", rows(write, range(144 if told else 336)))
            other = self.file("other.csv", rows(write, range(144)))
            model = self.folder / "dates.mlm"
            done = call("train", train, "--target", "y", "-a", "gbdt", "-o", model,
                        "--holdout", "0.1", *told)
            self.assertEqual(done.returncode, 0, done.stderr)
            here, there = (call("predict", model, path) for path in (other, plain))
            self.assertEqual(here.returncode, 0, here.stderr)
            self.assertEqual(here.stdout, there.stdout)

    def test_rare_classes_are_not_held_out(self):
        """A class of one row is learned, whatever the seed, and each has its share."""
        rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)) + "7,c\n8,d\n9,e\n"
        rare = self.file("rare.csv", "x,y\n" + rows)
        for seed in range(6):
            done = call("train", rare, "--target", "y", "-a", "baseline", "--holdout", "0.5",
                        "--seed", seed)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_wrong_parameters(self):
        self.refused(call("train", self.data, "--target", "y", "-a", "basline"), "baseline")
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "-s",
                          "stratgy=mean"), "strategy")
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "-s",
                          "quantile=7"), "[0, 1]")
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "-s",
                          "quantile=abc"), "quantile")
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "--holdout",
                          "0.2", "--metrics", "aucc"), "aucc")
        model = self.folder / "kept.mlm"
        done = call("train", self.data, "--target", "y", "-a", "baseline", "--holdout", "0.2",
                    "--metrics", "aucc", "-o", model)
        self.assertIn("is saved", done.stderr)
        self.assertTrue(model.exists())
        done = call("automl", self.data, "--target", "y", "--metrics", "f1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--set metric=", done.stderr)
        self.refused(call("algorithms", "gbbdt"), "gbbdt")

    def test_a_target_of_one_value_is_told(self):
        data = self.file("one.csv", "a,y\n" + "".join(f"{i},5\n" for i in range(20)))
        done = call("train", data, "--target", "y", "-s", "task=regression")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('the target "y" is 5 in all 20 rows', done.stderr)

    def test_small_and_odd_tables(self):
        for name in algorithms():
            tasks = json.loads(call("algorithms", name, "--json").stdout)["tasks"]
            target = "y" if "classification" in tasks else "price"
            lines = self.data.read_text().splitlines()
            one = self.file("one_row.csv", "\n".join(lines[:2]) + "\n")
            same = self.file("same.csv", "\n".join([lines[0]] + lines[1:3] * 30) + "\n")
            for path in (one, same):
                done = call("train", path, "--target", target, "-a", name)
                if done.returncode:
                    self.refused(done)
            ids = self.file("ids.csv", "id,z,y\n" + "".join(
                f"user-{i}-x,{i % 7},{'ab'[i % 2]}\n" for i in range(30000)))
            if target == "y":
                done = call("train", ids, "--target", "y", "-a", name)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_damaged_models(self):
        model = self.model()
        content = model.read_bytes()
        for size in [0, 1, 7, 8, 9, 50, len(content) // 2, len(content) - 1]:
            self.refused(call("inspect", self.file("cut.mlm", content[:size])))
        newer = content.replace(b'"libml.format": "1"', b'"libml.format": "9"')
        self.assertNotEqual(newer, content)
        self.refused(call("inspect", self.file("newer.mlm", newer)), "9")
        self.refused(call("inspect", model, "--tree", "-1"), "--tree", code=2)
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        self.refused(call("inspect", self.file("flip.mlm", flipped), "--verify"))
        self.refused(call("inspect", self.data), "data.csv")
        self.refused(call("inspect", self.folder / "absent.mlm"), "absent.mlm")

    def test_prediction_table_that_does_not_fit(self):
        model = self.model()
        part = self.file("part.csv", "a,color\n0.5,red\n")
        self.refused(call("predict", model, part), '"b"')
        text = self.file("text.csv", "a,b,color\nhello,1,red\n")
        self.refused(call("predict", model, text), '"a"')
        out = self.folder / "p.csv"
        self.refused(call("predict", model, part, "-o", out))
        self.assertFalse(out.exists())

    def test_places_that_cannot_be_written(self):
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "-o",
                          self.folder / "no" / "m.mlm"), "m.mlm")
        # Before anything is read or fitted.
        for option in ("-o", "--report"):
            self.refused(call("train", self.folder / "none.csv", "--target", "y", option,
                              self.folder / "no" / "m"), "make it first")
        self.refused(call("train", self.data, "--target", "y", "-o", self.data / "m"),
                     "its folder is a file")
        # What is read is not written over.
        model, text = self.model(), self.data.read_text()
        for done in (call("train", self.data, "--target", "y", "-o", self.data),
                     call("predict", model, self.data, "-o", self.data),
                     call("predict", model, self.data, "-o", self.folder / "." / model.name),
                     call("convert", model, model, "--to", "c"),
                     call("train", model, "--target", "y", "--test", self.data, "--report",
                          self.data)):
            self.refused(done, "it is read here; write to another place")
        self.assertEqual(self.data.read_text(), text)
        self.assertEqual(call("inspect", model).returncode, 0)
        before = set(self.folder.iterdir())
        self.refused(call("train", self.data, "--target", "y", "-a", "baseline", "-o",
                          self.folder), str(self.folder))
        self.assertEqual(set(self.folder.iterdir()), before)
        if Path("/dev/full").exists():
            done = subprocess.run(f"'{LIBML}' schema > /dev/full", shell=True, text=True,
                                  stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1)

    def test_run_a_pipeline(self):
        spec = self.file("spec.yaml", "run:\n  data: data.csv\n  holdout: 0.3\n"
                                      "  output: p.ml\ntarget: y\nignore: [price]\nsteps:\n"
                                      "  - one_hot_encoder\n  - scale: standard_scaler\n"
                                      "  - model:\n      algorithm: gbdt\n"
                                      "      n_trees: 10\n      min_data_in_leaf: 5\n")
        done = call("run", spec)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("roc_auc", done.stdout)
        done = call("predict", self.folder / "p.ml", self.data, "-k", "class")
        self.assertEqual(len(done.stdout.splitlines()), 301, done.stderr)
        self.refused_with(spec, "n_trees", "n_treees", "spec.yaml: line 12, column 7",
                          "n_trees")
        self.refused_with(spec, "holdout", "hold", "run.hold", "holdout", "spec.yaml, line ")
        spec.write_text(spec.read_text().replace("treees", "trees").replace("hold:", "holdout:"))
        self.refused_with(spec, "  - scale", "  - row_filter: {where: a > 1e9}\n  - scale",
                          "spec.yaml, line 9: ", "no row fulfils")
        self.refused(call("run", self.folder / "none.yaml"), "none.yaml: cannot read")
        for text, *words in (
                ("run: {study: {space: {a.b: [1, 2]}}}\nsteps: [gbdt]\n", "space is a text"),
                ("steps: {gbdt: {n_trees: 5}}\n", "line 1, column 16", "steps is a list"),
                ("steps:\n  - gbdt: {n_trees: {least: 5}}\n", "line 2, column 22",
                 "n_trees is a value, not a mapping")):
            spec.write_text(text)
            self.refused(call("run", spec, self.data, "--target", "y"), *words)

    def test_very_few_rows(self):
        for rows in range(2, 6):
            data = self.file("few.csv", "x,y\n" + "".join(f"{i},{2.5 * i}\n"
                                                           for i in range(rows)))
            done = call("automl", data, "--target", "y", "--trials", "2")
            self.assertEqual(done.returncode, 0, done.stderr)
        names = self.file("names.csv", "x,y\n" + "".join(f"{i},name{i}\n" for i in range(50)))
        self.refused(call("automl", names, "--target", "y", "--holdout", "0.2"), 'column "y"',
                     "no class has the rows", "choose another target")

    def test_run_tunes_and_says_where(self):
        spec = self.file("tune.yaml", "run:\n  data: data.csv\n  holdout: 0.3\n"
                                      "  metrics: [roc_auc, f1]\n  study:\n"
                                      "    n_trials: 3\n    sampler: random\n"
                                      "    journal: tune.journal\n"
                                      "    space: |\n      model.max_leaves: [4, 9]\n"
                                      "target: y\nsteps:\n"
                                      "  - derive: {expressions: [\"big = price > 3\"]}\n"
                                      "  - model: {algorithm: gbdt, n_trees: 5}\n")
        done = call("run", spec)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 trials", done.stdout)
        self.assertIn("model.max_leaves", done.stdout)
        scores = done.stdout[done.stdout.index("scores on"):]
        self.assertIn("f1", scores)
        self.assertNotIn("log_loss", scores)
        self.assertTrue((self.folder / "tune.journal").exists())
        (self.folder / "tune.journal").unlink()
        text = spec.read_text()
        for old, new, *words in (
                ("price >", "pric >", "line 13: ", "character 1", "price"),
                ("target: y", "target: yy", "line 11: "),
                ("n_trials: 3", "n_trial: 3", "line 6: "),
                ("steps:\n", "steps:\n  - scale: {algorithm: standard_scaler,"
                 " columns: [number]}\n  - other: {algorithm: standard_scaler,\n"
                 "             columns: [prise]}\n", "line 15: ")):
            spec.write_text(text)
            self.refused_with(spec, old, new, "tune.yaml, ", *words)
            (self.folder / "tune.journal").unlink(missing_ok=True)

    def test_rows_without_the_target(self):
        data = self.file("holes.csv", "x,y\n" + "".join(
            f"{i},{'' if i % 4 == 0 else i}\n" for i in range(40)))
        done = call("train", data, "--target", "y", "-a", "baseline", "--test", data,
                    "--report", self.folder / "holes.html")
        self.assertIn('10 of 40 rows lack the target "y"', done.stderr)
        self.assertIn("baseline: 30 rows", done.stdout)
        self.assertIn("scores on 30 test rows", done.stdout)
        self.assertIn("Scores on 30 rows", (self.folder / "holes.html").read_text())

    def test_predict_without_a_column(self):
        model = self.folder / "short.mlm"
        call("train", self.data, "--target", "y", "-a", "gbdt", "-s", "n_trees=3", "-o", model)
        rows = [line.split(",") for line in self.data.read_text().splitlines()[:3]]
        at = rows[0].index("price")
        short = self.file("short.csv", "".join(
            ",".join(r[:at] + r[at + 1:]) + "\n" for r in rows))
        self.refused(call("predict", model, short), "price", "missing_columns")
        done = call("predict", model, short, "-s", "missing_columns=missing")
        self.assertEqual(len(done.stdout.splitlines()), 3, done.stderr)

    def test_json_schema(self):
        schema = json.loads(call("schema", "--json-schema").stdout)
        names = schema["definitions"]["name"]["enum"]
        self.assertTrue({"gbdt", "imputer", "pipeline"} <= set(names))
        rate = schema["definitions"]["gbdt"]["properties"]["learning_rate"]
        self.assertEqual((rate["type"], rate["exclusiveMinimum"], rate["maximum"]),
                         ("number", 0, 1))
        self.assertEqual(schema["definitions"]["imputer"]["properties"]["strategy"]["enum"],
                         ["mean", "median", "mode", "constant"])
        imputer = schema["definitions"]["imputer"]
        self.assertFalse(imputer["additionalProperties"])
        self.assertIn("target", schema["definitions"]["gbdt"]["properties"])
        self.assertNotIn("additionalProperties", schema["definitions"]["pipeline"])
        parts = schema["definitions"]["date_parts"]["properties"]["parts"]
        self.assertEqual(parts["anyOf"][0]["items"]["type"], "string")
        pattern = schema["definitions"]["named"]["pattern"]
        for text, fits in (("imputer", True), ("a=gbdt", True), ("over_sampler", True),
                           ("imputre", False), ("gbdt=", False)):
            self.assertEqual(bool(re.search(pattern, text)), fits, text)
        try:
            import jsonschema
            import yaml
        except ImportError:
            return
        check = jsonschema.Draft7Validator(schema)
        for page in ("pipelines.md", "prepare.md"):
            text = (ROOT / "docs" / page).read_text()
            for block in re.findall("```yaml\n(.*?)```", text, re.S):
                self.assertEqual([e.message for e in check.iter_errors(yaml.safe_load(block))],
                                 [], block)

    def test_interrupt_keeps_the_best(self):
        if "gbdt" not in algorithms():
            self.skipTest("no gbdt")
        model = self.folder / "stopped.mlm"
        process = subprocess.Popen(
            [LIBML, "tune", str(ADULT / "train.csv.gz"), "--target", "income", "-n", "1000",
             "-o", str(model)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("interrupted", err)
        self.assertTrue(model.exists())


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=0).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(1 if bad else 0)
