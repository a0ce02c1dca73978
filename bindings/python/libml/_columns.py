# SPDX-License-Identifier: MIT
"""Columns from lists, NumPy arrays and pandas series: which Arrow type they become.

Without NumPy, lists still work. None, NaN among other things than floats, NaT and pandas.NA
are missing values.
"""

import datetime
import decimal
import numbers
import sys
from array import array

from libml._arrow import Column
from libml._core import encode, numpy

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_MICROSECOND = datetime.timedelta(microseconds=1)


def refuse(name, what, remedy):
    raise TypeError(f'column "{name}": {what}; {remedy}')


# ---- buffers without NumPy ----

class _Plain:
    """The memory of an array.array."""

    __slots__ = ("array", "__array_interface__")

    def __init__(self, values):
        self.array = values
        self.__array_interface__ = {"data": (values.buffer_info()[0], True)}


def bits(flags):
    """Booleans as bits, least significant first."""
    np = numpy()
    if np is not None:
        return np.packbits(np.asarray(flags, np.uint8), bitorder="little")
    out = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        if flag:
            out[i >> 3] |= 1 << (i & 7)
    return bytes(out)


def validity(valid):
    """(bits or None, number of missing values)."""
    np = numpy()
    missing = int(len(valid) - np.count_nonzero(valid)) if np is not None \
        else len(valid) - sum(valid)
    return (bits(valid), missing) if missing else (None, 0)


def text_column(name, values, valid=None):
    """A column of texts; the values that are not valid may be anything."""
    if valid is not None:
        values = [v if ok else "" for v, ok in zip(values, valid)]
    joined = "".join(values)
    if joined.isascii():
        data = joined.encode("ascii")
        sizes = map(len, values)
    else:
        try:
            parts = [v.encode("utf-8") for v in values]
        except UnicodeEncodeError as problem:
            raise ValueError(f'column "{name}" has text that is not valid Unicode: '
                             f"{problem.object!r}") from None
        data = b"".join(parts)
        sizes = map(len, parts)
    offsets = array("q", [0])
    total = 0
    for size in sizes:
        total += size
        offsets.append(total)
    flags, missing = (None, 0) if valid is None else validity(valid)
    return Column(encode(name, "column"), "U", len(values),
                  [flags, _Plain(offsets), data or b"\0"], missing)


def number_column(name, format, code, values, valid):
    flags, missing = (None, 0) if valid is None else validity(valid)
    return Column(encode(name, "column"), format, len(values),
                  [flags, _Plain(array(code, values))], missing)


def bool_column(name, values, valid):
    flags, missing = (None, 0) if valid is None else validity(valid)
    return Column(encode(name, "column"), "b", len(values), [flags, bits(values)], missing)


# ---- lists ----

def _is_missing(value):
    if value is None:
        return True
    kind = type(value).__name__
    return kind in ("NAType", "NaTType") or (
        isinstance(value, float) and value != value)


def _kind_of(cls, value):
    """What a value is, in one word; other words for what tables do not have."""
    if issubclass(cls, bool) or cls.__name__ in ("bool_", "bool"):
        return "bool"
    if issubclass(cls, str):
        return "str"
    if issubclass(cls, numbers.Integral):
        return "int"
    if issubclass(cls, (float, numbers.Real, decimal.Decimal)):
        return "float"
    if issubclass(cls, datetime.datetime) or cls.__name__ in ("datetime64", "Timestamp"):
        return "datetime"
    if issubclass(cls, datetime.date):
        return "date"
    if issubclass(cls, datetime.timedelta) or cls.__name__ == "timedelta64":
        return "timedelta"
    return cls.__name__


def _microseconds(value):
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    elif hasattr(value, "astype"):
        return int(value.astype("datetime64[us]").astype("int64"))
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return (value - _EPOCH) // _MICROSECOND


def _duration(value):
    if hasattr(value, "to_pytimedelta"):
        value = value.to_pytimedelta()
    elif hasattr(value, "astype"):
        return int(value.astype("timedelta64[us]").astype("int64"))
    return value // _MICROSECOND


def _int_column(name, values, valid):
    plain = [int(v) for v in values] if valid is None else \
        [int(v) if ok else 0 for v, ok in zip(values, valid)]
    for i, v in enumerate(plain):
        if not -2 ** 63 <= v < 2 ** 63:
            raise OverflowError(f'column "{name}", row {i + 1}: the integer {v} is beyond 64 '
                                "bits; use floats or text")
    return number_column(name, "l", "q", plain, valid)


