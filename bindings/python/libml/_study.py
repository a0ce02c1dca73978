# SPDX-License-Identifier: MIT
"""Studies: tuning of an estimator's parameters."""

import ctypes
import itertools
import operator

from libml import _params
from libml._core import OWNER, Handle, byref, call, documented, encode, error_object, \
    expect, lib, make, raise_error
from libml._errors import ClosedError, LibmlError, StateError
from libml._estimator import NO_TOKEN, Estimator
from libml._model import Model
from libml._run import Run
from libml._table import Table, as_table

__all__ = ["Study"]


def _number(value, what):
    """A float; NaN for None."""
    if value is None:
        return float("nan")
    try:
        if not isinstance(value, (str, bytes, bytearray)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"a {what} is a number or None, not a {type(value).__name__}")


def _wants_trial(function):
    """Whether a function of parameters takes the number of the trial behind them: it needs a
    second argument, or calls it trial."""
    import inspect
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of C, and says nothing
        return False
    try:
        signature.bind(None)
    except TypeError:
        return True
    names = [p.name for p in signature.parameters.values() if p.kind in
             (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[1:2] == ["trial"]


def _default_trials(options):
    """The number of trials when the options give none; None when they do."""
    schema = _params.Schema("options.study")
    most = schema.params["n_trials"]
    given = any(schema.find(name) == most for name, value in options.items()
                if value is not None)
    return None if given else int(most["default"])


class Study(Handle):
    """Tuning: proposes parameters within the tuning ranges of an estimator, scores them, and
    keeps the best. Parameters that the estimator has set stay fixed unless `tune` names them.

    Parameters
    ----------
    estimator : Estimator
    train : Table, or whatever a table can be made of, optional
        Without it the caller scores trials through `ask` and `tell`.
    valid : likewise, optional
        Rows to score on; by default the training rows are split.
    options
        See libml.describe("options.study"): n_trials, tune, metric, sampler, seed, ...

    >>> import libml
    >>> data = {"x": list(range(50)), "y": [float(i % 5) for i in range(50)]}
    >>> study = libml.Study(libml.GBDT(target="y", n_trees=5), data, n_trials=3,
    ...                     tune=["max_leaves"], metric="mae", seed=1)
    >>> study.run()
    <libml.Study of GBDT(target='y', n_trees=5), 3 trials>
    >>> 2 <= study.best_params["max_leaves"] <= 65535
    True
    """

    __slots__ = ("_calls", "_estimator", "_most", "interrupted")
    _kind = "ml_study"

    def __init__(self, estimator, train=None, valid=None, **options):
        pointer = expect(estimator, Estimator, "estimator")
        tables = [None if t is None else as_table(t)._p for t in (train, valid)]
        self._p = make("ml_study", lib.ml_study_new, pointer, *tables,
                       _params.options(options, None))
        self._calls = list(estimator._calls.values())  # the library calls them
        self._estimator = repr(estimator)
        self._most = _default_trials(options)
        self.interrupted = False

    def run(self, progress=None, cancel=None, keep_best=False):
        """Runs trials until the limits of the options are reached. Returns the study.

        progress, cancel: as in Estimator.fit. On Ctrl-C the study stops, and what it found
        stays: then KeyboardInterrupt is raised, or with `keep_best` not.
        """
        error, pointer = error_object(), self._p
        run = Run(progress, cancel)
        with run:
            status = lib.ml_study_run(pointer, run.callback, None, run.token or NO_TOKEN, error)
        run.finish()
        for made in self._calls:
            made.finish()
        self.interrupted = run.interrupted
        if run.interrupted and not keep_best:
            raise KeyboardInterrupt
        if status < 0 and not run.interrupted:
            raise_error(error)
        return self

    def optimize(self, function, n_trials=None):
        """Tries parameters on a function of one's own: `function(params)` returns the score
        of a dictionary of parameters, None or NaN when they are no good. Returns the study.

        `function(params, trial)` gets the number of the trial as well, for `tell_value`:
        further objectives and constraints of the options are told by it.

        n_trials: how many more at most. The options of the study hold as well: n_trials
        counts all its trials, also those of a journal; time, patience, target_score; and a
        grid may be used up. What the function raises ends it, and the trial counts as failed.

        >>> import libml
        >>> study = libml.Study(libml.Baseline(), space="x: [-1.0, 1.0]", sampler="gp",
        ...                     metric="rmse", n_trials=15)
        >>> study.optimize(lambda params: (params["x"] - 0.5) ** 2).best_score < 0.01
        True
        """
        if not callable(function):
            raise TypeError(f"a function is expected, not {type(function).__name__}")
        both = _wants_trial(function)
        for _ in self._rounds(n_trials):
            try:
                trial, params = self.ask()
            except ClosedError:
                raise
            except StateError:  # the study is over
                break
            try:
                self.tell(trial, function(params, trial) if both else function(params))
            except BaseException:
                self._give_up(trial)
                raise
        return self

    def _rounds(self, n_trials):
        """How often to ask; the library ends what the options limit."""
        if n_trials is not None:
            return range(operator.index(n_trials))
        if self._most is None:
            return itertools.count()
        ended = sum(state != "asked" for state in self.results.to_dict()["state"])
        return range(self._most - ended)

    def _give_up(self, trial):
        try:
            self.tell(trial, None)
        except LibmlError:  # told by the function, or the study is closed
            pass

    @documented("ml_study_ask")
    def ask(self):
        """Returns (trial, parameters)."""
        trial, params = ctypes.c_int64(), OWNER["ml_params"]()
        call(lib.ml_study_ask, self._p, byref(trial), byref(params))
        return trial.value, _params.to_dict(params)

    @documented("ml_study_tell")
    def tell(self, trial, score):
        call(lib.ml_study_tell, self._p, trial, _number(score, "score"))

    @documented("ml_study_tell_value")
    def tell_value(self, trial, value, step=0, name=None):
        """Returns True when the trial is not worth going on with."""
        advice = ctypes.c_int64()
        call(lib.ml_study_tell_value, self._p, trial,
             None if name is None else encode(name, "name"), step, _number(value, "value"),
             byref(advice))
        return advice.value != 0

    @property
    def results(self):
        """All trials as a table: trial, state, score, seconds, and a column per
        parameter."""
        return Table._from(make("ml_table", lib.ml_study_get_table, self._p, b"trials"))

    @documented("ml_study_get_table")
    def get_table(self, name):
        return Table._from(make("ml_table", lib.ml_study_get_table, self._p,
                                encode(name, "name")))

    def _best(self):
        score = ctypes.c_double()
        params = make("ml_params", lambda p, out, error: lib.ml_study_best_params(
            p, byref(score), out, error), self._p)
        return _params.to_dict(params), score.value

    @property
    def best_params(self):
        """The parameters of the best trial."""
        return self._best()[0]

    @property
    def best_score(self):
        """The score of the best trial."""
        return self._best()[1]

    @documented("ml_study_best_model")
    def best_model(self):
        out = OWNER["ml_model"]()
        error = error_object()
        status = lib.ml_study_best_model(self._p, NO_TOKEN, byref(out), error)
        for made in self._calls:
            made.finish()
        if status < 0:
            raise_error(error)
        return Model._from(out)

    def __len__(self):
        return len(self.results)

    def __bool__(self):
        return True

    def __repr__(self):
        if self.closed:
            return "<libml.Study, closed>"
        return f"<libml.Study of {self._estimator}, {len(self)} trials>"

    def _repr_html_(self):
        from html import escape
        return f"<p>{escape(repr(self))}</p>{self.results._repr_html_()}"
