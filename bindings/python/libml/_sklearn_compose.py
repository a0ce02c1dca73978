# SPDX-License-Identifier: MIT
"""What those generated estimators of libml.sklearn have in common that are made of others:
pipelines, branches for columns, ensembles.

The parts are estimators of libml.sklearn or names of algorithms. They stand for their
parameters and are never fitted themselves: the library fits all of them as one model.
"""

from collections.abc import Mapping
from functools import lru_cache
from inspect import signature

from libml._estimator import entry, proper_name, unused_name
from libml._sklearn_base import LibmlBase, LibmlTransformer

# What the whole decides for all of its parts.
_OF_THE_WHOLE = ("categorical", "text", "unseen", "class_weight", "n_jobs")
_NOUNS = {"classification": "classifier", "regression": "regressor",
          "transform": "transformer"}


@lru_cache(maxsize=None)
def _classes():
    from libml import sklearn
    return {(cls._algorithm, cls._task): cls for cls in vars(sklearn).values()
            if isinstance(cls, type) and issubclass(cls, LibmlBase) and cls._algorithm}


def _part_of_name(text, task):
    """The estimator that a name stands for."""
    cls = _classes().get((proper_name(text), task))
    if cls is None:
        raise ValueError(f'"{text}" is no {_NOUNS[task]}, as this part must be')
    return cls()


def _default(part, name):
    given = signature(type(part).__init__).parameters.get(name)
    return None if given is None else given.default


class _Made(str):
    """A name that the user did not give."""


class Branch:
    """A branch of columns: steps or one transformer, and the columns that it takes."""

    def __init__(self, steps, columns):
        self.steps = steps
        self.columns = columns


