# SPDX-License-Identifier: MIT
"""Tables: from whatever holds columns, and back."""

import ctypes

from libml import _arrow, _capsule, _native, _params, _tensor
from libml._context import context_pointer
from libml._core import Handle, byref, call, checked_i64, decode, documented, encode, expect, \
    lib, make, need_numpy, numpy, path_bytes, str_array
from libml._errors import UnknownNameError
from libml._io import Reader, Writer

__all__ = ["Table", "read_csv"]

TYPES = {**{dtype: entry[0] for dtype, entry in _tensor.DTYPES.items()},
         _native.ML_TYPE_TEXT: "text", _native.ML_TYPE_CATEGORY: "category",
         _native.ML_TYPE_DATE: "date", _native.ML_TYPE_TIMESTAMP: "timestamp"}


class Table(Handle):
    """Immutable columns of equal length.

    Made from anything that holds columns:

    - a DataFrame of pandas or polars, a Table of pyarrow, a relation of DuckDB: whatever has
      `__arrow_c_stream__` or `__arrow_c_array__`;
    - a mapping from names to lists or arrays, or a list of mappings;
    - a NumPy array of two dimensions or with named fields, a SciPy sparse matrix, anything
      with `__dlpack__`; columns are called f0, f1, ... unless `names` says otherwise;
    - an iterator of any of these: batches with the same columns, one below another.

    For more than memory holds, `spill` names a folder on a disk: an Arrow stream or an
    iterator is read batch by batch into a temporary file there, which is gone with the table.

    Numbers are not copied where the layout permits: do not change an array while a table of
    it lives, or pass `copy=True`.

    >>> import libml
    >>> t = libml.Table({"age": [31, 42, None], "city": ["Oslo", "Rome", "Oslo"]})
    >>> t.shape
    (3, 2)
    >>> t.types
    {'age': 'int64', 'city': 'text'}
    >>> t[1]
    {'age': 42, 'city': 'Rome'}
    """

    __slots__ = ()
    _kind = "ml_table"

    def __init__(self, data, names=None, *, copy=False, spill=None, context=None):
        from libml._build import build
        self._p = build(data, names, copy, context_pointer(context), spill)

    # ---- shape ----

    def __len__(self):
        return lib.ml_table_rows(self._p)

    @property
    def shape(self):
        """(rows, columns)"""
        return (len(self), lib.ml_table_columns(self._p))

    @property
    def columns(self):
        """The names of the columns."""
        return [decode(lib.ml_table_column_name(self._p, i))
                for i in range(lib.ml_table_columns(self._p))]

    @property
    def types(self):
        """The types of the columns by name."""
        return {name: TYPES.get(lib.ml_table_column_type(self._p, i), "?")
                for i, name in enumerate(self.columns)}

    def __contains__(self, name):
        return isinstance(name, str) and lib.ml_table_find(self._p, encode(name)) >= 0

    def _index(self, name):
        at = lib.ml_table_find(self._p, encode(name, "a column"))
        if at < 0:
            import difflib
            near = difflib.get_close_matches(name, self.columns, 1)
            hint = f'; did you mean "{near[0]}"?' if near else \
                f"; columns: {', '.join(self.columns[:20])}"
            raise UnknownNameError(f'there is no column "{name}"{hint}', name)
        return at

    # ---- parts ----

    def __getitem__(self, key):
        """A column by name, a row by number, some columns by a list, some rows by a slice,
        an array of row numbers or a mask."""
        if isinstance(key, str):
            return self.column(key)
        if isinstance(key, slice):
            begin, end, step = key.indices(len(self))
            if step == 1:
                return self.slice(begin, max(begin, end))
            return self.take(range(begin, end, step))
        if hasattr(key, "__index__"):
            row = key.__index__()
            at = self._row(row)
            return self.slice(at, at + 1).to_dicts()[0]
        if isinstance(key, (list, tuple)) and all(isinstance(k, str) for k in key):
            return self.select(key)
        return self.take(key)

    def column(self, name):
        """The values of a column: a NumPy array if NumPy is installed, else a list."""
        self._index(name)
        # Not with the others, which may be sparse and would all be filled in.
        return column_values(_arrow.Batch(self.select([name])._p), 0)

    def tensor(self, name):
        """A column of numbers as a tensor."""
        return _tensor.Tensor._from(make("ml_tensor", lib.ml_table_get_tensor, self._p,
                                         self._index(name)))

    @documented("ml_table_select")
    def select(self, names):
        names = [names] if isinstance(names, str) else list(names)
        return Table._from(make("ml_table", lib.ml_table_select, self._p,
                                str_array(names, "a column"), len(names)))

    def drop(self, names):
        """Without some of the columns."""
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            self._index(name)
        return self.select([c for c in self.columns if c not in names])

    @documented("ml_table_slice")
    def slice(self, begin, end):
        return Table._from(make("ml_table", lib.ml_table_slice, self._p,
                                checked_i64(begin, "begin"), checked_i64(end, "end")))

    def head(self, rows=10):
        """The first rows."""
        return self.slice(0, min(rows, len(self)))

    def _row(self, index, n=None):
        """The number from 0 of a row that may be counted from the end."""
        n = len(self) if n is None else n
        if not -n <= index < n:
            raise IndexError(f"index {index} is outside the table of {n} rows")
        return index % n

    @documented("ml_table_take")
    def take(self, rows):
        """A mask of booleans, one per row, is accepted too."""
        rows = list(rows) if not hasattr(rows, "dtype") else rows.tolist()
        if rows and all(isinstance(r, bool) for r in rows):
            if len(rows) != len(self):
                raise ValueError(f"the mask has {len(rows)} values, the table {len(self)} "
                                 "rows")
            rows = [i for i, on in enumerate(rows) if on]
        n = len(self)
        rows = [self._row(checked_i64(r, "a row"), n) for r in rows]
        return Table._from(make("ml_table", lib.ml_table_take, self._p,
                                (ctypes.c_int64 * len(rows))(*rows), len(rows)))

    @documented("ml_table_split")
    def split(self, fraction=None, **options):
        """Returns (train, test). Options: libml.describe("options.split").

        >>> import libml
        >>> t = libml.Table({"x": list(range(10))})
        >>> [len(part) for part in t.split(0.3, seed=1)]
        [7, 3]
        """
        train, test = _owner(), _owner()
        if fraction is not None:
            options["fraction"] = fraction
        call(lib.ml_table_split, self._p, _params.options(options, None), byref(train),
             byref(test))
        return Table._from(train), Table._from(test)

    @documented("ml_table_join")
    def join(self, right, on=None, **options):
        """Options: libml.describe("options.join").

        >>> import libml
        >>> people = libml.Table({"id": [1, 2, 3], "name": ["Ann", "Bob", "Cy"]})
        >>> pets = libml.Table({"id": [3, 1, 3], "pet": ["cat", "dog", "fish"]})
        >>> people.join(pets, on=["id"]).to_dict()["pet"]
        ['dog', 'cat', 'fish']
        """
        if on is not None:
            options["on"] = [on] if isinstance(on, str) else list(on)
        return Table._from(make("ml_table", lib.ml_table_join, self._p,
                                as_table(right, "right")._p,
                                _params.options(options, None)))

    @documented("ml_table_aggregate")
    def aggregate(self, aggregates, by=None, left=None, **options):
        """Options: libml.describe("options.aggregate").

        >>> import libml
        >>> sales = libml.Table({"shop": ["a", "b", "a"], "amount": [1.0, 2.0, 3.0]})
        >>> sales.aggregate(["total = sum(amount)"], by="shop").to_dict()
        {'shop': ['a', 'b'], 'total': [4.0, 2.0]}
        """
        options["aggregates"] = [aggregates] if isinstance(aggregates, str) \
            else list(aggregates)
        if by is not None:
            options["by"] = [by] if isinstance(by, str) else list(by)
        return Table._from(make("ml_table", lib.ml_table_aggregate, self._p,
                                None if left is None else as_table(left, "left")._p,
                                _params.options(options, None)))

    def with_column(self, name, values):
        """With one column more, or with the column of that name replaced."""
        from libml import _columns
        from libml._build import with_columns
        other = _columns.from_any(name, values)
        if other.length != len(self):
            raise ValueError(f'column "{name}" has {other.length} values, the table '
                             f"{len(self)} rows")
        return with_columns(self, [other], context_pointer(None))

    @documented("ml_table_profile")
    def profile(self, target=None, **options):
        """Options: libml.describe("options.profile")."""
        if target is not None:
            options["target"] = target
        chosen = _params.options(options, None)
        return Table._from(make("ml_table", lib.ml_table_profile, self._p, chosen))

    # ---- out ----

    @documented("ml_table_write_csv")
    def write_csv(self, path, **options):
        """`path` may be a file opened for writing bytes. Options:
        libml.describe("options.csv_write")."""
        chosen = _params.options(options, None)
        if hasattr(path, "write"):
            with Writer(path) as io:
                io.call(lib.ml_table_write_csv_io, self._p, io.pointer, chosen)
        else:
            call(lib.ml_table_write_csv, self._p, path_bytes(path), chosen)

    @documented("ml_table_write_arrow")
    def __arrow_c_stream__(self, requested_schema=None):
        stream = _native.ArrowArrayStream()
        call(lib.ml_table_write_arrow, self._p, byref(stream))
        return _capsule.new_arrow(stream, _capsule.STREAM)

    def __arrow_c_schema__(self):
        schema = _native.ArrowSchema()
        stream = _native.ArrowArrayStream()
        call(lib.ml_table_write_arrow, self._p, byref(stream))
        try:
            if _arrow._GET_SCHEMA(stream.get_schema)(ctypes.pointer(stream),
                                                     ctypes.pointer(schema)):
                raise MemoryError("out of memory")
        finally:
            _arrow._STREAM_RELEASE(stream.release)(ctypes.pointer(stream))
        return _capsule.new_arrow(schema, _capsule.SCHEMA)

    def to_dict(self):
        """Lists by column name; missing values are None."""
        batch = _arrow.Batch(self._p)
        return {name: column_list(batch, i) for i, name in enumerate(self.columns)}

    def to_dicts(self):
        """A dictionary per row."""
        columns = self.to_dict()
        return [dict(zip(columns, row)) for row in zip(*columns.values())]

    def to_numpy(self):
        """An array of float64, rows by columns; missing values are NaN. Every column must
        hold numbers."""
        np = need_numpy("to_numpy")
        rows, n = self.shape
        for name, kind in self.types.items():
            if kind in ("text", "category"):
                raise TypeError(f'column "{name}" is {kind}, not numbers: leave it out with '
                                "drop(), or use to_pandas() or to_dict()")
        columns = [self.tensor(name).to_numpy() for name in self.columns]
        out = np.empty((rows, n))
        # Some rows at a time, so that their lines stay in the cache from column to column.
        step = max(256, 65536 // max(n, 1))
        for row in range(0, rows, step):
            for i, column in enumerate(columns):
                out[row:row + step, i] = column[row:row + step]
        return out

    def __array__(self, dtype=None, copy=None):
        out = self.to_numpy()
        return out if dtype is None else out.astype(dtype)

    def to_pandas(self):
        """A DataFrame of pandas; pyarrow is not needed."""
        import pandas
        batch = _arrow.Batch(self._p)
        return pandas.DataFrame({name: _pandas_column(batch, i)
                                 for i, name in enumerate(self.columns)},
                                index=pandas.RangeIndex(len(self)))

    def to_polars(self):
        """A DataFrame of polars."""
        import polars
        return polars.DataFrame(self)

    def to_arrow(self):
        """A Table of pyarrow."""
        import pyarrow
        return pyarrow.table(self)

    # ---- looks ----

    def _cell(self, row, column, kind):
        """A value to look at, numbers with six digits; None when it is missing."""
        if kind.startswith("float"):
            value = lib.ml_table_get_f64(self._p, row, column)
            return None if value != value else f"{value:.6g}"
        buffer = ctypes.create_string_buffer(61)
        size = lib.ml_table_get_str(self._p, row, column, buffer, 61)
        text = buffer.value.decode("utf-8", "ignore")
        return None if size < 0 else text + ("…" if size > 60 else "")

    def _cells(self, rows):
        kinds = list(self.types.items())
        return self.columns, [[self._cell(r, c, kind) for c, (_, kind) in enumerate(kinds)]
                              for r in range(rows)]

    def __repr__(self):
        if self.closed:
            return "<libml.Table, closed>"
        rows, n = self.shape
        return f"<libml.Table, {rows} rows, {n} columns: " + ", ".join(
            f"{name} {kind}" for name, kind in list(self.types.items())[:8]) + \
            (", ...>" if n > 8 else ">")

    def __str__(self):
        if self.closed:
            return repr(self)
        names, cells = self._cells(min(len(self), 10))
        cells = [["" if c is None else c for c in line] for line in cells]
        width = [max(map(len, column)) for column in zip(names, *cells)]
        place = [str.rjust if kind[0] in "fiu" else str.ljust for kind in self.types.values()]
        lines = ["  ".join(to(c, w) for to, c, w in zip(place, line, width)).rstrip()
                 for line in [names, *cells]]
        if len(self) > 10:
            lines.append(f"... {len(self)} rows")
        return "\n".join(lines)

    def _repr_html_(self):
        from html import escape
        names, cells = self._cells(min(len(self), 10))
        types = self.types
        head = "".join(f"<th>{escape(n)}<br><small>{types[n]}</small></th>"
                       for n in names)
        body = "".join("<tr>" + "".join(
            f"<td>{'<i>missing</i>' if c is None else escape(c)}</td>" for c in line)
            + "</tr>" for line in cells)
        return (f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
                f"<p>{len(self)} rows, {len(names)} columns</p>")


def _owner():
    from libml._core import OWNER
    return OWNER["ml_table"]()


# ---- values out ----

def _raw(batch, i):
    format, array, inner, _ = batch.column(i)
    if format == "U":
        return format, array, _arrow.texts_of(array, batch)
    if format == "b":
        return format, array, _arrow.bits_of(array.buffers[1], array.offset, array.length)
    return format, array, _arrow.values_view(batch, format, array).tolist()


def column_list(batch, i):
    """A column as a list of Python values."""
    format, array, values = _raw(batch, i)
    inner = batch.column(i)[2]
    valid = _arrow.valid_of(array)
    if inner is not None:
        levels = _arrow.texts_of(inner, batch)
        values = [levels[v] if 0 <= v < len(levels) else None for v in values]
    elif format == "tdD":
        from datetime import date, timedelta
        values = [date(1970, 1, 1) + timedelta(days=v) for v in values]
    elif format == "tsu:UTC":
        from datetime import datetime, timedelta, timezone
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        values = [epoch + timedelta(microseconds=v) for v in values]
    elif format in "fg":
        values = [None if v != v else v for v in values]
    if valid is not None:
        values = [v if ok else None for v, ok in zip(values, valid)]
    return values


def column_values(batch, i):
    """A column as a NumPy array: numbers shared (with NaN for missing ones), dates and times
    as datetime64, texts as objects."""
    np = numpy()
    if np is None:
        return column_list(batch, i)
    format, array, inner, _ = batch.column(i)
    if format in ("U", "b") or inner is not None:
        values = column_list(batch, i)
        if format == "b" and array.null_count == 0:
            return np.array(values, bool)
        out = np.empty(len(values), object)
        out[:] = values
        return out
    values = np.asarray(_arrow.values_view(batch, format, array).toreadonly())
    valid = _arrow.numpy_valid(array)
    if format in ("tdD", "tsu:UTC"):
        values = values.astype(np.int64).view(
            "datetime64[D]" if format == "tdD" else "datetime64[us]")
        if valid is not None:
            values = np.where(valid, values, np.datetime64("NaT"))
    elif valid is not None:
        values = np.where(valid, values, np.nan)
    return values


def _pandas_column(batch, i):
    import pandas
    np = numpy()
    format, array, inner, ordered = batch.column(i)
    valid = _arrow.numpy_valid(array)
    if inner is not None:
        codes = np.array(_arrow.values_view(batch, format, array))
        if valid is not None:
            codes[~valid] = -1
        return pandas.Categorical.from_codes(codes, _arrow.texts_of(inner, batch),
                                             ordered=ordered)
    if format == "U":
        return column_list(batch, i)
    if format == "b":
        values = column_list(batch, i)
        return pandas.array(values, dtype="boolean") if valid is not None \
            else np.array(values, bool)
    if format == "tsu:UTC":
        return pandas.Series(column_values(batch, i)).dt.tz_localize("UTC")
    values = np.array(_arrow.values_view(batch, format, array))
    if format == "tdD":
        return np.array(column_values(batch, i))
    if valid is None:
        return values
    if format in "fg":
        return np.where(valid, values, np.nan)
    return pandas.arrays.IntegerArray(values, ~valid)


def as_table(data, what="data"):
    """A Table of anything; one that is a Table already is passed through."""
    if isinstance(data, Table):
        expect(data, Table, what)
        return data
    if data is None:
        raise TypeError(f"{what} is None")
    return Table(data)


@documented("ml_table_read_csv")
def read_csv(path, *, context=None, **options):
    """`path` may also be a file opened for reading bytes. Options:
    libml.describe("options.csv").

    >>> import io, libml
    >>> libml.read_csv(io.BytesIO(b"x,y\\n1,a\\n2,b\\n")).to_dict()
    {'x': [1, 2], 'y': ['a', 'b']}
    """
    pointer, chosen = context_pointer(context), _params.options(options, context)
    if hasattr(path, "read"):
        with Reader(path) as io:
            return Table._from(io.make("ml_table", lib.ml_table_read_csv_io, pointer,
                                       io.pointer, chosen))
    return Table._from(make("ml_table", lib.ml_table_read_csv, pointer, path_bytes(path),
                            chosen))
