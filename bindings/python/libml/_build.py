# SPDX-License-Identifier: MIT
"""Tables of whatever holds columns."""

import sys
from _collections_abc import Mapping

from libml import _arrow, _capsule, _columns, _native, _tensor
from libml._batches import of_iterator, read_stream
from libml._context import context_pointer
from libml._core import decode, encode, lib, make, need_numpy, numpy, str_array
from libml._table import Table


class Existing:
    """A column of a batch of another table."""

    def __init__(self, batch, index):
        self.batch = batch
        self.index = index

    @classmethod
    def all(cls, table):
        """Those of a table, by name; what C has to copy it copies once."""
        batch = _arrow.Batch(table._p)
        return {n: cls(batch, i) for i, n in enumerate(table.columns)}

    def column(self, name):
        format, array, inner, ordered = self.batch.column(self.index)
        out = _arrow.Column(encode(name, "column"), format, array.length,
                            _Borrowed.list(self.batch, array), array.null_count)
        out.offset = array.offset
        if inner is not None:
            out.dictionary = _arrow.Column(b"", "U", inner.length,
                                           _Borrowed.list(self.batch, inner))
            out.ordered = ordered
        return out


class _Borrowed:
    """A buffer that belongs to a batch."""

    def __init__(self, batch, address):
        self.batch = batch
        self.__array_interface__ = {"data": (address, True)}

    @classmethod
    def list(cls, batch, array):
        return [cls(batch, array.buffers[i]) if array.buffers[i] else None
                for i in range(array.n_buffers)]


def _as_tensor(column, context):
    """The owned pointer of a tensor that shares the memory of a column of numbers without
    missing values; None for other columns."""
    dtype = _tensor.BY_FORMAT.get(column.format)
    if dtype is None or column.dictionary or column.nulls or column.offset \
            or column.buffers[0] is not None or not column.length:
        return None
    return _tensor.wrap(context, dtype, (column.length,), None,
                        _arrow.address_of(column.buffers[1]), column)


def with_columns(table, extra, context):
    """A table of the same context with columns more, which replace those of their names.
    Numbers are added without touching the rest: the columns of a matrix would be copied
    to become an Arrow stream."""
    tensors = [_as_tensor(c, context) for c in extra]
    if all(t is not None for t in tensors):
        for column, tensor in zip(extra, tensors):
            table = Table._from(make("ml_table", lib.ml_table_with_tensor, table._p,
                                     column.name, tensor))
        return table
    columns = {n: c.column(n) for n, c in Existing.all(table).items()}
    columns.update((decode(c.name), c) for c in extra)
    return Table._from(read_stream(_arrow.stream_of(list(columns.values()), len(table)),
                                   context))


def of_columns(names, columns, context):
    """The owned pointer of a table of Columns."""
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f'two columns are called "{name}"')
        seen.add(name)
    lengths = {c.length for c in columns}
    if len(lengths) > 1:
        first = columns[0]
        other = next(c for c in columns if c.length != first.length)
        raise ValueError(f'column "{decode(other.name)}" has {other.length} values, column '
                         f'"{decode(first.name)}" has {first.length}')
    rows = lengths.pop() if lengths else 0
    return read_stream(_arrow.stream_of(columns, rows), context)


def _names(names, count):
    if names is None:
        return None
    names = [str(n) for n in names]
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} columns")
    return names


def _of_mapping(data, context):
    names = [n if isinstance(n, str) else str(n) for n in data]
    return of_columns(names, [_columns.from_any(n, v) for n, v in zip(names, data.values())],
                      context)


def _of_pandas(data, names, context):
    import pandas
    if isinstance(data, pandas.Series):
        data = data.to_frame(name=data.name if data.name is not None else "f0")
    if isinstance(data.columns, pandas.MultiIndex):
        raise TypeError("the DataFrame has several levels of column names; join them first, "
                        'as in df.columns = ["_".join(c) for c in df.columns]')
    if names is None and isinstance(data.columns, pandas.RangeIndex):
        found = [f"f{n}" for n in data.columns]
    else:
        found = _names(names, data.shape[1]) or [str(n) for n in data.columns]
    return of_columns(found, [_columns.from_series(n, data.iloc[:, i])
                              for i, n in enumerate(found)], context)


