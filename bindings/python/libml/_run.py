# SPDX-License-Identifier: MIT
"""Long calls: progress to Python, Ctrl-C, and what callbacks raise.

Ctrl-C during a long call asks the library to stop early and keep the best so far; a second
one makes it give up. Then KeyboardInterrupt is raised. Python runs signal handlers only
between its own instructions, so a thread waits on Python's wake-up descriptor and passes the
wish on while the main thread is inside the library.
"""

import os
import sys

from libml import _native
from libml._context import CancelToken
from libml._core import decode, expect, lib

__all__ = ["CANCEL", "CONTINUE", "STOP", "Progress", "ProgressBar"]

CONTINUE, STOP, CANCEL = _native.ML_CONTINUE, _native.ML_STOP_KEEP, _native.ML_CANCEL
NO_PROGRESS = _native.ml_progress_fn()


def _finite(value):
    return None if value != value else value


class Progress:
    """What a progress callback is told.

    fraction: done, 0 to 1; elapsed, remaining: seconds (remaining None when unknown);
    score, best_score: None when there is none; step, steps; stage; trial: None outside
    studies.
    """

    __slots__ = ("fraction", "elapsed", "remaining", "score", "best_score", "step", "steps",
                 "stage", "trial")

    def __init__(self, p):
        self.fraction = p.fraction
        self.elapsed = p.elapsed
        self.remaining = _finite(p.remaining)
        self.score = _finite(p.score)
        self.best_score = _finite(p.best_score)
        self.step = p.step
        self.steps = p.steps
        self.stage = decode(p.stage)
        self.trial = None if p.trial < 0 else p.trial

    def __repr__(self):
        score = "" if self.best_score is None else f", best {self.best_score:.6g}"
        return f"<Progress {self.fraction:.0%} {self.stage or ''}{score}>"


class ProgressBar:
    """A bar in a terminal or a notebook: by tqdm if it is installed, else one line of text
    on standard error. `progress=True` makes one."""

    def __init__(self, bar=None, file=None):
        self.file = file
        self.bar = bar
        self.own = bar is None
        self.last = -1

    def __call__(self, progress):
        if self.own and self.bar is None and self.file is None and self.last < 0:
            self.bar = _tqdm_bar()
        percent = int(100 * progress.fraction)
        if percent == self.last:
            return
        self.last = percent
        if self.bar is not None:
            self.bar.update(percent - self.bar.n)
            if hasattr(self.bar, "set_postfix_str"):
                self.bar.set_postfix_str(self._text(progress), refresh=False)
        else:
            file = self.file or sys.stderr
            file.write(f"\r{percent:3d} % {self._text(progress):<40}")
            file.flush()

    @staticmethod
    def _text(progress):
        score = "" if progress.best_score is None else f" best {progress.best_score:.6g}"
        return f"{progress.stage or ''}{score}"

    def close(self):
        """Ends the line, or closes the bar that this object made."""
        if self.bar is not None:
            if self.own:
                self.bar.close()
        elif self.last >= 0:
            (self.file or sys.stderr).write("\n")


def _tqdm_bar():
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}")


def _callable(progress):
    """A function of a Progress from what the user gave, or None."""
    if progress is None or progress is False:
        return None
    if progress is True:
        return ProgressBar()
    if callable(progress):
        return progress
    if hasattr(progress, "update") and hasattr(progress, "n"):
        if getattr(progress, "total", 100) is None:
            progress.total = 100
        return ProgressBar(progress)
    raise TypeError("progress must be True, a function of one argument, or a bar of tqdm, not "
                    f"{type(progress).__name__}")


def _answer(value):
    if value is None or value is True:
        return CONTINUE
    if value is False:
        return STOP
    if value in (CONTINUE, STOP, CANCEL):
        return value
    raise TypeError(f"a progress callback answers None, libml.STOP or libml.CANCEL, not "
                    f"{value!r}")


class Run:
    """The surroundings of one long call; use as a context manager.

    callback, token: to be given to the library. After the block `finish` raises what a
    callback raised or KeyboardInterrupt; `interrupted` says whether Ctrl-C came.
    """

    def __init__(self, progress=None, cancel=None):
        self.user = _callable(progress)
        self.problem = None
        self.interrupts = 0
        self.token = None if cancel is None else expect(cancel, CancelToken, "cancel")
        self.callback = NO_PROGRESS
        self._watch = None
        if self.user is not None:
            self.callback = _native.ml_progress_fn(self._progress)

    def _progress(self, pointer, user):
        try:
            return _answer(self.user(Progress(pointer.contents)))
        except BaseException as problem:
            if self.problem is None:
                self.problem = problem
            return CANCEL

    def __enter__(self):
        import signal
        import threading
        if threading.current_thread() is threading.main_thread() and \
                signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            if self.token is None:
                self.token = CancelToken()._p
            if self.callback is NO_PROGRESS:
                # It does nothing, but Python sees to its signals while it runs.
                self.callback = _native.ml_progress_fn(_see_to_signals)
            self._watch = _Watch(self)
        return self

    def __exit__(self, *exc):
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        if isinstance(self.user, ProgressBar):
            self.user.close()

    def interrupt(self):
        self.interrupts += 1
        lib.ml_cancel_request(self.token, STOP if self.interrupts == 1 else CANCEL)

    @property
    def interrupted(self):
        return self.interrupts > 0

    def finish(self):
        """Raises what was raised in a callback."""
        if self.problem is not None:
            raise self.problem


def _see_to_signals(pointer, user):
    return CONTINUE


class _Watch:
    """Ctrl-C while the main thread is inside the library."""

    def __init__(self, run):
        import signal
        self.run = run
        self.thread = self.ends = None
        self.before = signal.signal(signal.SIGINT, self._handler)
        try:
            self._start()
        except (OSError, ValueError, RuntimeError):  # no descriptors, no threads: callbacks do
            self.thread = None
            self._close()

    def _handler(self, number, frame):
        # With the thread, it has counted this already.
        if self.thread is None:
            self.run.interrupt()

    def _start(self):
        import signal
        import threading
        if not hasattr(os, "pipe") or sys.platform == "win32":
            return
        self.ends = os.pipe()
        os.set_blocking(self.ends[1], False)
        before = signal.set_wakeup_fd(self.ends[1], warn_on_full_buffer=False)
        if before != -1:  # an event loop listens: leave it alone
            signal.set_wakeup_fd(before)
            self._close()
            return
        thread = threading.Thread(target=self._listen, daemon=True, name="libml interrupt")
        try:
            thread.start()
        except RuntimeError:
            signal.set_wakeup_fd(-1)
            raise
        self.thread = thread

    def _listen(self):
        from signal import SIGINT
        while True:
            data = os.read(self.ends[0], 64)
            for byte in data:
                if byte == SIGINT:
                    self.run.interrupt()
            if not data or 0 in data:
                return

    def _close(self):
        if self.ends is not None:
            for end in self.ends:
                os.close(end)
            self.ends = None

    def end(self):
        import signal
        # From here on the handler counts; a signal that both count does no harm now.
        thread, self.thread = self.thread, None
        if thread is not None:
            signal.set_wakeup_fd(-1)
            os.write(self.ends[1], b"\0")
            thread.join()
        self._close()
        signal.signal(signal.SIGINT, self.before)
