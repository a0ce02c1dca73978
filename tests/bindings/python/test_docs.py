# SPDX-License-Identifier: MIT
"""The examples in the documentation of the package, its stubs, and what it exports."""

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import tempfile
import unittest

import libml
from support import Case, child, module, needs


def modules():
    for info in pkgutil.iter_modules(libml.__path__):
        if "sklearn" in info.name and module("sklearn") is None:
            continue
        yield importlib.import_module(f"libml.{info.name}")


class Docs(Case):
    @needs("numpy")
    def test_examples(self):
        total = 0
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                for m in modules():
                    result = doctest.testmod(m, optionflags=doctest.NORMALIZE_WHITESPACE)
                    self.assertEqual(result.failed, 0, m.__name__)
                    total += result.attempted
            finally:
                os.chdir(before)
        self.assertGreater(total, 50)

    def test_all_names_are_there_and_documented(self):
        for m in (libml, libml.metrics, libml.algorithms):
            for name in m.__all__:
                value = getattr(m, name)
                if inspect.isclass(value) or inspect.isfunction(value):
                    self.assertTrue(value.__doc__, f"{m.__name__}.{name}")

    def test_public_methods_are_documented(self):
        for name in libml.__all__:
            value = getattr(libml, name)
            if inspect.isclass(value) and not issubclass(value, Exception):
                for method, function in vars(value).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        self.assertTrue(function.__doc__, f"{name}.{method}")


SKELETON = """
import sys, types
class Names(types.ModuleType):
    __path__ = []
    __version__ = "1.9.1"
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
for name in ("numpy", "sklearn", "sklearn.base", "sklearn.utils", "sklearn.utils.multiclass",
             "sklearn.utils.validation"):
    sys.modules[name] = Names(name)
import libml.sklearn as ls
print(all(isinstance(getattr(ls, n), type) for n in ls.__all__), len(ls.__all__) > 10)
"""


class Generated(Case):
    def test_estimators_can_be_imported(self):
        """Without scikit-learn: what is generated is Python, at least."""
        self.assertEqual(child(SKELETON).stdout, "True True\n")


class Stubs(Case):
    """__init__.pyi says what the package has."""

    def setUp(self):
        path = os.path.join(libml.__path__[0], "__init__.pyi")
        with open(path, encoding="utf-8") as f:
            self.tree = ast.parse(f.read())

    @staticmethod
    def parameters(node):
        a = node.args
        return [p.arg for p in a.posonlyargs + a.args] + \
            (["*" + a.vararg.arg] if a.vararg else []) + [p.arg for p in a.kwonlyargs] + \
            (["**" + a.kwarg.arg] if a.kwarg else [])

    @staticmethod
    def of_function(function):
        star = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
        return [star.get(p.kind, "") + p.name
                for p in inspect.signature(function).parameters.values()]

    def test_functions(self):
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                self.assertEqual(self.parameters(node),
                                 self.of_function(getattr(libml, node.name)), node.name)

    def test_classes(self):
        for node in self.tree.body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            cls = getattr(libml, node.name)
            listed = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            for one in listed:
                value = inspect.getattr_static(cls, one.name)
                if isinstance(value, property) or one.name == "__getattr__":
                    continue
                function = getattr(value, "__func__", value)
                self.assertEqual(self.parameters(one), self.of_function(function),
                                 f"{node.name}.{one.name}")
            public = {n for n, v in vars(cls).items() if not n.startswith("_") and
                      (inspect.isfunction(v) or isinstance(v, property))}
            self.assertEqual(public - {n.name for n in listed} - {"closed", "close"}, set(),
                             f"{node.name}: add them to __init__.pyi")

    def test_every_exported_name(self):
        named = {n.name for n in self.tree.body if hasattr(n, "name")}
        named |= {n.target.id for n in self.tree.body if isinstance(n, ast.AnnAssign)}
        named |= set(libml.algorithms.__all__) | {"metrics"}
        self.assertEqual(set(libml.__all__) - named, set())


USER = '''
import libml
import libml.sklearn
from libml.algorithms import GBDT

data = libml.Table({"x": [1.0, 2.0], "y": [0.5, 1.5]})
est = GBDT(target="y", n_trees=5, growth="leafwise")
model: libml.Model = est.fit(data, progress=True)
model.save("m.mlm")
row: float = model.predictor().row([1.0])
rows, columns = data.shape
number: int = rows + columns
score: float = libml.metrics.rmse([1.0], [2.0])
print(libml.load("m.mlm").classes, libml.RangeError, row, number, score)
fitted = libml.sklearn.GBDTClassifier(n_trees=3).fit([[1.0]], [1]).predict([[1.0]])
'''
WRONG = '''
import libml
libml.GBDT(n_trees="many")
libml.GBDT(growth="sideways")
libml.Table({"x": [1]}).nope
libml.GBDT(n_treees=3)
'''


class Types(Case):
    @needs("mypy")
    def test_mypy(self):
        root = os.path.dirname(libml.__path__[0])
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("user.py", USER), ("wrong.py", WRONG)):
                with open(os.path.join(folder, name), "w") as f:
                    f.write(text)
            env = {**os.environ, "MYPY_CACHE_DIR": folder}
            if os.path.basename(root) != "site-packages":  # there py.typed says it
                env["MYPYPATH"] = root

            def mypy(*args):
                done = subprocess.run([sys.executable, "-m", "mypy", *args], cwd=folder,
                                      env=env, stdout=subprocess.PIPE, text=True)
                return done.returncode, done.stdout
            code, out = mypy("--strict", "user.py")
            self.assertEqual(code, 0, out)
            code, out = mypy("--strict", "wrong.py")
            self.assertEqual(out.count("error:"), 4, out)


if __name__ == "__main__":
    unittest.main()
