# SPDX-License-Identifier: MIT
"""Named values in and out, as dictionaries; and the schemas that describe them."""

import ctypes
import os

from libml import _native
from libml._context import context_pointer
from libml._core import Handle, byref, call, checked_i64, decode, documented, encode, lib, make
from libml._names import c_name

__all__ = ["Params", "Schema", "describe"]


def _item(value, name):
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{name} has an item of type {type(value).__name__}; items are numbers "
                    "or text")


def _list_text(values, name):
    import json
    items = [_item(v, name) for v in values]
    for value in items:
        if isinstance(value, str):
            encode(value, name)
    return json.dumps(items, ensure_ascii=False)


def set_value(pointer, name, value):
    """Sets one value of any type. None means not set."""
    key = encode(c_name(name), "the name of a parameter")
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if value is None:
        call(lib.ml_params_set_str, pointer, key, b"")
    elif isinstance(value, bool):
        call(lib.ml_params_set_str, pointer, key, b"true" if value else b"false")
    elif isinstance(value, int):
        call(lib.ml_params_set_i64, pointer, key, checked_i64(value, name))
    elif isinstance(value, float):
        call(lib.ml_params_set_f64, pointer, key, value)
    elif isinstance(value, str):
        call(lib.ml_params_set_str, pointer, key, encode(value, name))
    elif isinstance(value, os.PathLike):
        call(lib.ml_params_set_str, pointer, key, encode(os.fspath(value), name))
    elif hasattr(value, "__iter__") and not isinstance(value, (bytes, dict)):
        call(lib.ml_params_set_str, pointer, key, encode(_list_text(value, name), name))
    elif hasattr(value, "__float__"):
        call(lib.ml_params_set_f64, pointer, key, float(value))
    else:
        raise TypeError(f"{name} is of type {type(value).__name__}; values are bool, int, "
                        "float, str, or lists of these")


def get_value(pointer, name):
    """One value of a set, as the type it has."""
    kind = lib.ml_params_type(pointer, name)
    text = decode(lib.ml_params_get_str(pointer, name))
    if kind == _native.ML_PARAM_STR or text is None:
        return text
    if text == "":
        return None
    if kind in (_native.ML_PARAM_BOOL, _native.ML_PARAM_I64):
        out = ctypes.c_int64()
        call(lib.ml_params_get_i64, pointer, name, byref(out))
        return bool(out.value) if kind == _native.ML_PARAM_BOOL else out.value
    if kind == _native.ML_PARAM_F64:
        out = ctypes.c_double()
        call(lib.ml_params_get_f64, pointer, name, byref(out))
        return out.value
    import json
    try:
        return json.loads(text)
    except ValueError:
        return text


def to_dict(pointer):
    names = [lib.ml_params_name(pointer, i) for i in range(lib.ml_params_count(pointer))]
    return {decode(n): get_value(pointer, n) for n in names}


class Params(Handle):
    """A set of named values.

    Every call that takes options takes them as keywords, so this class is only needed for
    reading and writing YAML.

    >>> import libml
    >>> p = libml.Params(n_trees=100, categorical=["zip", "shop"])
    >>> p["n_trees"]
    100
    >>> print(p.to_yaml(), end="")
    n_trees: 100
    categorical: "[\\"zip\\", \\"shop\\"]"
    >>> dict(libml.Params.from_yaml("max_depth: 6"))
    {'max_depth': 6}
    """

    __slots__ = ()
    _kind = "ml_params"

    def __init__(self, values=None, *, context=None, **more):
        self._p = make("ml_params", lib.ml_params_new, context_pointer(context))
        for name, value in {**(dict(values) if values else {}), **more}.items():
            set_value(self._p, name, value)

    @classmethod
    def from_yaml(cls, text, context=None):
        """Reads values from YAML or JSON: one mapping from names to values."""
        self = cls(context=context)
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
        call(lib.ml_params_read_yaml, self._p, data, len(data))
        return self

    def to_yaml(self):
        """The values as YAML."""
        needed = ctypes.c_size_t()
        call(lib.ml_params_write_yaml, self._p, None, 0, byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        call(lib.ml_params_write_yaml, self._p, buffer, needed.value, byref(needed))
        return decode(buffer.value)

    def to_dict(self):
        """The values as a dictionary."""
        return to_dict(self._p)

    def select(self, schema):
        """Those values that a schema knows, under their proper names."""
        if not isinstance(schema, Schema):
            schema = Schema(schema)
        return Params._from(make("ml_params", lib.ml_params_select, self._p, schema._p))

    def keys(self):
        """The names."""
        return self.to_dict().keys()

    def __getitem__(self, name):
        key = encode(c_name(name), "the name of a parameter")
        if not lib.ml_params_type(self._p, key):
            raise KeyError(name)
        return get_value(self._p, key)

    def __setitem__(self, name, value):
        set_value(self._p, name, value)

    def __contains__(self, name):
        return isinstance(name, str) and name in self.to_dict()

    def __iter__(self):
        return iter(self.to_dict())

    def __len__(self):
        return lib.ml_params_count(self._p)

    def __reduce__(self):
        return (Params, (self.to_dict(),))

    def __repr__(self):
        return "Params(closed)" if self.closed else f"Params({self.to_dict()!r})"


def options(values, context):
    """The pointer of a set made from keywords, or NULL; with what keeps it alive."""
    values = {k: v for k, v in values.items() if v is not None}
    if not values:
        return None
    made = Params(values, context=context)
    return made._p


class Schema(Handle):
    """What is known about the parameters of an algorithm, an option set or a metric.

    >>> import libml
    >>> schema = libml.Schema("baseline")
    >>> schema.title
    'constant prediction'
    >>> schema.params["quantile"]["range"]
    '[0, 1]'
    """

    __slots__ = ("_dict",)
    _kind = "ml_schema"

    def __init__(self, name, context=None):
        import json
        self._p = make("ml_schema", lib.ml_schema_new, context_pointer(context),
                       encode(name, "the name of a schema"))
        self._dict = json.loads(lib.ml_schema_json(self._p))

    def to_dict(self):
        """The whole schema."""
        return dict(self._dict)

    @property
    def name(self):
        return self._dict["name"]

    @property
    def title(self):
        return self._dict["title"]

    @property
    def doc(self):
        return self._dict["doc"]

    @property
    def params(self):
        """Parameters by name."""
        return {p["name"]: p for p in self._dict.get("params", [])}

    @property
    def roles(self):
        """Roles of columns, such as target and weight, by name."""
        return {p["name"]: p for p in self._dict.get("roles", [])}

    @property
    def kinds(self):
        """Prediction kinds, the first is the default."""
        return [k["name"] for k in self._dict.get("kinds", [])]

    @documented("ml_schema_find")
    def find(self, name):
        """The parameter or role as a dictionary, None when there is no such."""
        for group, key in ((_native.ML_SCHEMA_PARAM, "params"),
                           (_native.ML_SCHEMA_ROLE, "roles")):
            at = lib.ml_schema_find(self._p, group, encode(c_name(name)))
            if at >= 0:
                return self._dict[key][at]
        return None

    def __repr__(self):
        if self.closed:
            return "<libml.Schema, closed>"
        return f"<libml.Schema {self._dict['name']}: {self._dict['title']}>"


def describe(name, context=None):
    """The schema of an algorithm, option set or metric as a dictionary."""
    return Schema(name, context).to_dict()
