# SPDX-License-Identifier: MIT
"""Exceptions, and the life of objects: closing, order, wrong kinds, threads."""

import copy
import gc
import io
import itertools
import pickle
import threading

import libml
from libml import _core
from support import Case, child, classifier, toy


class Exceptions(Case):
    def test_each_status_has_a_class(self):
        from libml import _errors, _native
        for code, name in _native.STATUS.items():
            cls = _errors.BY_CODE[code]
            self.assertTrue(issubclass(cls, libml.LibmlError), name)
            self.assertEqual(cls.code, code)
            self.assertIs(getattr(libml, cls.__name__), cls)
            self.assertTrue(cls.__doc__)

    def test_parts(self):
        error = self.refused(libml.RangeError, ["n_trees", "-1"], libml.GBDT, n_trees=-1)
        self.assertEqual(error.location, "params.n_trees")
        self.assertEqual(error.code, libml.RangeError.code)
        self.assertIsInstance(error, ValueError)
        error = self.refused(libml.UnknownNameError, "n_trees", libml.GBDT, n_treees=3)
        self.assertIn("n_trees", error.hint)
        self.assertIn(error.hint, str(error))
        self.assertEqual(error.message, str(error))

    def test_they_resemble_built_in_ones(self):
        self.refused(KeyError, "nope", libml.estimator, "nope")
        self.refused(ValueError, "nope", libml.estimator, "nope")
        self.refused(OSError, "nope.mlm", libml.load, "/tmp/nope.mlm")
        self.refused(ValueError, "", libml.loads, b"no model")
        self.refused(TypeError, ["n_trees"], libml.GBDT, n_trees="many")

    def test_pickled(self):
        with self.assertRaises(libml.RangeError) as caught:
            libml.GBDT(n_trees=-1)
        back = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(back), libml.RangeError)
        self.assertEqual((str(back), back.location, back.code),
                         (str(caught.exception), "params.n_trees", libml.RangeError.code))

    def test_cause(self):
        from libml import _native
        outer = libml.DataError("outer")
        self.assertIsNone(outer.__cause__)
        self.assertEqual(len(_native.STATUS), 16)

    def test_parameters_of_every_wrong_kind(self):
        for value in (object(), {"a": 1}, b"x", [object()], 1j, ["a\0"], "\ud800"):
            with self.assertRaises((TypeError, ValueError, libml.LibmlError)):
                libml.GBDT(n_trees=value)
        self.refused(OverflowError, "64 bits", libml.GBDT, n_trees=2 ** 80)
        self.refused(libml.LibmlError, "learning_rate", libml.GBDT, learning_rate=float("nan"))
        est = libml.GBDT(n_trees=7)
        self.refused(libml.LibmlError, "max_leaves", est.set, n_trees=5, max_leaves=-3)
        self.assertEqual(est["n_trees"], 7)  # all or none
        est["n_trees"] = 8
        self.assertEqual(est.params["n_trees"], 8)
        self.refused(KeyError, "nope", est.__getitem__, "nope")


def everything():
    """One object of each class, by name."""
    model, data = classifier(n_trees=2)
    estimator = libml.Baseline(target="y")
    table = libml.Table(data)
    study = libml.Study(libml.GBDT(target="y", features=["a"], n_trees=1), table,
                        n_trials=1, tune=["max_leaves"])
    return {"context": libml.Context(threads=1), "cancel": libml.CancelToken(),
            "schema": libml.Schema("gbdt"), "params": libml.Params(a=1),
            "tensor": libml.Tensor([1.5]), "table": table, "estimator": estimator,
            "model": model, "predictor": model.predictor(), "study": study,
            "report": libml.Report("r")}


