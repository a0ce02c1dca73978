# SPDX-License-Identifier: MIT
"""Metrics of predictions."""

import ctypes

from libml import _params, _tensor
from libml._context import context_pointer
from libml._core import byref, call, encode, lib, numpy

__all__ = ["score"]


def _numbers(values, what, labels=None):
    """A tensor of numbers; texts as indices into the labels."""
    if isinstance(values, _tensor.Tensor):
        return values
    texts = _texts(values)
    if texts is not None:
        if not labels:
            raise TypeError(f"{what} must be numbers, not text")
        index = {label: i for i, label in enumerate(labels)}
        return _tensor.Tensor([index[t] for t in texts])
    np = numpy()
    if np is None:
        values = list(values)
        return _tensor.Tensor([float(v) for v in values] if values and
                              isinstance(values[0], bool) else values)
    array = np.asarray(values)
    return _tensor.Tensor(array.astype(np.float64) if array.dtype.kind == "b" else array)


def _texts(values):
    """Values as a list of str if they are text; None if they are not."""
    if isinstance(values, _tensor.Tensor):
        return None
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") in "biuf" and dtype is not None:
        return None
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    if not any(isinstance(v, str) for v in listed):
        return None
    return [v if isinstance(v, str) else str(v) for v in listed]


def _labels(*values):
    """The classes, in sorted order, when truth or prediction is text."""
    return sorted({t for v in values for t in _texts(v) or ()})


def _needs(metric, context):
    """What a metric compares: "value", "class" or "proba"."""
    return _params.describe(f"metric.{metric}", context).get("needs")


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
    needs = _needs(metric, context) if _texts(truth) or _texts(prediction) else None
    if needs == "value":
        raise TypeError(f"{metric} compares numbers, not text")
    labels = _labels(truth, prediction)
    truth = _numbers(truth, "truth", labels)
    prediction = _numbers(prediction, "prediction", labels)
    weight = None if weight is None else _numbers(weight, "weight")
    out = ctypes.c_double()
    call(lib.ml_metric_score, context_pointer(context), encode(metric, "metric"), truth._p,
         prediction._p, None if weight is None else weight._p,
         _params.options(options, context), byref(out))
    return out.value
