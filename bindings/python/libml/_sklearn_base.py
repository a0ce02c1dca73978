# SPDX-License-Identifier: MIT
"""What the generated estimators of libml.sklearn have in common."""

import functools
import inspect
from io import BytesIO

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight, \
    _num_samples, check_is_fitted

from libml import _build, _columns
from libml._context import Context, context_pointer, default_context
from libml._estimator import estimator
from libml._names import python_name
from libml._params import describe
from libml._table import Table, read_csv

_OLD = tuple(int(p) for p in sklearn.__version__.split(".")[:2]) < (1, 6)
_FINITE = "force_all_finite" if _OLD else "ensure_all_finite"
_TARGET, _WEIGHT = "__target__", "__weight__"
_contexts = {}


def _context(n_jobs):
    if n_jobs is None:
        return default_context()
    if n_jobs not in _contexts:
        _contexts[n_jobs] = Context(threads=n_jobs)
    return _contexts[n_jobs]


def _is_frame(X):
    """Named columns, each of its own type."""
    return (hasattr(X, "__arrow_c_stream__") or hasattr(X, "dtypes")
            or hasattr(X, "__dataframe__") or isinstance(X, Table)) \
        and not hasattr(X, "tocsc")


def _column_names(X):
    """The names of the columns of a frame as scikit-learn takes them: None unless all are
    text."""
    names = list(getattr(X, "columns", getattr(X, "column_names", ())))
    return names if names and all(isinstance(n, str) for n in names) else None


def _target_columns(target):
    """One column, or one for each of several targets."""
    if target.ndim == 1:
        return [_columns.from_array(_TARGET, target)]
    return [_columns.from_array(f"{_TARGET}{k}", np.ascontiguousarray(column))
            for k, column in enumerate(target.T)]


@functools.lru_cache(maxsize=None)
def _other_names(init, algorithm):
    """What other libraries call the parameters: their names in this constructor."""
    own, out, known = inspect.signature(init).parameters, {}, describe(algorithm)
    for p in known.get("params", []) + known.get("roles", []):
        names = [python_name(n) for n in (p["name"], *(p.get("aliases") or ()))]
        mine = next((n for n in names if n in own), None)
        out.update({n: mine for n in names if mine and n not in own})
    return out


def _proper_names(init, algorithm, given):
    """Arguments by the names of the constructor."""
    if all(name in init.__code__.co_varnames for name in given):
        return given
    others, out = _other_names(init, algorithm), {}
    for name, value in given.items():
        proper = others.get(name, name)
        if proper in out or (proper != name and proper in given):
            raise TypeError(f"{name!r} is another name of {proper!r}, which is given as well")
        out[proper] = value
    return out