class Composed(LibmlBase):
    """An estimator made of others. Not for direct use."""

    _parts = ""           # the name of the parameter that lists them
    _default_parts = ()
    _more_parts = ()      # names of further ones, which may be left out
    _branches = False     # each part is a pipeline

    @property
    def _reads_text(self):
        return any(_reads_text(part) for _, part in self._known_parts())

    # ---- the parts ----

    def _items(self, which):
        """[name or None, part, more...] of each part, as they were given."""
        value = getattr(self, which)
        if value is None:
            value = self._default_parts if which == self._parts else ()
        if isinstance(value, str):
            value = [item.strip() for item in value.split(",")]
        if isinstance(value, LibmlBase):
            value = [value]
        if isinstance(value, Mapping):
            return [[name, part] for name, part in value.items()]
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{which} must be a list of estimators of libml.sklearn or "
                            f"of names of algorithms, not {type(value).__name__}")
        return [self._item(item) for item in value]

    def _item(self, item):
        if isinstance(item, tuple) and 2 <= len(item) <= 2 + self._branches:
            return list(item)
        if isinstance(item, str):
            name, equals, algorithm = item.partition("=")
            return [name.strip() if equals else _Made(name.strip()),
                    algorithm.strip() if equals else name.strip()]
        return [None, item]

    def _listed(self):
        """(name, part) of each part, the names made where none were given; a part that was
        given by the name of its algorithm is an estimator that belongs to nobody."""
        return [part for which in (self._parts, *self._more_parts)
                for part in self._listed_in(which)]

    def _listed_in(self, which):
        used = set() if which == self._parts else {n for n, _ in self._listed_in(self._parts)}
        own = super().get_params(deep=False)
        items, out = self._items(which), []
        for i, (name, part, *more) in enumerate(items):
            last = i == len(items) - 1
            part = self._resolved(part, self._task_at(last))
            if name is None or isinstance(name, _Made):
                name = unused_name(name or getattr(part, "_algorithm", f"branch{i + 1}"), used)
            elif not isinstance(name, str) or "__" in name or "." in name or not name:
                raise ValueError("the name of a part is a text without __ and without a dot, "
                                 f"not {name!r}")
            elif name in used:
                raise ValueError(f"two parts are called {name!r}")
            elif name in own and name != getattr(part, "_algorithm", None):
                raise ValueError(f"a part cannot be called {name!r}: that is a parameter of "
                                 f"{type(self).__name__}")
            used.add(name)
            out.append((name, Branch(part, more[0]) if more else part))
        return out

    def _task_at(self, last):
        return self._task

    def _resolved(self, part, task):
        if isinstance(part, str):
            return _part_of_name(part, task)
        if self._branches and isinstance(part, (list, tuple)):
            return part
        if not isinstance(part, LibmlBase):
            raise TypeError(
                f"a part of {type(self).__name__} is an estimator of libml.sklearn or the name "
                f"of an algorithm, not {type(part).__module__}.{type(part).__name__}; a "
                "pipeline of scikit-learn takes both")
        if part._task != task:
            raise TypeError(f"{type(part).__name__} is no {_NOUNS[task]}, as this part of "
                            f"{type(self).__name__} must be")
        return part

    def _branch(self, part):
        """Each branch is a pipeline."""
        pipeline = _classes()["pipeline", "transform"]
        steps, columns = (part.steps, part.columns) if isinstance(part, Branch) \
            else (part, None)
        if isinstance(steps, pipeline) and columns is None:
            return steps
        return pipeline(steps=steps if isinstance(steps, (list, tuple)) else [steps],
                        columns=[columns] if isinstance(columns, str) else columns)

    # ---- parameters of the library ----

    def _params(self):
        out = super()._params()
        for which in (self._parts, *self._more_parts):
            names = []
            for name, part in self._listed_in(which):
                if self._branches:
                    part = self._branch(part)
                names.append(entry(name, part._algorithm, self._branches))
                out.update(self._params_of(name, part))
            if names:
                out[which] = names
            elif which == self._parts:
                raise ValueError(f"{which} is empty; a {type(self).__name__} needs a part")
        return out

    def _params_of(self, name, part):
        for option in _OF_THE_WHOLE:
            if getattr(part, option, None) != _default(part, option):
                raise ValueError(f'{option} of the part "{name}" has no effect: set it on the '
                                 f"{type(self).__name__}")
        values = part._params()
        values.pop("unseen", None)
        return {f"{name}.{key}": value for key, value in values.items()}

    # ---- parameters of scikit-learn ----

    def get_params(self, deep=True):
        """The parameters; with `deep` the parts by name, and their parameters as
        "name__parameter"."""
        out = super().get_params(deep=False)
        if not deep:
            return out
        for name, part in self._known_parts():
            out.setdefault(name, part)
            inner = self._settable(part)
            hidden = () if inner is part else inner.get_params(deep=False)
            out.update({f"{name}__{key}": value
                        for key, value in inner.get_params(deep=True).items()
                        if key not in hidden})
        return out

    def _settable(self, part):
        """What has the parameters of a part: of a list of steps a pipeline of them."""
        if isinstance(part, (list, tuple)):
            return _classes()["pipeline", "transform"](steps=list(part))
        return part

    def _known_parts(self):
        """As far as they can be known before they are checked by fit."""
        try:
            return [(name, part.steps if isinstance(part, Branch) else part)
                    for name, part in self._listed()]
        except (TypeError, ValueError):
            return []

    def set_params(self, **params):
        """Sets parameters, parts ("name") and parameters of parts ("name__parameter")."""
        own, params = super().get_params(deep=False), self._by_proper_names(params)
        for key in [k for k in params if k in own]:
            setattr(self, key, params.pop(key))
        inner = {}
        for key, value in params.items():
            name, deeper, rest = key.partition("__")
            known = [part for part, _ in self._known_parts()]
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self}. Valid "
                                 f"parameters are: {sorted(own) + known!r}.")
            if deeper:
                inner.setdefault(name, {})[rest] = value
            else:
                self._replace(name, value)
        for name, values in inner.items():
            part = dict(self._known_parts())[name]
            whole = self._settable(part)
            if whole is not part:
                for key in set(values) & set(whole.get_params(deep=False)):
                    raise ValueError(f"Invalid parameter {key!r}: {name!r} is a list of steps, "
                                     "whose parameters are those of its steps")
            whole.set_params(**values)
            self._replace(name, part if whole is part else whole.steps)
        return self

    def _replace(self, name, part):
        """The list of parts with another in the place of one."""
        for which in (self._parts, *self._more_parts):
            names = [known for known, _ in self._listed_in(which)]
            if name in names:
                break
        items = [(known, *item[1:]) for known, item in zip(names, self._items(which))]
        at = names.index(name)
        if items[at][1] is part:
            return
        items[at] = (name, part, *items[at][2:])
        mapping = isinstance(getattr(self, which), Mapping)
        setattr(self, which, dict(items) if mapping else items)


class ComposedTransformer(Composed, LibmlTransformer):
    """Parts that make columns. Not for direct use."""

    @property
    def _takes_target(self):
        """Whether a part looks at the target."""
        return any(_looks_at_target(part) for _, part in self._known_parts())


def _looks_at_target(part):
    if isinstance(part, (list, tuple)):  # the steps of a branch
        part = _classes()["pipeline", "transform"](part)
    return getattr(part, "_takes_target", False)


def _reads_text(part):
    if isinstance(part, (list, tuple)):
        return any(_reads_text(step) for _, step in
                   _classes()["pipeline", "transform"](part)._known_parts())
    return getattr(part, "_reads_text", False)


class Steps:
    """Parts one after another: all but the last make columns. Not for direct use."""

    @property
    def _several(self):
        """Does the last part take several targets?"""
        known = self._known_parts()
        return bool(known) and getattr(known[-1][1], "_several", False)

    def _task_at(self, last):
        return self._task if last else "transform"