class Handles(Case):
    USES = {"context": lambda o: o.threads, "cancel": lambda o: o.stop(),
            "schema": lambda o: o.find("n_trees"), "params": lambda o: o.to_dict(),
            "tensor": lambda o: o.shape, "table": lambda o: len(o),
            "estimator": lambda o: o.fit(toy()), "model": lambda o: o.predict(toy()),
            "predictor": lambda o: o.run(toy()), "study": lambda o: o.run(),
            "report": lambda o: o.to_html()}

    def test_closed(self):
        for name, one in everything().items():
            with one as same:
                self.assertIs(same, one)
                self.assertFalse(one.closed)
            self.assertTrue(one.closed)
            one.close()  # twice is harmless
            error = self.refused(libml.ClosedError, ["closed", type(one).__name__],
                                 self.USES[name], one)
            self.assertIsInstance(error, libml.StateError)
            self.refused(libml.ClosedError, "closed", one.__enter__)
            self.assertIn("closed", repr(one))
        model, _ = classifier(n_trees=1)
        p = model.predictor("proba")
        p.close()
        for use in (lambda: p.row([0.5, 0.5, 0]), lambda: p.rows([[0.5, 0.5, 0]]),
                    lambda: p.outputs, lambda: p.code("color", "red")):
            self.refused(libml.ClosedError, "closed", use)

    def test_closed_objects_as_arguments(self):
        things = everything()
        for one in things.values():
            one.close()
        use = [lambda: libml.Baseline(target="y").fit(things["table"]),
               lambda: libml.Study(things["estimator"], toy()),
               lambda: libml.Report("r").add_model("m", things["model"]),
               lambda: libml.Report("r").add_study("m", things["study"]),
               lambda: libml.Table({"x": [1]}, context=things["context"]),
               lambda: libml.Baseline(target="y").fit(toy(), cancel=things["cancel"]),
               lambda: libml.Table(things["tensor"]),
               lambda: things["model"].predictor(),
               lambda: libml.Params(a=1).select(things["schema"])]
        for i, one in enumerate(use):
            with self.subTest(i):
                self.refused(libml.ClosedError, "closed", one)

    def test_handles_of_another_kind(self):
        things = everything()
        wrong = [
            lambda o: libml.Study(o, toy()), lambda o: libml.Predictor(o),
            lambda o: libml.Report("r").add_model("m", o),
            lambda o: libml.Report("r").add_study("m", o),
            lambda o: libml.Table({"x": [1]}, context=o),
            lambda o: libml.Baseline(target="y").fit(toy(), cancel=o),
            lambda o: libml.Params(a=1).select(o)]
        right = ["estimator", "model", "model", "study", "context", "cancel", "schema"]
        for use, good in zip(wrong, right):
            for name, one in things.items():
                if name != good:
                    with self.assertRaises((TypeError, libml.LibmlError), msg=(good, name)):
                        use(one)
        for name, one in things.items():
            if name not in ("table", "tensor", "params"):
                with self.assertRaises(TypeError, msg=name):
                    libml.Table(one)

    def test_ctypes_refuses_other_pointers(self):
        model, _ = classifier(n_trees=1)
        import ctypes
        with self.assertRaises(ctypes.ArgumentError):
            _core.lib.ml_table_rows(model._p)

    def test_any_order(self):
        for order in itertools.islice(itertools.permutations(range(11)), 0, None, 3000000):
            things = list(everything().values())
            for i in order:
                things[i].close()

    def test_parts_outlive_what_they_came_from(self):
        with libml.Context(threads=1) as context:
            table = libml.Table(toy(), context=context)
            estimator = libml.GBDT(target="y", ignore=["price"], n_trees=3, context=context)
            model = estimator.fit(table)
            predictor = model.predictor("proba")
        table.close()
        estimator.close()
        wanted = model.predict(toy(), "proba")
        model.close()
        gc.collect()
        self.assertEqual([list(r) for r in predictor.run(toy())], [list(r) for r in wanted])

    def test_not_made_by_hand_and_not_pickled(self):
        self.refused(TypeError, "other objects", libml.Model)
        self.refused(TypeError, "estimator(name)", libml.Estimator)
        things = everything()
        for name in ("context", "cancel", "schema", "tensor", "table", "predictor", "study",
                     "report"):
            self.refused(TypeError, "pickled", pickle.dumps, things[name])
        for name in ("estimator", "params", "model"):
            back = pickle.loads(pickle.dumps(things[name]))
            self.assertEqual(repr(back), repr(things[name]))

    def test_copies(self):
        est = libml.GBDT(target="y", n_trees=3)
        other = copy.copy(est).set(n_trees=4)
        self.assertEqual((est["n_trees"], other["n_trees"]), (3, 4))
        model, _ = classifier(n_trees=1)
        self.assertIs(copy.deepcopy(model), model)

    def test_no_other_attributes(self):
        model, _ = classifier(n_trees=1)
        self.refused(AttributeError, "nope", getattr, model, "nope")
        self.refused(AttributeError, "NoSuch", getattr, libml, "NoSuch")
        self.refused(AttributeError, "NoSuch", getattr, libml.algorithms, "NoSuch")
        with self.assertRaises(AttributeError):
            model.other = 1

    def test_closing_while_other_threads_use_it(self):
        for _ in range(20):
            model, data = classifier(n_trees=5)
            table = libml.Table(data)
            started, problems = threading.Barrier(4), []

            def use():
                started.wait()
                try:
                    for _ in range(50):
                        model.predict(table)
                except libml.ClosedError:
                    pass
                except BaseException as problem:
                    problems.append(problem)
            threads = [threading.Thread(target=use) for _ in range(3)]
            for t in threads:
                t.start()
            started.wait()
            model.close()
            table.close()
            for t in threads:
                t.join()
            self.assertEqual(problems, [])

    def test_memory_is_freed(self):
        child("""
import gc, resource, sys
import libml
data = {"x": [float(i) for i in range(20000)], "y": [float(i % 9) for i in range(20000)]}
def work():
    t = libml.Table(data)
    m = libml.Baseline(target="y").fit(t)
    m.predict(t); m.predictor().row([1.0]); libml.loads(m.to_bytes()); t.to_dict()
    t.__arrow_c_stream__()
    try: libml.Table({"x": [1, "a"]})
    except TypeError: pass
    try: libml.GBDT(n_trees=-1)
    except ValueError: pass
for i in range(60):
    work()
    if i == 20: gc.collect(); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gc.collect()
from libml import _arrow, _tensor, _capsule
kept = len(_arrow._kept) + len(_tensor._kept) + len(_capsule._structs)
assert kept == 0, (_arrow._kept, _tensor._kept, _capsule._structs)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 8000, grown
""")