class LibmlBase(BaseEstimator):
    """Common part of the estimators. Not for direct use."""

    _algorithm = ""
    _task = ""
    _allow_nan = False
    _reads_text = False  # takes a list of texts as one column
    _of_texts = False  # was fitted to such a list
    _vectorizes = False  # columns of text are texts, not categories
    _poor_score = False
    _xfail = {}
    _own = frozenset({"categorical", "text", "class_weight", "random_state", "n_jobs"})

    # ---- parameters ----

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        init = vars(cls).get("__init__")
        if not init or "_algorithm" not in vars(cls):
            return

        @functools.wraps(init)
        def by_any_name(self, *args, **given):
            init(self, *args, **_proper_names(init, cls._algorithm, given))
        cls.__init__ = by_any_name

    def set_params(self, **params):
        """Sets parameters, by the names of other libraries too."""
        return super().set_params(**self._by_proper_names(params))

    def _by_proper_names(self, params):
        return _proper_names(inspect.unwrap(type(self).__init__), self._algorithm, params)

    def _params(self):
        """Parameters in the library's names."""
        out = {}
        for name in inspect.signature(type(self).__init__).parameters:
            if name == "self" or name in self._own:
                continue
            out[name] = getattr(self, name)
        if hasattr(self, "random_state"):
            out["seed"] = self._seed()
        return {name: value for name, value in out.items() if value is not None}

    def _seed(self):
        state = self.random_state
        if state is None:
            return 0
        if isinstance(state, (int, np.integer)) and state >= 0:
            return int(state)
        return int(check_random_state(state).randint(np.iinfo(np.int32).max))

    # ---- input ----

    def _note_columns(self, X, reset):
        """n_features_in_ and feature_names_in_: set by fit, compared later."""
        if _OLD:
            self._check_feature_names(X, reset=reset)
            self._check_n_features(X, reset=reset)
        else:
            from sklearn.utils.validation import validate_data
            validate_data(self, X, reset=reset, skip_check_array=True)

    def _table(self, X, reset):
        """A table with one column per feature; an array is returned as it is checked."""
        if self._reads_text:
            given, X = X, _text_column(X)
            if reset:
                self._of_texts = X is not given
        if _is_frame(X):
            if _num_samples(X) < (2 if reset else 1):
                raise ValueError(f"Found array with {_num_samples(X)} sample(s) (shape="
                                 f"{tuple(X.shape)}) while a minimum of {2 if reset else 1} "
                                 "is required.")
            self._note_columns(X, reset)
            table = Table(X, context=_context(self.n_jobs))
            return table if reset or _column_names(X) else self._positional(table)
        dtype = None if _has_text(X) else "numeric"
        X = check_array(X, accept_sparse="csc", dtype=dtype, estimator=type(self).__name__,
                        ensure_min_samples=2 if reset else 1,
                        **{_FINITE: False if self._allow_nan else True})
        if dtype == "numeric" and self._allow_nan:
            _refuse_infinite(X)
        self._note_columns(X, reset)
        if reset or not hasattr(self, "feature_names_in_"):
            return X
        return self._positional(Table(X, context=_context(self.n_jobs)))

    def _positional(self, table):
        """Columns without names of their own get those that fit saw."""
        return Table(table, names=self._names())

    def _names(self):
        if hasattr(self, "feature_names_in_"):
            return [str(n) for n in self.feature_names_in_]
        return [f"f{i}" for i in range(self.n_features_in_)]

    def _declared(self, which, names):
        """Names of the columns that the user declared as `which`: categories or text."""
        given = getattr(self, which, None)
        if given is None or isinstance(given, str) and given == "auto":
            return None
        values = np.asarray(given)
        if values.dtype.kind == "b":
            return [names[i] for i in np.flatnonzero(values)]
        return [n if isinstance(n, str) else names[n] for n in values.tolist()]

    def _texts(self, table, features, categorical):
        """Names of the columns to read as text; None where the library decides."""
        declared = self._declared("text", features)
        if declared is not None or not (self._vectorizes or self._of_texts):
            return declared
        kinds = ("text", "category") if self._vectorizes else ("text",)
        return [n for n, kind in table.types.items() if n in features
                and kind in kinds and n not in (categorical or ())]

    # ---- fitting ----

    _several = False  # does the algorithm take several targets?

    def _is_several(self, y):
        shape = np.asarray(y).shape if self._several else ()
        return len(shape) == 2 and shape[1] > 1

    def _fit(self, X, target, sample_weight, task, eval_set=None, **run):
        """Fits on X, a checked array or table, and the values of the target."""
        extra, params = [], self._params()
        weighted = sample_weight is not None and not (sample_weight == 1).all()
        if target is not None:
            X, target, sample_weight = _repeated(X, target, sample_weight)
            if weighted and sample_weight is None and self._task == "transform":
                sample_weight = np.ones(len(target))  # cross-fitting asks for the column
            if target.ndim == 2:
                params["targets"] = [f"{_TARGET}{k}" for k in range(target.shape[1])]
            else:
                params["target"] = _TARGET
            extra += _target_columns(target)
        table = X if isinstance(X, Table) else Table(X, context=_context(self.n_jobs))
        names = table.columns
        params["features"] = names
        if task is not None:
            params["task"] = task
        if sample_weight is not None:
            extra.append(_columns.from_array(_WEIGHT, np.asarray(sample_weight, np.float64)))
            params["weight"] = _WEIGHT
        categorical = self._declared("categorical", names)
        if categorical:
            params["categorical"] = categorical
        texts = self._texts(table, names, categorical)
        if texts:
            params["text"] = texts
        train = _joined(table, extra, self.n_jobs)
        valid = None
        if eval_set is not None:
            valid = self._eval_table(*_pair(eval_set), len(params.get("targets", [_TARGET])))
        fitted = estimator(self._algorithm, context=_context(self.n_jobs), **params)
        self.model_ = fitted.fit(train, valid=valid, **run)
        return self

    def _eval_table(self, X, y, targets):
        table = self._table(X, reset=False)
        if not isinstance(table, Table):
            table = self._positional(Table(table))
        target = self._target_column(y)
        have = target.shape[1] if target.ndim == 2 else 1
        if have != targets:
            raise ValueError(f"the eval_set has {_counted(have, 'target')}, y has {targets}")
        target = _target_columns(target)
        return _joined(table, target, self.n_jobs)

    # ---- prediction ----

    def _predict(self, X, kind):
        check_is_fitted(self, "model_")
        data = self._table(X, reset=False)
        predictor = self.model_._cached(kind)
        if isinstance(data, np.ndarray) and data.dtype.kind in "biuf" and self._plain():
            return predictor.rows(data)
        table = data if isinstance(data, Table) else self._positional(
            Table(data, context=_context(self.n_jobs)))
        return predictor.run(table)

    def _plain(self):
        """Whether rows of numbers are what the model takes: all inputs, no categories."""
        about = self.model_._about["inputs"]
        return [i["name"] for i in about] == self._names() and \
            not any(i.get("levels") or i.get("type") in ("category", "text") for i in about)

    def _attribute(self, name):
        check_is_fitted(self, "model_")
        return np.asarray(self.model_[name])

    def _per_feature(self, name):
        """An attribute with a value per feature; 0 for features that the model left out."""
        values = self._attribute(name)
        inputs = self.model_.inputs
        if len(inputs) == self.n_features_in_:
            return values
        out = np.zeros((*values.shape[:-1], self.n_features_in_))
        at = {n: i for i, n in enumerate(self._names())}
        out[..., [at[n] for n in inputs]] = values
        return out

    # ---- linear models ----

    def _coefficients(self):
        """A coefficient per feature, 0 for features that the model left out; with categories
        there are more, which `term_names_` names."""
        coef = self._attribute("coef")
        terms = self._attribute("columns")
        inputs, names = self.model_.inputs, self._names()
        if len(terms) <= len(names) and (terms[:, 1] == -1).all():
            whole = np.zeros((*coef.shape[:-1], len(names)))
            at = {n: i for i, n in enumerate(names)}
            whole[..., [at[inputs[i]] for i in terms[:, 0]]] = coef
            coef = whole
        return coef

    def _terms(self):
        return bytes(self._attribute("column_names")).decode("utf-8").split("\n")

    def _iterations(self):
        """Of solvers that count; 1 where there was nothing to repeat."""
        check_is_fitted(self, "model_")
        summary = self.model_.info["summary"]
        return max(1, int(next((summary[k] for k in ("iterations", "n_iter", "sweeps")
                                if k in summary), 1)))

    def _leaderboard(self):
        return read_csv(BytesIO(bytes(self._attribute("leaderboard"))))

    # ---- tags ----

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.string = self._vectorizes
        tags.input_tags.allow_nan = self._allow_nan
        tags.target_tags.required = True
        return tags

    def _more_tags(self):
        return {"allow_nan": self._allow_nan, "requires_y": True,
                "poor_score": self._poor_score, "X_types": ["2darray", "sparse"],
                "_xfail_checks": dict(self._xfail)}


