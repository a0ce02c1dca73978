# SPDX-License-Identifier: MIT
"""Tables of batches that come one by one: an iterator of frames as one Arrow stream."""

import ctypes
import errno

from libml import _arrow, _native, _params
from libml._core import LibmlError, byref, call, lib, make
from libml._table import Table

_Array, _Stream = _native.ArrowArray, _native.ArrowArrayStream
_GET_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Stream))
_FAILED = ctypes.create_string_buffer(b"the iterator of batches failed")


def read_stream(stream, context, **options):
    """The owned pointer of the table of a stream."""
    given = {n: v for n, v in options.items() if v is not None}
    chosen = _params.options(given, None) if given else None
    return make("ml_table", lib.ml_table_read_arrow, context, byref(stream), chosen)


def _columns(table):
    return list(zip(table.columns, table.types.values()))


class _Batches:
    """A stream whose batches are what the iterator gives. What it raises is raised again
    after the call."""

    def __init__(self, iterator, names, convert):
        self.iterator, self.names, self.convert = iterator, names, convert
        self.n = 0
        self.problem = self.columns = self.first = None
        self.callbacks = (_arrow._GET_SCHEMA(self._get_schema),
                          _arrow._GET_NEXT(self._get_next),
                          _GET_ERROR(self._get_error),
                          _arrow._STREAM_RELEASE(self._release))
        self.stream = _Stream()
        for name, callback in zip(("get_schema", "get_next", "get_last_error", "release"),
                                  self.callbacks):
            setattr(self.stream, name, ctypes.cast(callback, ctypes.c_void_p).value)

    def _next_table(self):
        for batch in self.iterator:
            self.n += 1
            return self.convert(batch, self.names)
        return None

    def _check(self, table):
        found = _columns(table)
        if self.columns is None:
            self.columns = found
        if found == self.columns:
            return
        here, first = table.columns, [name for name, _ in self.columns]
        if here != first:
            raise ValueError(f"batch {self.n} has the columns {', '.join(here)}; the first "
                             f"has {', '.join(first)}")
        name, kind, wanted = next((n, k, w) for (n, k), (_, w) in zip(found, self.columns)
                                  if k != w)
        raise ValueError(f'column "{name}" is {kind} in batch {self.n} and {wanted} in the '
                         "first; give it one type in all batches")

    def _give(self, table, getter, kind, out):
        """Passes on what a stream of the table gives."""
        stream = _Stream()
        self._check(table)
        call(lib.ml_table_write_arrow, table._p, byref(stream))
        try:
            if kind(getattr(stream, getter))(ctypes.pointer(stream), out):
                raise MemoryError("out of memory")
        finally:
            _arrow._STREAM_RELEASE(stream.release)(ctypes.pointer(stream))

    def _guard(self, function, out):
        try:
            function(out)
            return 0
        except BaseException as problem:
            self.problem = problem
            return errno.EIO

    def _get_schema(self, stream, out):
        return self._guard(self._give_schema, out)

    def _give_schema(self, out):
        self.first = self._next_table()
        if self.first is None:
            raise ValueError("the iterator gives no batch")
        self._give(self.first, "get_schema", _arrow._GET_SCHEMA, out)

    def _get_next(self, stream, out):
        return self._guard(self._give_batch, out)

    def _give_batch(self, out):
        table, self.first = self.first, None
        if table is None:
            table = self._next_table()
        if table is None:
            ctypes.memset(out, 0, ctypes.sizeof(_Array))
        else:
            self._give(table, "get_next", _arrow._GET_NEXT, out)

    def _get_error(self, stream):
        return ctypes.addressof(_FAILED)

    def _release(self, stream):
        stream.contents.release = None


def of_iterator(iterator, names, context, spill):
    """The owned pointer of the table of all batches of an iterator."""
    batches = _Batches(iterator, names, lambda batch, names: batch
                       if isinstance(batch, Table) and names is None else Table(batch, names))
    try:
        return read_stream(batches.stream, context, spill=spill)
    except LibmlError:
        if batches.problem is not None:
            raise batches.problem from None
        raise
