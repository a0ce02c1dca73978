# SPDX-License-Identifier: MIT
"""Long calls: progress, callbacks that raise, tokens, Ctrl-C, logging, fork."""

import io
import logging
import os
import signal
import sys
import threading
import time
import unittest

import libml
from support import Case, child, needs, toy

BIG = {"x": [float((i * 7919) % 10007) for i in range(20000)],
       "z": [float((i * 104729) % 1009) for i in range(20000)],
       "y": [float((i * 31) % 97) for i in range(20000)]}


def slow(**params):
    """An estimator that would take minutes."""
    return libml.GBDT(target="y", n_trees=100000, max_leaves=255, **params)


class Progress(Case):
    def test_what_is_told(self):
        told = []
        model = libml.GBDT(target="y", n_trees=20, ignore=["price"]).fit(
            toy(), progress=told.append)
        self.assertEqual(told[-1].fraction, 1.0)
        self.assertEqual([p.fraction for p in told], sorted(p.fraction for p in told))
        self.assertTrue(all(p.elapsed >= 0 and p.trial is None for p in told))
        self.assertIn("%", repr(told[-1]))
        self.assertEqual(int(model.n_rounds), 20)

    def test_answers(self):
        est = slow()
        model = est.fit(BIG, progress=lambda p: libml.STOP)
        self.assertLess(int(model.n_rounds), 1000)
        model = est.fit(BIG, progress=lambda p: False)
        self.assertGreater(len(model.predict(BIG)), 0)
        self.refused(libml.CancelledError, "", est.fit, BIG, progress=lambda p: libml.CANCEL)
        for bad in ("stop", 17, 0.5):
            self.refused(TypeError, "libml.STOP", est.fit, BIG, progress=lambda p, b=bad: b)

    def test_what_a_callback_raises_comes_out(self):
        def broken(p):
            raise ZeroDivisionError("inner")
        est = slow()
        self.refused(ZeroDivisionError, "inner", est.fit, BIG, progress=broken)
        study = libml.Study(libml.GBDT(target="y", n_trees=5), BIG, n_trials=50)
        self.refused(ZeroDivisionError, "inner", study.run, progress=broken)
        with self.assertRaises(SystemExit):
            est.fit(BIG, progress=lambda p: sys.exit(3))
        est.set(n_trees=2)
        self.assertEqual(int(est.fit(BIG).n_rounds), 2)  # usable afterwards

    def test_no_callback(self):
        self.refused(TypeError, "progress must be", slow().fit, BIG, progress=3)
        self.refused(TypeError, "progress must be", slow().fit, BIG, progress="bar")

    def test_a_callback_that_uses_the_library(self):
        inner = []

        def nested(p):
            inner.append(libml.Baseline(target="y").fit({"x": [1, 2], "y": [1.5, 2]}))
        libml.GBDT(target="y", n_trees=3).fit(BIG, progress=nested)
        self.assertTrue(inner)

    def test_the_same_estimator_inside_its_own_callback(self):
        est = slow()
        self.refused(libml.StateError, "clone()", est.fit, BIG, progress=lambda p: est.fit(BIG))

    def test_line_of_text(self):
        out = io.StringIO()
        bar = libml.ProgressBar(file=out)
        libml.GBDT(target="y", n_trees=20).fit(BIG, progress=bar)
        self.assertIn("100 %", out.getvalue())
        self.assertTrue(out.getvalue().endswith("\n"))

    @needs("tqdm")
    def test_tqdm(self):
        from tqdm import tqdm
        with tqdm(total=100, file=io.StringIO()) as bar:
            libml.GBDT(target="y", n_trees=20).fit(BIG, progress=bar)
            self.assertEqual(bar.n, 100)
        with tqdm(file=io.StringIO()) as bar:
            libml.GBDT(target="y", n_trees=20).fit(BIG, progress=bar)
            self.assertEqual((bar.n, bar.total), (100, 100))


