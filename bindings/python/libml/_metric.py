# SPDX-License-Identifier: MIT
"""Metrics of predictions."""

import ctypes

from libml import _params, _tensor
from libml._context import context_pointer
from libml._core import byref, call, encode, lib, numpy

__all__ = ["score"]


def _numbers(values, what, labels=None):
    if isinstance(values, _tensor.Tensor):
        return values
    np = numpy()
    if np is None:
        return _tensor.Tensor(list(values))
    array = np.asarray(values)
    if array.dtype.kind in "OUST" and array.ndim == 1:
        if labels is None:
            raise TypeError(f"{what} must be numbers, not {array.dtype}")
        return _tensor.Tensor(np.searchsorted(labels, array.astype(labels.dtype)))
    if array.dtype.kind == "b":
        array = array.astype(np.float64)
    return _tensor.Tensor(array)


def _labels(*values):
    """The classes, in sorted order, when truth or prediction is text."""
    np = numpy()
    if np is None:
        return None
    arrays = [np.asarray(v) for v in values if not isinstance(v, _tensor.Tensor)]
    texts = [a for a in arrays if a.dtype.kind in "OUST" and a.ndim == 1]
    if not texts:
        return None
    return np.unique(np.concatenate([a.astype(str) for a in texts]))


def score(metric, truth, prediction, weight=None, *, context=None, **options):
    """A metric by its name.

    truth: values, or classes as numbers from 0 or as text; prediction: values, classes, or
    probabilities (of class 1, or rows by classes). Options: libml.describe("options.metric").

    >>> from libml import metrics
    >>> metrics.score("accuracy", [0, 1, 1], [0, 1, 0])
    0.6666666666666666
    >>> metrics.accuracy(["a", "b", "b"], ["a", "b", "a"])
    0.6666666666666666
    """
    labels = _labels(truth, prediction)
    truth = _numbers(truth, "truth", labels)
    prediction = _numbers(prediction, "prediction", labels)
    weight = None if weight is None else _numbers(weight, "weight")
    out = ctypes.c_double()
    call(lib.ml_metric_score, context_pointer(context), encode(metric, "metric"), truth._p,
         prediction._p, None if weight is None else weight._p,
         _params.options(options, context), byref(out))
    return out.value