class Interpreter(Case):
    def test_exit_with_live_objects(self):
        done = child("""
import atexit, sys, threading
import libml
from test_objects import everything
things = everything()
capsules = [things["table"].__arrow_c_stream__(), things["tensor"].__dlpack__()]
class Late:
    def __del__(self): things["model"].predict({"a": [1.0], "b": [1.0], "color": ["red"]})
late = Late(); sys.late = late
cycle = [things]; cycle.append(cycle)
threading.Thread(target=lambda: libml.GBDT(target="y", n_trees=100000).fit(
    things["table"]), daemon=True).start()
atexit.register(lambda: len(things["table"]))
print("end")
""")
        self.assertEqual(done.stdout, "end\n")
        self.assertNotIn("Fatal", done.stderr)

    def test_without_optional_packages(self):
        done = child("""
import sys
for name in ("numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "tqdm"):
    sys.modules[name] = None
import libml
from support import toy
data = toy()
t = libml.Table(data)
m = libml.GBDT(target="y", ignore=["price"], n_trees=5).fit(t, progress=lambda p: None)
assert m.predict(t)[:2] == m.predict(data)[:2]
assert len(m.predictor("proba").row([0.5, 0.5, 0])) == 2
assert len(m.predictor("proba").rows([[0.5, 0.5, 0]])[0]) == 2
assert list(libml.loads(m.to_bytes()).predict(t)) == list(m.predict(t))
assert t["a"] == data["a"] and libml.metrics.accuracy(["a", "b"], ["a", "a"]) == 0.5
assert m.importance.tolist() and m.evaluate(t).to_dict()
for call in (t.to_numpy, m.importance.to_numpy):
    try: call()
    except ImportError as e: assert "NumPy" in str(e), e
    else: raise SystemExit("not refused")
print(sorted(n for n in ("numpy", "pandas") if sys.modules.get(n)))
""")
        self.assertEqual(done.stdout, "[]\n")

    def test_import_takes_no_other_package(self):
        done = child("import sys, libml; print([n for n in ('numpy', 'pandas', 'polars', "
                     "'pyarrow', 'sklearn', 'scipy', 'json', 'logging', 'threading', "
                     "'inspect', 'tempfile') if n in sys.modules])")
        self.assertEqual(done.stdout, "[]\n")

    def test_a_library_that_does_not_fit(self):
        for path, word in (("/nope/libml.so", "LIBML_LIBRARY"), ("libm.so.6", "lacks")):
            done = child("import libml", check=False, env={"LIBML_LIBRARY": path})
            self.assertIn("ImportError", done.stderr)
            self.assertIn(word, done.stderr)

    def test_model_file_from_a_stream(self):
        model, data = classifier()
        self.assertEqual(libml.load(io.BytesIO(model.to_bytes())).to_bytes(),
                         model.to_bytes())
