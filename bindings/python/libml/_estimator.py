# SPDX-License-Identifier: MIT
"""Estimators: an algorithm with parameters, ready to be fitted."""

from _thread import allocate_lock

from libml import _params
from libml._context import all_schemas, context_pointer
from libml._core import OWNER, Handle, byref, call, decode, documented, encode, \
    error_object, expect, lib, make, raise_error
from libml._errors import StateError, UnsupportedError
from libml._model import Model
from libml._names import c_name, class_name, python_name
from libml._run import NO_PROGRESS, Run
from libml._table import Table, as_table

__all__ = ["Estimator", "algorithms", "estimator"]

NO_TOKEN = OWNER["ml_cancel"]()
NO_MODEL = OWNER["ml_model"]()


class Estimator(Handle):
    """An algorithm with parameters, ready to be fitted. The classes in libml.algorithms
    derive from it; `libml.estimator(name)` makes one by name.

    >>> import libml
    >>> est = libml.Baseline(target="y", strategy="median")
    >>> est
    Baseline(target='y', strategy='median')
    >>> est.fit({"x": [1, 2, 3], "y": [1.5, 2.5, 9.5]}).predict({"x": [7]})
    array([2.5])
    """

    __slots__ = ("_busy", "_calls", "_given", "interrupted_model")
    _kind = "ml_estimator"
    algorithm = ""

    def __getattr__(self, name):
        if name[0] != "_" and hasattr(Model, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; the model "
                                 "that fit returns has it")
        return super().__getattr__(name)

    def __init__(self, *, context=None, **params):
        if not self.algorithm:
            raise TypeError("Estimator is the base class; use libml.estimator(name) or one of "
                            "the classes in libml.algorithms")
        self._p = make("ml_estimator", lib.ml_estimator_new, context_pointer(context),
                       encode(self.algorithm))
        self._busy = allocate_lock()
        self._calls = {}
        self._given = {}
        self.interrupted_model = None
        self.set(**params)

    # ---- parameters ----

    def set(self, **params):
        """Sets parameters; either all are taken or none. Returns the estimator. None means
        not given."""
        params = _flattened({n: value for n, value in params.items() if value is not None})
        if params:
            made = _params.Params(params)
            call(lib.ml_estimator_set_params, self._p, made._p)
            self._given.update(params)
        return self

    @property
    def params(self):
        """All parameters, defaults included, as a dictionary."""
        values = _params.to_dict(lib.ml_estimator_params(self._p))
        return {name: None if value == "" else value for name, value in values.items()}

    @property
    def schema(self):
        """What is known about the parameters."""
        return _params.Schema(self.algorithm)

    def __getitem__(self, name):
        value = self.params.get(c_name(name), self)
        if value is self:
            raise KeyError(name)
        return value

    def __setitem__(self, name, value):
        self.set(**{name: value})

    def clone(self):
        """A copy with the same algorithm and parameters."""
        other = type(self)._from(make("ml_estimator", lib.ml_estimator_clone, self._p))
        other._busy = allocate_lock()
        other._calls = {}
        other._given = dict(self._given)
        other.interrupted_model = None
        for name, made in self._calls.items():
            other._set_call(name, made.function, *made.setting)
        return other

    __copy__ = clone

    def set_objective(self, objective):
        """A loss of one's own: `objective(labels, scores)` returns its gradients and hessians,
        arrays like the scores. The arrays that it gets must not be kept. None takes it away.

        >>> import libml
        >>> def squared(labels, scores):
        ...     return scores - labels, 1 + 0 * labels
        >>> est = libml.GBDT(target="y", n_trees=3).set_objective(squared)
        """
        return self._set_call("objective", objective, lib.ml_estimator_set_objective)

    def set_metric(self, metric, maximize=False):
        """A metric of one's own for early stopping: `metric(labels, scores, weights)` returns
        a number; `weights` is None when there are none."""
        return self._set_call("metric", metric, lib.ml_estimator_set_metric, int(maximize))

    def _set_call(self, name, function, setter, *more):
        from libml import _objective
        if function is None:
            call(setter, self._p, _objective.NONE[name], None, *more)
            self._calls.pop(name, None)
            return self
        made = _objective.KINDS[name](function)
        made.setting = (setter, *more)
        call(setter, self._p, made.pointer, None, *more)
        self._calls[name] = made
        return self

    @documented("ml_estimator_set_model")
    def set_model(self, model):
        """None takes it away. Returns the estimator."""
        call(lib.ml_estimator_set_model, self._p,
             NO_MODEL if model is None else expect(model, Model, "model"))
        return self

    # ---- fitting ----

    def fit(self, data, target=None, *, weight=None, valid=None, progress=None, cancel=None,
            keep_best=False):
        """Fits a model.

        Parameters
        ----------
        data : Table or whatever a Table can be made of
            The training rows. By default every column without another role is a feature.
        target : str or array, optional
            The name of the target column, unless the parameter `target` says it, or the
            target's values.
        weight : str or array, optional
            Row weights, likewise.
        valid : Table, or (data, target), optional
            Rows for early stopping and monitoring.
        progress : callable, True, or a bar of tqdm, optional
            Called with a Progress. Answers None to go on, libml.STOP to stop early and keep
            the best so far, libml.CANCEL to give up. What it raises ends the fit.
        cancel : CancelToken, optional
            Stops the fit from another thread.
        keep_best : bool
            On Ctrl-C return the best model so far. Otherwise KeyboardInterrupt is raised,
            and that model is in `interrupted_model`.

        Returns
        -------
        Model
        """
        if not self._busy.acquire(blocking=False):
            raise StateError("the estimator is fitting in another thread; clone() it")
        try:
            return self._fit(data, target, weight, valid, progress, cancel, keep_best)
        finally:
            self._busy.release()

    def fit_transform(self, data, target=None, *, weight=None, progress=None, cancel=None):
        """Fits a transformer and gives the columns that it makes of the same rows: a Table.
        A model that is fitted to them learns no more than it should (see
        `Model.transform`).

        >>> import libml
        >>> rows = {"k": ["a", "a", "b", "b"], "y": [1.0, 3.0, 5.0, 9.0]}
        >>> encoder = libml.TargetEncoder(target="y", folds=4, smooth="0")
        >>> encoder.fit_transform(rows).to_dict()["k"]
        [3.0, 1.0, 9.0, 5.0]
        """
        kinds = self.schema.kinds
        if "transform" not in kinds:
            raise UnsupportedError(f"{self.algorithm} makes no columns: it predicts "
                                   f"{', '.join(kinds)}")
        table = self._with_roles(data, target, weight)
        model = self.fit(table, progress=progress, cancel=cancel)
        return model.transform(table, training=True)

    def _fit(self, data, target, weight, valid, progress, cancel, keep_best):
        train = self._with_roles(data, target, weight)
        test = None if valid is None else self._with_roles(
            *(valid if isinstance(valid, tuple) else (valid, None)), None)
        self.interrupted_model = None
        error, out = error_object(), OWNER["ml_model"]()
        pointer = self._p
        run = Run(progress, cancel)
        with run:
            lib.ml_estimator_set_progress(pointer, run.callback, None)
            lib.ml_estimator_set_cancel(pointer, run.token or NO_TOKEN)
            status = lib.ml_estimator_fit(pointer, train._p, None if test is None else test._p,
                                          byref(out), error)
        lib.ml_estimator_set_progress(pointer, NO_PROGRESS, None)
        lib.ml_estimator_set_cancel(pointer, NO_TOKEN)
        model = Model._from(out) if status == 0 else None
        run.finish()
        for made in self._calls.values():
            made.finish()
        if run.interrupted:
            if keep_best and model is not None:
                return model
            self.interrupted_model = model
            raise KeyboardInterrupt
        if status < 0:
            raise_error(error)
        return model

    def _with_roles(self, data, target, weight):
        """A table with target and weight as columns."""
        from libml import _columns
        from libml._build import Existing, with_columns
        table = as_table(data)
        extra = []
        for role, values in (("target", target), ("weight", weight)):
            if values is None:
                continue
            if isinstance(values, str):
                self.set(**{role: values})
                continue
            name = self.params.get(role) or role
            self.set(**{role: name})
            if isinstance(values, Table):
                one = next(iter(Existing.all(values).values())).column(name)
            else:
                one = _columns.from_any(name, _flat(values))
            if one.length != len(table):
                raise ValueError(f"{one.length} values of the {role} for {len(table)} rows")
            extra.append(one)
        return with_columns(table, extra, context_pointer(None)) if extra else table

    # ---- looks ----

    def __reduce__(self):
        return (_restore, (type(self).algorithm, dict(self._given)))

    def __repr__(self):
        if self.closed:
            return f"<{type(self).__name__}, closed>"
        given = sorted(self._given.items(), key=lambda item: item[0] != "target")
        parts = {n: v for n, v in given if "." in n}
        shown = [f"{python_name(n)}={v!r}" for n, v in given if n not in parts]
        return f"{type(self).__name__}(" + ", ".join(
            shown + ([f"**{parts!r}"] if parts else [])) + ")"

    def _repr_html_(self):
        from html import escape
        rows = "".join(
            f"<tr><td>{escape(n)}</td><td>{escape(str(v))}</td></tr>"
            for n, v in self.params.items() if v is not None)
        return f"<details><summary>{escape(repr(self))}</summary><table>{rows}" \
               "</table></details>"