def _counted(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _pair(eval_set):
    if isinstance(eval_set, list) and len(eval_set) == 1:
        eval_set = eval_set[0]
    if not isinstance(eval_set, tuple) or len(eval_set) != 2:
        raise ValueError("eval_set must be a tuple (X, y)")
    return eval_set


def _joined(table, extra, n_jobs):
    for column in extra:
        if column.length != len(table):
            raise ValueError(f"X has {len(table)} samples, y or sample_weight "
                             f"{column.length}")
    return _build.with_columns(table, extra, context_pointer(_context(n_jobs)))


def _has_text(X):
    """Whether an array or nested list holds text that is no number."""
    if hasattr(X, "tocsc"):
        return False
    kind = getattr(getattr(X, "dtype", None), "kind", None)
    if kind is None and not hasattr(X, "__array__") and isinstance(X, (list, tuple)):
        return any(isinstance(v, str) for row in X if isinstance(row, (list, tuple))
                   for v in row)
    if kind in ("U", "S", "T"):
        return getattr(X, "ndim", 0) == 2
    if kind != "O" or getattr(X, "ndim", 0) != 2:
        return False
    return any(isinstance(v, str) for v in np.asarray(X, object).ravel())


def _text_column(X):
    """A list, array or series of texts as an array of one column; other data as they are."""
    if isinstance(X, (list, tuple)):
        one = any(isinstance(v, str) for v in X)
    else:
        kind = getattr(getattr(X, "dtype", None), "kind", "O")
        one = len(getattr(X, "shape", ())) == 1 and kind not in "biuf"
    if not one:
        return X
    values = [_text(v) for v in (X.to_list() if hasattr(X, "to_list") else X)]
    return np.array(values, object).reshape(-1, 1)


def _text(value):
    if isinstance(value, str):
        return value
    missing = value is None or type(value).__name__ in ("NAType", "NaTType") or \
        isinstance(value, (float, np.floating)) and value != value
    if not missing:
        raise TypeError(f"X is one column of texts, with an item of type {type(value).__name__}")
    return None


def _refuse_infinite(X):
    values = X.data if hasattr(X, "tocsc") else X
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError("Input X contains infinity or a value too large for "
                         f"{values.dtype}.")


def _weights(sample_weight, X):
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not weight.any():
        raise ValueError("All values of `sample_weight` are zero: at least one sample must "
                         "count")
    return weight


# Whole-number weights are repetitions, unless that makes more than so many times the rows.
_MOST_REPEATED = 4


def _repeated(X, target, weight):
    """Rows without those of weight 0, and with those of whole-number weights repeated: then
    limits that count rows, such as the fewest rows of a leaf, mean what they say."""
    if weight is None or (weight == 1).all():
        return X, target, None
    whole = (weight == np.floor(weight)).all() and weight.sum() <= _MOST_REPEATED * len(weight)
    if not whole and weight.all():
        return X, target, weight
    times = weight.astype(np.int64) if whole else (weight > 0).astype(np.int64)
    rows = np.repeat(np.arange(len(times)), times)
    taken = X.take(rows) if isinstance(X, Table) else X[rows]
    return taken, target[rows], None if whole else weight[rows]


def _check_y(y, X):
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    if len(y) != _num_samples(X):
        raise ValueError(f"Found input variables with inconsistent numbers of samples: "
                         f"{[_num_samples(X), len(y)]}")


class LibmlClassifier(ClassifierMixin, LibmlBase):
    """Common part of the classifiers. Not for direct use."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = self._poor_score
        tags.classifier_tags.multi_label = self._several
        tags.target_tags.multi_output = self._several
        return tags

    def _more_tags(self):
        return {**super()._more_tags(), "multioutput": self._several,
                "multilabel": self._several}

    def _fit_classifier(self, X, y, sample_weight, eval_set, **run):
        if y is None:
            raise ValueError("This classifier requires y to be passed, but the target y is "
                             "None.")
        X = self._table(X, reset=True)
        if self._is_several(y):
            return self._fit_labels(X, check_array(y, dtype=None), sample_weight, **run)
        self._outputs = None
        y = column_or_1d(y, warn=True)
        _check_y(y, X)
        check_array(y, ensure_2d=False, dtype=None, ensure_min_samples=1)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        codes = codes.reshape(-1)
        weight = _weights(sample_weight, X)
        class_weight = getattr(self, "class_weight", None)
        if class_weight is not None:
            balance = compute_sample_weight(class_weight, y)
            weight = balance if weight is None else weight * balance
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present: "
                             f"{self.classes_[0]!r}")
        self._fit(X, codes.astype(np.int64), weight,
                  "classification" if self._both else None, eval_set, **run)
        order = [int(label) for label in self.model_.classes]
        self._order = None if order == list(range(len(self.classes_))) else order
        return self

    def _fit_labels(self, X, y, sample_weight, **run):
        """Several targets: a column of 0 and 1 per class (of the second class only, when all
        have two), whose predicted numbers are the probabilities."""
        _check_y(y, X)
        if getattr(self, "class_weight", None) is not None:
            raise ValueError("class_weight is for one target only")
        check_classification_targets(y)
        self.classes_ = [np.unique(column) for column in y.T]
        self.n_outputs_ = y.shape[1]
        two = all(len(c) == 2 for c in self.classes_)
        shares = [c[1:] if two else c for c in self.classes_]
        columns = [y[:, k] == label for k, c in enumerate(shares) for label in c]
        self._outputs = [len(c) for c in shares]
        return self._fit(X, np.column_stack(columns).astype(np.float64),
                         _weights(sample_weight, X), "regression", None, **run)

    def _labels_proba(self, X):
        parts = np.split(self._predict(X, "value"), np.cumsum(self._outputs)[:-1], axis=1)
        return [np.column_stack([1 - p, p]) if p.shape[1] < len(c) else p
                for p, c in zip(parts, self.classes_)]

    def _target_column(self, y):
        y = column_or_1d(y)
        codes = np.searchsorted(self.classes_, y)
        known = codes < len(self.classes_)
        if not known.all() or (self.classes_[codes] != y).any():
            raise ValueError("eval_set has classes that y lacks")
        return codes.astype(np.int64)

    def predict_proba(self, X):
        """Probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes), or a list with one per target
        """
        check_is_fitted(self, "model_")
        if self._outputs:
            return self._labels_proba(X)
        proba = self._predict(X, "proba")
        if proba.ndim == 1 or proba.shape[1] == 1:
            proba = proba.reshape(-1)
            proba = np.column_stack([1 - proba, proba])
        return self._by_class(proba, 0.0)

    def _by_class(self, values, fill):
        """Columns in the order of classes_; the model lacks classes of weight 0."""
        if self._order is None:
            return values
        out = np.full((*values.shape[:-1], len(self.classes_)), fill)
        out[..., self._order] = values
        return out

    def _coefficients(self):
        """A row for the second of two classes, or a row per class."""
        return self._per_class(np.atleast_2d(super()._coefficients()))

    def _intercepts(self):
        return self._per_class(self._attribute("intercept").reshape(-1))

    def _per_class(self, values):
        return values if len(values) == 1 else self._by_class(values.T, 0.0).T

    def predict(self, X):
        """Class labels.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) of several targets
        """
        check_is_fitted(self, "model_")
        if self._outputs:
            return np.column_stack([c[np.argmax(p, axis=1)] for c, p in
                                    zip(self.classes_, self._labels_proba(X))])
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def _decision(self, X):
        score = self._predict(X, "score")
        if score.ndim == 2 and score.shape[1] > 1:
            return self._by_class(score, -np.inf)
        score = score.reshape(-1)
        if len(self.classes_) == 2:
            return score
        return self._by_class(np.column_stack([-score, score]), -np.inf)


class LibmlRegressor(RegressorMixin, LibmlBase):
    """Common part of the regressors. Not for direct use."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = self._poor_score
        tags.target_tags.multi_output = self._several
        return tags

    def _more_tags(self):
        return {**super()._more_tags(), "multioutput": self._several}

    def _fit_regressor(self, X, y, sample_weight, eval_set, **run):
        if y is None:
            raise ValueError("This regressor requires y to be passed, but the target y is "
                             "None.")
        X = self._table(X, reset=True)
        y = self._target_column(y)
        _check_y(y, X)
        self._fit(X, y, _weights(sample_weight, X),
                  "regression" if self._both else None, eval_set, **run)
        return self

    def _intercepts(self):
        return float(self._attribute("intercept").item())

    def _target_column(self, y):
        if self._is_several(y):
            return np.asarray(check_array(y, dtype="numeric", input_name="y"), np.float64)
        y = column_or_1d(y, warn=True)
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        return np.asarray(y, np.float64)

    def predict(self, X):
        """Predicted values.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) of several targets
        """
        value = self._predict(X, "value")
        return value if value.ndim == 2 and value.shape[1] > 1 else value.reshape(-1)


