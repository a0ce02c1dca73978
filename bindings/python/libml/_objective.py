# SPDX-License-Identifier: MIT
"""Losses and metrics of the user's own, as callbacks of the library."""

import ctypes

from libml import _native
from libml._core import need_numpy

_DOUBLE = ctypes.sizeof(ctypes.c_double)


def _array(pointer, rows, outputs, writable=False):
    """Doubles of the library in place: rows, or rows by outputs."""
    np = need_numpy("a function of one's own")
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    memory = (ctypes.c_double * (rows * outputs)).from_address(address or 0)
    array = np.frombuffer(memory, np.float64)
    array.flags.writeable = writable
    return array if outputs == 1 else array.reshape(rows, outputs)


def _checked(values, shape, what):
    np = need_numpy("a function of one's own")
    array = np.asarray(values, np.float64)
    if array.shape != shape:
        raise ValueError(f"the {what} must have the shape {shape} of the scores, not "
                         f"{array.shape}")
    return array


class Callback:
    """A function for the library, and what it raised."""

    def __init__(self, function, what):
        if not callable(function):
            raise TypeError(f"{what} must be a function, not {type(function).__name__}")
        need_numpy("a function of one's own")
        self.function = function
        self.problem = None

    def _run(self, work):
        try:
            work()
            return 0
        except BaseException as problem:
            if self.problem is None:
                self.problem = problem
            return 1

    def finish(self):
        """Raises what the function raised."""
        problem, self.problem = self.problem, None
        if problem is not None:
            raise problem


class Objective(Callback):
    def __init__(self, function):
        super().__init__(function, "objective")
        self.pointer = _native.ml_objective_fn(self._call)

    def _call(self, rows, outputs, labels, weights, scores, gradients, hessians, user):
        def work():
            given = _array(scores, rows, outputs)
            made = self.function(_array(labels, rows, 1), given)
            try:
                g, h = made
            except (TypeError, ValueError):
                raise TypeError("an objective returns two arrays, gradients and hessians, not "
                                f"{type(made).__name__}") from None
            _array(gradients, rows, outputs, True)[...] = _checked(g, given.shape, "gradients")
            _array(hessians, rows, outputs, True)[...] = _checked(h, given.shape, "hessians")
        return self._run(work)


class Metric(Callback):
    def __init__(self, function):
        super().__init__(function, "metric")
        self.pointer = _native.ml_metric_fn(self._call)

    def _call(self, rows, outputs, labels, weights, scores, value, user):
        def work():
            weight = _array(weights, rows, 1) if weights else None
            value[0] = float(self.function(_array(labels, rows, 1),
                                           _array(scores, rows, outputs), weight))
        return self._run(work)


KINDS = {"objective": Objective, "metric": Metric}
NONE = {"objective": _native.ml_objective_fn(), "metric": _native.ml_metric_fn()}
