#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rows of benchmarks that compare times alone show no gate and no quality."""

import contextlib
import importlib.machinery
import importlib.util
import io
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TIMES_ALONE = ("binning", "load", "tree-predict-single")


def module(name):
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "benchmarks" / name))
    spec = importlib.util.spec_from_loader(name, loader)
    out = importlib.util.module_from_spec(spec)
    loader.exec_module(out)
    return out


class Rows(unittest.TestCase):
    def setUp(self):
        self.compare, self.docs = module("compare"), module("write_docs.py")
        self.compare.version = lambda peer: "1.0"
        self.compare.run = lambda command, **options: ""
        for name in ("higgs", "model_of", "models", "python"):
            setattr(self.compare, name, lambda *a: {"libml": "m"})

    def cells(self, case, ours, theirs):
        case.pair = lambda swap: {"ours": {"seconds": 1.0, "quality": ours},
                                  "theirs": {"seconds": 2.0, "quality": theirs}}
        row = self.compare.measure(case, 3)
        with contextlib.redirect_stdout(io.StringIO()):
            self.compare.show(row)
        return [c.strip() for c in self.docs.line(row).strip("|").split("|")][-2:]

    def test_times_alone(self):
        for workload in TIMES_ALONE:
            for case in self.compare.WORKLOADS[workload](True, 1):
                self.assertEqual(self.cells(case, 1.0, 5.0), ["-", "-"], workload)

    def test_a_gate(self):
        case = next(iter(self.compare.WORKLOADS["gbdt"](True, 1)))
        self.assertEqual(self.cells(case, 0.8, 0.8), ["0.8 / 0.8", "ok"])
        self.assertEqual(self.cells(case, 0.7, 0.8), ["0.7 / 0.8", "failed: void"])

    def test_the_page(self):
        for line in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines():
            cells = [c.strip() for c in line.strip("|").split("|")]
            if len(cells) == 9 and cells[0].split(" ")[0] in TIMES_ALONE:
                self.assertEqual(cells[-2:], ["-", "-"], line)


if __name__ == "__main__":
    unittest.main()