def _named_parts(value):
    """(name or None, estimator) of each part, when a value is made of estimators."""
    if hasattr(value, "items"):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = [v if isinstance(v, tuple) and len(v) == 2 else (None, v) for v in value]
    else:
        return None
    return items if any(isinstance(part, Estimator) for _, part in items) else None


def _flattened(params):
    """Parameters in which estimators, such as the steps of a pipeline, have become names and
    parameters called "name.parameter"."""
    out = {}
    for key, value in params.items():
        parts = _named_parts(value)
        if parts is None:
            out[key] = value
            continue
        listed, used = [], set()
        for name, part in parts:
            if not isinstance(part, Estimator):
                listed.append(part if name is None else f"{name}={part}")
                continue
            name = unused_name(name or part.algorithm, used)
            used.add(name)
            listed.append(entry(name, part.algorithm, key in ("branches", "transformers")))
            out.update({f"{name}.{n}": v for n, v in part._given.items()})
        out[key] = listed
    return out


def unused_name(name, used):
    """The name of a part that was given none."""
    while name in used:
        name += "_2"
    return name


def entry(name, algorithm, branch=False):
    """A part in the list of names; branches are all of one kind."""
    return name if branch or name == algorithm else f"{name}={algorithm}"


def _flat(values):
    """Values of one column: an array of n x 1 counts as one dimension."""
    if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1 and hasattr(values, "ravel"):
        return values.ravel()
    if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1 and hasattr(values, "iloc"):
        return values.iloc[:, 0]
    return values