def of_matrix(array, names, context):
    """A table of a NumPy array of two dimensions, sharing its memory if it holds numbers."""
    np = numpy()
    if array.ndim == 0 or array.ndim > 2:
        raise ValueError(f"the array has {array.ndim} dimensions; a table needs two: reshape "
                         "it to rows by columns")
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    found = _names(names, array.shape[1])
    masked = isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array)
    if array.dtype.kind in "iufc" and not masked:
        tensor = _tensor.wrap_array(context, np.asarray(array), "the array")
        return make("ml_table", lib.ml_table_read_tensor, context, tensor,
                    None if found is None else str_array(found, "a column"))
    found = found or [f"f{i}" for i in range(array.shape[1])]
    return of_columns(found, [_columns.from_array(n, array[:, i])
                              for i, n in enumerate(found)], context)


def _of_array(array, names, copy, context):
    if copy:
        array = array.copy()
    if array.dtype.names:
        if array.ndim != 1:
            raise ValueError("an array with named fields must have one dimension")
        return of_columns(list(array.dtype.names), [
            _columns.from_array(n, array[n]) for n in array.dtype.names], context)
    return of_matrix(array, names, context)


def physical_memory():
    """Bytes of memory that the machine has, or None."""
    import os
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _of_sparse(matrix, names, context):
    """Sparse columns where Arrow can say so (offsets of 32 bits), else dense ones."""
    np = need_numpy("a sparse matrix")
    rows, columns = matrix.shape
    if matrix.dtype.kind not in "biuf":
        if matrix.dtype.kind == "c":
            raise ValueError("Complex data not supported")
        raise TypeError(f"a sparse matrix of {matrix.dtype} holds no numbers")
    if max(matrix.nnz, rows) >= 2 ** 31 or not 0 < columns <= 2 ** 30 or rows == 0:
        return _filled(matrix, names, context)
    by_row = matrix.tocsr()
    real = np.float32 if by_row.dtype == np.float32 else np.float64
    index = by_row.indices if by_row.indices.dtype in (np.int32, np.int64) \
        else by_row.indices.astype(np.int64)
    offsets = np.ascontiguousarray(by_row.indptr, np.int32)
    if len(offsets) != rows + 1 or not 0 <= int(offsets[-1]) <= min(len(index),
                                                                   len(by_row.data)):
        raise ValueError("the sparse matrix is damaged: indptr, indices and data do not fit")
    stored = _arrow.map_column(b"f", offsets, np.ascontiguousarray(index),
                               np.ascontiguousarray(by_row.data, real))
    return read_stream(_arrow.stream_of([stored], rows), context, map_columns=columns,
                       names=_names(names, columns))


def _filled(matrix, names, context):
    np = need_numpy("a sparse matrix")
    rows, columns = matrix.shape
    item = 4 if matrix.dtype == np.float32 else 8
    need, there = rows * columns * item, physical_memory()
    message = (f"the sparse matrix of {rows} x {columns} needs {need / 2 ** 30:.3g} GiB as "
               "dense columns; leave columns out, or reduce them first")
    if there is not None and need > there:
        raise MemoryError(message)
    try:
        dense = np.zeros((rows, columns), np.float32 if item == 4 else np.float64, order="F")
    except (MemoryError, ValueError):
        raise MemoryError(message) from None
    by_column = matrix.tocsc()
    if not by_column.has_canonical_format:
        by_column = by_column.copy()
        by_column.sum_duplicates()
    starts, at, values = by_column.indptr, by_column.indices, by_column.data
    for j in range(columns):
        here = slice(starts[j], starts[j + 1])
        dense[at[here], j] = values[here]
    return of_matrix(dense, names, context)