class Tokens(Case):
    def test_from_another_thread(self):
        for mode, wanted in (("stop", None), ("cancel", libml.CancelledError)):
            token = libml.CancelToken()
            threading.Timer(0.2, token.request, [mode]).start()
            if wanted is None:
                self.assertGreaterEqual(int(slow().fit(BIG, cancel=token).n_rounds), 1)
            else:
                self.refused(wanted, "", slow().fit, BIG, cancel=token)
            token.reset()
            self.assertEqual(token.state, "continue")

    def test_deadline(self):
        model = slow().fit(BIG, cancel=libml.CancelToken(deadline=0.2))
        self.assertGreaterEqual(int(model.n_rounds), 1)
        self.refused(libml.CancelledError, "", slow().fit, BIG,
                     cancel=libml.CancelToken(0.1, "cancel"))
        self.refused(ValueError, "mode", libml.CancelToken, 1, "halt")
        self.refused(TypeError, "CancelToken", slow().fit, BIG, cancel=3)

    def test_one_estimator_in_two_threads(self):
        est, token, problems = slow(), libml.CancelToken(), []
        thread = threading.Thread(target=est.fit, args=(BIG,), kwargs={"cancel": token})
        thread.start()
        while not est._busy.locked():
            time.sleep(0.01)
        try:
            self.refused(libml.StateError, "clone()", est.fit, BIG)
        finally:
            token.stop()
            thread.join()
        self.assertEqual(problems, [])

    def test_threads_in_parallel(self):
        table, made = libml.Table(BIG), []

        def work():
            made.append(libml.GBDT(target="y", n_trees=5).fit(table).to_bytes())
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(set(made)), 1)
        self.assertEqual(len(made), 4)


INTERRUPT = """
import os, signal, sys, threading, time
import libml
from test_run import BIG, slow
times = {times}
def press():
    for _ in range(times):
        time.sleep(0.7)
        os.kill(os.getpid(), signal.SIGINT)
table = libml.Table(BIG)
threading.Thread(target=press, daemon=True).start()
start = time.monotonic()
{body}
print("seconds", time.monotonic() - start)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.set_wakeup_fd(-1) == -1
"""


def interrupted(body, times=1):
    return child(INTERRUPT.format(body=body, times=times)).stdout


@unittest.skipIf(sys.platform == "win32", "signals of POSIX")
class Interrupt(Case):
    def test_the_best_model_is_kept(self):
        out = interrupted("""
est = slow()
try:
    est.fit(table)
    print("no exception")
except KeyboardInterrupt:
    print("rounds", int(est.interrupted_model.n_rounds) > 0, len(est.interrupted_model.predict(table)))
""")
        self.assertIn("rounds True 20000", out)

    def test_keep_best(self):
        out = interrupted("print(type(slow().fit(table, keep_best=True)).__name__)")
        self.assertIn("Model\n", out)

    def test_with_a_callback_and_a_token(self):
        out = interrupted("""
token = libml.CancelToken()
model = slow().fit(table, keep_best=True, cancel=token, progress=lambda p: None)
print(model.algorithm, token.state)
""")
        self.assertIn("gbdt", out)

    def test_study(self):
        out = interrupted("""
study = libml.Study(libml.GBDT(target="y", n_trees=20), table, n_trials=10000)
try:
    study.run()
except KeyboardInterrupt:
    print("trials", len(study) > 0, study.best_model().algorithm)
""")
        self.assertIn("trials True gbdt", out)

    def test_a_handler_of_the_program_stays(self):
        child("""
import os, signal, threading, time
import libml
from test_run import BIG, slow
seen = []
signal.signal(signal.SIGINT, lambda *a: seen.append(a))
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
slow().fit(BIG, cancel=libml.CancelToken(deadline=1.5))
assert len(seen) == 1, seen
""")

    def test_beside_an_event_loop(self):
        child("""
import asyncio
import libml
from test_run import BIG, slow
async def main():
    loop = asyncio.get_running_loop()
    model = await loop.run_in_executor(None, lambda: slow().fit(
        BIG, cancel=libml.CancelToken(deadline=0.3)))
    slow().fit(BIG, cancel=libml.CancelToken(deadline=0.3))
    return model.algorithm
print(asyncio.run(main()))
""")