def _mixed(name, kinds, values):
    named = [k for k in ("str", "bool", "int", "float") if k in kinds]
    named += sorted(kinds - set(named))
    rows = []
    for kind in named[:2]:
        row = next(i for i, v in enumerate(values)
                   if not _is_missing(v) and _kind_of(type(v), v) == kind)
        rows.append(f"{kind} in row {row + 1}")
    refuse(name, f"it mixes {' and '.join(rows)}", "convert it to one type")


def _not_none(values):
    """Validity of floats: a NaN stays a NaN, which algorithms take for missing as well."""
    valid = [isinstance(v, float) or not _is_missing(v) for v in values]
    return None if all(valid) else valid


_CONVERT = {
    "str": lambda name, v, valid: text_column(name, v, valid),
    "int": _int_column,
    "bool": lambda name, v, valid: bool_column(
        name, [bool(x) and x is not None for x in v] if valid is None
        else [bool(x) if ok else False for x, ok in zip(v, valid)], valid),
    "float": lambda name, v, valid: number_column(
        name, "g", "d", [float("nan") if _is_missing(x) else float(x) for x in v],
        None if valid is None else _not_none(v)),
    "datetime": lambda name, v, valid: number_column(
        name, "tsu:UTC", "q", [0 if _is_missing(x) else _microseconds(x) for x in v], valid),
    "date": lambda name, v, valid: number_column(
        name, "tdD", "i", [0 if _is_missing(x) else x.toordinal() - _EPOCH_DAY for x in v],
        valid),
    "timedelta": lambda name, v, valid: number_column(
        name, "tDu", "q", [0 if _is_missing(x) else _duration(x) for x in v], valid),
}


def from_list(name, values):
    """A column from a list of Python values of one kind."""
    values = list(values)
    classes = {}
    for v in values:
        classes.setdefault(type(v), v)
    missing = any(_is_missing(v) for v in values)
    kinds = {_kind_of(cls, v) for cls, v in classes.items() if cls is not type(None)
             and cls.__name__ not in ("NAType", "NaTType")}
    if "float" in kinds and len(kinds) > 1 and kinds != {"int", "float"}:
        # NaN among texts, dates and so on is a missing value.
        if all(_is_missing(v) for v in values if isinstance(v, float)):
            kinds.discard("float")
    if kinds == {"int", "float"}:
        kinds = {"float"}
    if kinds == {"date", "datetime"}:
        return from_list(name, [v if _is_missing(v) or isinstance(v, datetime.datetime)
                                else datetime.datetime(v.year, v.month, v.day)
                                for v in values])
    if len(kinds) > 1:
        _mixed(name, kinds, values)
    kind = kinds.pop() if kinds else "float"
    if kind not in _CONVERT:
        row = next(i for i, v in enumerate(values)
                   if not _is_missing(v) and _kind_of(type(v), v) == kind)
        refuse(name, f"row {row + 1} holds a {kind}: a value must be a number, a string, a "
               "bool, a date or a time", "make it one, or leave the column out")
    valid = [not _is_missing(v) for v in values] if missing else None
    return _CONVERT[kind](name, values, valid)


# ---- NumPy ----

_FORMATS = {"int8": "c", "int16": "s", "int32": "i", "int64": "l", "uint8": "C",
            "uint16": "S", "uint32": "I", "uint64": "L", "float16": "e", "float32": "f",
            "float64": "g"}


def _numbers(name, values, format, valid):
    np = numpy()
    values = np.require(values, requirements=["C", "A"])
    flags, missing = (None, 0) if valid is None else validity(valid)
    return Column(encode(name, "column"), format, len(values), [flags, values], missing)


def _times(name, values, valid):
    np = numpy()
    kind = values.dtype.kind
    there = ~np.isnat(values)
    if valid is not None:
        there &= valid
    unit = np.datetime_data(values.dtype)[0]
    if kind == "M" and unit in ("D", "W", "M", "Y"):
        days = values.astype("datetime64[D]").astype(np.int64)
        format, whole = "tdD", np.where(there, days, 0).astype(np.int32)
    else:
        to = "datetime64[us]" if kind == "M" else "timedelta64[us]"
        format = "tsu:UTC" if kind == "M" else "tDu"
        whole = np.where(there, values.astype(to).astype(np.int64), 0)
    return _numbers(name, whole, format, there)


