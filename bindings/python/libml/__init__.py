# SPDX-License-Identifier: MIT
"""Machine learning by libml: tables, algorithms, tuning, models, reports.

    import libml

    data = libml.read_csv("adult.csv.gz")
    train, test = data.split(0.2)
    model = libml.GBDT(target="income").fit(train)
    print(model.evaluate(test))
    model.save("income.mlm")

The classes of the algorithms are in libml.algorithms and here; libml.sklearn has estimators
for scikit-learn, libml.metrics the metrics. NumPy, pandas and the like are used when they are
there, and needed by none of these modules but libml.sklearn.
"""

from libml import _errors, algorithms as _algorithms, metrics
from libml._context import CancelToken, Context, default_context, set_threads
from libml._core import LIBRARY_PATH, lib as _lib
from libml._errors import ClosedError, LibmlError
from libml._estimator import Estimator, algorithms as _list, estimator
from libml._model import Model, Predictor, load, loads
from libml._native import VERSION as __version__
from libml._params import Params, Schema, describe
from libml._report import Report
from libml._run import CANCEL, CONTINUE, STOP, Progress, ProgressBar
from libml._study import Study
from libml._table import Table, read_csv
from libml._tensor import Tensor
from libml.algorithms import *  # noqa: F403
from libml.metrics import score as metric_score

globals().update(_errors.CLASSES)


def library_version():
    """The version of the shared library in use."""
    return _lib.ml_version().decode()


def build_info():
    """How the shared library was built."""
    return default_context().info["build"]


def list_algorithms():
    """The names of the algorithms of the shared library."""
    return _list()


def __getattr__(name):
    return getattr(_algorithms, name)


__all__ = [
    "CANCEL", "CONTINUE", "STOP", "CancelToken", "ClosedError", "Context", "Estimator",
    "LIBRARY_PATH", "LibmlError", "Model", "Params", "Predictor", "Progress", "ProgressBar",
    "Report", "Schema", "Study", "Table", "Tensor", "build_info", "default_context",
    "describe", "estimator", "library_version", "list_algorithms", "load", "loads",
    "metric_score", "metrics", "read_csv", "set_threads", *_algorithms.__all__,
    *sorted(_errors.CLASSES)]
