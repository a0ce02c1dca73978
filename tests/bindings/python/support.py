# SPDX-License-Identifier: MIT
"""What the tests share."""

import importlib
import os
import random
import subprocess
import sys
import unittest
from pathlib import Path

import libml

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))


def module(name):
    """A module, or None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def needs(*names):
    """A decorator: skips, with a message, when a package is missing."""
    missing = [n for n in names if module(n) is None]
    return unittest.skipIf(missing, f"{', '.join(missing)} not installed")


def child(code, *args, check=True, timeout=120, env=None):
    """Runs Python code in a process of its own; returns what became of it."""
    path = os.pathsep.join([p for p in sys.path if p])
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", code, *map(str, args)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout,
                          env={**os.environ, "PYTHONPATH": path, **(env or {})})
    if check and done.returncode:
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def toy(rows=200, seed=3):
    """A table as lists: two numbers, a text, a target of two classes, one of numbers."""
    rng = random.Random(seed)
    a = [rng.random() for _ in range(rows)]
    b = [rng.random() for _ in range(rows)]
    color = [rng.choice(["red", "green", "blue"]) for _ in range(rows)]
    return {"a": a, "b": b, "color": color,
            "y": ["yes" if x + (c == "red") / 2 > 0.7 else "no" for x, c in zip(a, color)],
            "price": [3 * x - z for x, z in zip(a, b)]}


def classifier(**params):
    """A fitted model of two classes, and the rows it was fitted on."""
    data = toy()
    params = {"n_trees": 10, "ignore": ["price"], **params}
    return libml.GBDT(target="y", **params).fit(data), data


class Case(unittest.TestCase):
    def refused(self, kind, words, function, *args, **kwargs):
        """`function` raises `kind` with all the words in its text; returns the exception."""
        with self.assertRaises(kind) as caught:
            function(*args, **kwargs)
        text = str(caught.exception)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, text)
        self.assertNotIn("\n", text)
        return caught.exception