class Logging(Case):
    def test_bridge(self):
        seen = []

        class Handler(logging.Handler):
            def emit(self, record):
                seen.append(record)
        logger, handler = logging.getLogger("libml"), Handler()
        logger.addHandler(handler)
        try:
            context = libml.Context(threads=1, log_level="DEBUG")
            logger.setLevel("DEBUG")
            libml.Baseline(target="y", context=context).fit(
                libml.Table({"x": ["a"] * 4, "y": [1.5] * 4}, context=context))
            libml.GBDT(target="y", n_trees=3, context=context).fit(
                libml.Table(toy(), context=context))
        finally:
            logger.removeHandler(handler)
            logger.setLevel("NOTSET")
        for record in seen:
            self.assertTrue(record.name.startswith("libml."))
            self.assertNotIn("\n", record.getMessage())

    def test_levels(self):
        self.refused(ValueError, "log_level", libml.Context, log_level="LOUD")
        for level in ("ERROR", 10, logging.WARNING):
            libml.Context(log_level=level)

    def test_the_callback_swallows_what_handlers_raise(self):
        from libml import _context

        class Broken(logging.Handler):
            def emit(self, record):
                raise ZeroDivisionError
        logger, handler = logging.getLogger("libml.core"), Broken()
        logger.addHandler(handler)
        try:
            _context._log(1, b"core", b"message", None)
        finally:
            logger.removeHandler(handler)


FORK = """
import os, sys, threading
import libml
from test_run import BIG, slow
table = libml.Table(BIG)
{before}
wanted = libml.GBDT(target="y", n_trees=10).fit(table)
predictor = wanted.predictor()
expected = list(predictor.rows([[1.0, 2.0]]))
{then}
"""

WORKERS = """
def work():
    assert list(predictor.rows([[1.0, 2.0]])) == expected
    assert list(wanted.predict(BIG)[:5]) == list(before[:5])
    again = libml.GBDT(target="y", n_trees=10).fit(table)
    assert again.to_bytes() == wanted.to_bytes()
    study = libml.Study(libml.GBDT(target="y", n_trees=2), table, n_trials=2)
    study.run()
    threads = [threading.Thread(target=lambda: wanted.predict(BIG)) for _ in range(3)]
    for t in threads: t.start()
    for t in threads: t.join()
before = wanted.predict(BIG)
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
work()
"""


@unittest.skipUnless(hasattr(os, "fork"), "no fork")
class Fork(Case):
    def test_workers_of_a_program_that_loaded_the_model(self):
        child(FORK.format(before="libml.set_threads(3)", then=WORKERS))

    def test_while_another_thread_is_fitting(self):
        child(FORK.format(before="libml.set_threads(2)", then="""
token = libml.CancelToken()
other = threading.Thread(target=slow().fit, args=(table,), kwargs={"cancel": token})
other.start()
import time
time.sleep(0.5)
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        ok = list(wanted.predictor().rows([[1.0, 2.0]])) == expected
        ok = ok and libml.GBDT(target="y", n_trees=10).fit(table).to_bytes() == wanted.to_bytes()
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
token.stop()
other.join()
"""))

    def test_pool_of_processes(self):
        child(FORK.format(before="", then="""
import multiprocessing
def score(seed):
    return libml.GBDT(target="y", n_trees=5, seed=seed, subsample=0.5).fit(table).to_bytes()
with multiprocessing.get_context("fork").Pool(2) as pool:
    parts = pool.map(score, range(3))
assert parts == [score(s) for s in range(3)]
"""))