def _of_rows(data, names, context):
    if data and all(isinstance(row, Mapping) for row in data):
        found = list(dict.fromkeys(name for row in data for name in row))
        return of_columns([str(n) for n in found], [
            _columns.from_list(str(n), [row.get(n) for row in data]) for n in found], context)
    if data and all(isinstance(row, (list, tuple)) for row in data):
        width = len(data[0])
        for i, row in enumerate(data):
            if len(row) != width:
                raise ValueError(f"row {i + 1} has {len(row)} values, the first has {width}")
        found = _names(names, width) or [f"f{i}" for i in range(width)]
        return of_columns(found, [_columns.from_list(n, column)
                                  for n, column in zip(found, zip(*data))], context)
    if not data:
        raise ValueError("an empty list says nothing about columns; give a mapping from names "
                         "to lists")
    np = numpy()
    if np is not None and all(hasattr(row, "__array_interface__") for row in data):
        return of_matrix(np.stack([np.asarray(row) for row in data]), names, context)
    raise TypeError("a list must hold mappings, or rows as lists; for one column give a "
                    f'mapping such as {{"x": [...]}}; this one holds {type(data[0]).__name__}')


def _in_batches(data, names, context, spill):
    """The owned pointer of a table of what comes batch by batch; None for all else."""
    if hasattr(data, "__arrow_c_stream__"):
        stream = _capsule.open_arrow(data.__arrow_c_stream__(), _capsule.STREAM,
                                     _native.ArrowArrayStream)
        return _named(read_stream(stream, context, spill=spill), names)
    if hasattr(data, "__next__"):
        return of_iterator(data, names, context, spill)
    return None


def build(data, names, copy, context, spill=None):
    """The owned pointer of a table of anything."""
    if spill is not None:
        made = _in_batches(data, names, context, spill)
        if made is None:
            raise TypeError("spill is for what comes in batches: an Arrow stream, or an "
                            f"iterator of tables, not {_what(data)}")
        return made
    if isinstance(data, type):
        raise TypeError(f"no table can be made from the class {data.__name__}")
    pandas, np = _columns.pandas_module(), sys.modules.get("numpy")
    if isinstance(data, Table):
        return _renamed(data, names, context)
    if pandas is not None and isinstance(data, (pandas.DataFrame, pandas.Series)):
        return _of_pandas(data.copy() if copy else data, names, context)
    if np is not None and isinstance(data, np.ndarray):
        return _of_array(data, names, copy, context)
    if hasattr(data, "tocsc") and hasattr(data, "dtype"):
        return _of_sparse(data, names, context)
    if isinstance(data, Mapping):
        return _of_mapping(data, context)
    made = _in_batches(data, names, context, None)
    if made is not None:
        return made
    if hasattr(data, "__arrow_c_array__"):
        schema, array = data.__arrow_c_array__()
        return _named(read_stream(_arrow.stream_of_array(array, schema), context), names)
    if isinstance(data, _tensor.Tensor) or hasattr(data, "__dlpack__"):
        tensor = data._p if isinstance(data, _tensor.Tensor) \
            else _tensor._from_dlpack(context, data)
        shape = lib.ml_tensor_shape(tensor)[:lib.ml_tensor_ndim(tensor)]
        found = _names(names, shape[1] if len(shape) == 2 else 1)
        return make("ml_table", lib.ml_table_read_tensor, context, tensor,
                    None if found is None else str_array(found, "a column"))
    if isinstance(data, (list, tuple)):
        return _of_rows(list(data), names, context)
    if hasattr(data, "__array_interface__") or hasattr(data, "__array__"):
        return of_matrix(need_numpy("an array").asarray(data), names, context)
    raise TypeError(f"no table can be made from {_what(data)}")


def _what(data):
    kind = f"{type(data).__module__}.{type(data).__name__}"
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        return f"{type(data).__name__}; to read a file use libml.read_csv(path)"
    if hasattr(data, "collect"):
        return f"{kind}; collect() it first"
    return kind


def _renamed(table, names, context):
    found = _names(names, table.shape[1]) or table.columns
    if found == table.columns:
        return make("ml_table", lib.ml_table_slice, table._p, 0, len(table))
    columns = Existing.all(table).values()
    return of_columns(found, [c.column(n) for n, c in zip(found, columns)], context)


def _named(pointer, names):
    return pointer if names is None else _renamed(Table._from(pointer), names,
                                                  context_pointer(None))