def _restore(algorithm, params):
    return estimator(algorithm, **params)


def algorithms(context=None):
    """The names of the algorithms of the loaded library."""
    pointer = context_pointer(context)
    return [n for n in all_schemas(pointer) if not n.startswith(("options.", "metric."))]


def estimator(name, *, context=None, **params):
    """An estimator by the name or an alias of its algorithm.

    >>> import libml
    >>> libml.estimator("dummy", strategy="median")
    Baseline(strategy='median')
    """
    from libml import algorithms as module
    return getattr(module, class_name(proper_name(name, context)))(context=context, **params)


def proper_name(name, context=None):
    """The name of an algorithm of which this is a name or an alias."""
    made = make("ml_estimator", lib.ml_estimator_new, context_pointer(context),
                encode(name, "the algorithm"))
    return decode(lib.ml_estimator_algorithm(made))


_made = {}


def estimator_class(name, module):
    """A class for an algorithm of the loaded library that has no generated class."""
    if name.startswith("_"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if name not in _made:
        for algorithm in algorithms():
            if class_name(algorithm) == name:
                schema = _params.describe(algorithm)
                _made[name] = type(name, (Estimator,), {
                    "algorithm": algorithm, "__module__": module,
                    "__doc__": f"{schema['title']}. {schema['doc']}", "__slots__": ()})
                break
        else:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return _made[name]