class LibmlStep(LibmlBase):
    """Common part of those steps that change the rows of training. They have no fit: rows in
    and rows out are not what a transformer of scikit-learn is."""

    def __getattr__(self, name):
        if name in ("fit", "transform", "fit_transform", "predict"):
            raise AttributeError(
                f"{type(self).__name__} changes the rows of training, which a transformer of "
                f"scikit-learn cannot: it has no {name}. Make it a step of a "
                "PipelineClassifier or PipelineRegressor of libml.sklearn")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class LibmlTransformer(TransformerMixin, LibmlBase):
    """Common part of the transformers. Not for direct use."""

    _takes_target = False

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._takes_target
        return tags

    def _more_tags(self):
        return {**super()._more_tags(), "requires_y": self._takes_target}

    def _fit_transformer(self, X, y, sample_weight, **run):
        X = self._table(X, reset=True)
        if self._takes_target:
            if y is None:
                raise ValueError("This transformer requires y to be passed, but the target y "
                                 "is None.")
            y = column_or_1d(y, warn=True)
            _check_y(y, X)
        self._fit(X, y if self._takes_target else None, _weights(sample_weight, X), None,
                  **run)
        self._outputs = self.model_._cached("transform").outputs
        first = X.head(1) if isinstance(X, Table) else Table(X[:1])
        types = self.model_._cached("transform").run_table(first).types.values()
        self._text = any(t in ("text", "category") for t in types)
        self._typed = self._text or any(t in ("date", "timestamp") for t in types)
        return self

    def transform(self, X):
        """The transformed columns.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_outputs), of objects if there are categories; or
        the frame that `set_output` asks for
        """
        return self._transformed(X)

    def _transformed(self, X):
        frame = self._frame()
        if not self.__dict__.get("_typed" if frame else "_text", False):
            out = self._predict(X, "transform")
            return out.reshape(len(out), -1)
        check_is_fitted(self, "model_")
        data = self._table(X, reset=False)
        table = data if isinstance(data, Table) else self._positional(Table(data))
        return self._array(self.model_._cached("transform").run_table(table), X, frame)

    def _frame(self):
        """The kind of frame that set_output asks for, or None."""
        try:
            from sklearn.utils._set_output import _get_output_config
            kind = _get_output_config("transform", self)["dense"]
        except ImportError:
            return None
        return kind if kind in ("pandas", "polars") else None

    def _array(self, made, X=None, frame=None):
        """A table of outputs as an array, of objects if there are categories; or as a
        frame, whose columns keep their types."""
        if frame and self._typed and len(set(made.columns)) == made.shape[1]:
            out = made.to_pandas() if frame == "pandas" else made.to_polars()
            if frame == "pandas" and hasattr(X, "iloc"):
                out.index = X.index
            return out
        if not self._text:
            return made.to_numpy()
        out = np.empty(made.shape, object)
        for i, column in enumerate(made.to_dict().values()):
            out[:, i] = [np.nan if v is None else v for v in column]
        return out

    def fit_transform(self, X, y=None, **fit_params):
        """Fits, and transforms the same rows. What looks at the target, such as
        TargetEncoder, encodes each row by others: so this differs from
        `fit(X, y).transform(X)`, and is what the next step of a pipeline must be fitted to.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)
        y : array of shape (n_samples,), optional
        **fit_params : those of `fit`

        Returns
        -------
        array of shape (n_samples, n_outputs), of objects if there are categories; or
        the frame that `set_output` asks for
        """
        self.fit(X, y, **fit_params)
        if not self._takes_target:
            return self._transformed(X)
        data = self._table(X, reset=False)
        table = data if isinstance(data, Table) else self._positional(
            Table(data, context=_context(self.n_jobs)))
        weight = _weights(fit_params.get("sample_weight"), data)
        y = column_or_1d(y)
        if weight is None or weight.all():
            return self._array(self._training_rows(table, y, weight), X, self._frame())
        used = np.flatnonzero(weight)  # the fit has not seen the other rows
        out = self._array(self.model_.transform(table))
        out[used] = self._array(self._training_rows(table.take(used), y[used], weight[used]))
        return out

    def _training_rows(self, table, y, weight):
        extra = [_columns.from_array(_TARGET, y)]
        if weight is not None:
            extra.append(_columns.from_array(_WEIGHT, weight))
        rows = _joined(table, extra, self.n_jobs)
        return self.model_.transform(rows, training=True)

    def get_feature_names_out(self, input_features=None):
        """Names of the outputs.

        Parameters
        ----------
        input_features : array of str, optional
            Names of the features, where fit saw none.

        Returns
        -------
        array of str
        """
        check_is_fitted(self, "model_")
        given = [str(n) for n in _check_feature_names_in(self, input_features)]
        names = self._names()
        return np.asarray([_renamed(out, names, given) for out in self._outputs], object)


def _renamed(output, names, given):
    """An output's name with the feature's name that it starts with replaced."""
    for name, other in sorted(zip(names, given), key=lambda pair: -len(pair[0])):
        if output.startswith(name) and not output[len(name):][:1].isdigit():
            return other + output[len(name):]
    return output