def from_array(name, values, valid=None):
    """A column from a NumPy array of one dimension, without copying where it can be."""
    np = numpy()
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        valid = ~mask if valid is None else valid & ~mask
        values = values.data
    if values.ndim != 1:
        raise ValueError(f'column "{name}" has {values.ndim} dimensions instead of 1')
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    kind, dtype = values.dtype.kind, values.dtype.name
    if dtype in _FORMATS:
        return _numbers(name, values, _FORMATS[dtype], valid)
    if kind == "b":
        return bool_column(name, values, valid)
    if kind == "f":
        return _numbers(name, values.astype(np.float64), "g", valid)
    if kind in "mM":
        return _times(name, values, valid)
    if kind == "U" or kind == "T":
        return text_column(name, values.tolist(), valid)
    if kind == "S":
        try:
            return text_column(name, [v.decode("utf-8") for v in values.tolist()], valid)
        except UnicodeDecodeError:
            refuse(name, "it holds bytes that are not UTF-8", "decode it into text")
    if kind == "O":
        items = values.tolist()
        if valid is not None:
            items = [v if ok else None for v, ok in zip(items, valid)]
        return from_list(name, items)
    if kind == "c":
        raise ValueError(f'column "{name}": Complex data not supported; use the real and the '
                         "imaginary part as columns")
    return refuse(name, f"dtype {values.dtype} is not a column's", "convert it")


# ---- pandas ----

def _category(name, series):
    np = numpy()
    codes = np.asarray(series.cat.codes).astype(np.int32)
    valid = codes >= 0
    levels = series.cat.categories
    texts = level_texts(levels.tolist())
    if len(set(texts)) < len(texts):
        refuse(name, "two of its categories are the same as text", "make them differ")
    column = _numbers(name, np.where(valid, codes, 0).astype(np.int32), "i", valid)
    column.dictionary = text_column("", texts)
    column.ordered = bool(series.cat.ordered)
    return column


def level_texts(levels):
    """Categories as text: what CSV and C would have."""
    out = []
    for v in levels:
        if isinstance(v, bool):
            out.append("true" if v else "false")
        elif isinstance(v, float) and v.is_integer() and abs(v) < 2 ** 53:
            out.append(str(int(v)))
        else:
            out.append(v if isinstance(v, str) else str(v))
    return out


def from_series(name, series):
    """A column from a pandas series, with or without pyarrow."""
    np = numpy()
    dtype = series.dtype
    kind = type(dtype).__name__
    if kind == "CategoricalDtype":
        return _category(name, series)
    if isinstance(dtype, np.dtype):
        return from_array(name, series.to_numpy())
    if kind == "DatetimeTZDtype":
        return from_array(name, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if kind == "SparseDtype":
        return from_series(name, series.sparse.to_dense())
    if kind == "PeriodDtype":
        return from_array(name, series.dt.to_timestamp().to_numpy())
    if kind == "IntervalDtype":
        refuse(name, "it holds intervals", "use their ends as columns, or text")
    valid = ~np.asarray(series.isna(), bool)
    plain = getattr(dtype, "numpy_dtype", None)
    if isinstance(plain, np.dtype) and plain.kind in "biuf" and kind != "StringDtype":
        zero = False if plain.kind == "b" else 0
        values = series.to_numpy(dtype=plain, na_value=zero)
        return from_array(name, values, None if valid.all() else valid)
    values = series.to_numpy(dtype=object, na_value=None)
    if kind == "StringDtype":
        return text_column(name, values.tolist(), None if valid.all() else valid)
    return from_array(name, values, None if valid.all() else valid)


def pandas_module():
    """pandas, if the program has imported it."""
    return sys.modules.get("pandas")


def from_any(name, values):
    """A column from whatever holds values."""
    pandas = pandas_module()
    np = sys.modules.get("numpy")
    if isinstance(values, (str, bytes, set, frozenset)) or not hasattr(values, "__iter__"):
        raise TypeError(f'column "{name}" must be a list or an array of values, not '
                        f"{type(values).__name__}")
    if pandas is not None:
        if isinstance(values, pandas.Series):
            return from_series(name, values)
        if isinstance(values, (pandas.Index, pandas.api.extensions.ExtensionArray)):
            return from_series(name, pandas.Series(values))
    if np is not None and isinstance(values, np.ndarray):
        return from_array(name, values)
    if type(values).__module__.split(".")[0] == "polars" and hasattr(values, "to_list"):
        return from_list(name, values.to_list())
    if hasattr(values, "to_pylist"):
        return from_list(name, values.to_pylist())
    if hasattr(values, "__array_interface__") and numpy() is not None:
        return from_array(name, numpy().asarray(values))
    try:
        view = memoryview(values)
    except TypeError:
        return from_list(name, values)
    if view.ndim == 1 and numpy() is not None:
        return from_array(name, numpy().asarray(view))
    return from_list(name, view.tolist())
