# SPDX-License-Identifier: MIT
"""Arrow streams made and read in Python: how columns get into tables and out of them.

A Column is what an Arrow array is: a format, a length, buffers, perhaps a dictionary. Its
buffers are NumPy arrays, bytes, or arrays of ctypes: the stream keeps them alive until the
library lets go.
"""

import ctypes
import itertools

from libml import _capsule, _native
from libml._core import byref, call, lib, numpy

_Schema, _Array, _Stream = (_native.ArrowSchema, _native.ArrowArray,
                            _native.ArrowArrayStream)
_SCHEMA_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))
_ARRAY_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_STREAM_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))
_GET_SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))
_GET_NEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))
_GET_ERROR = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))
_kept = {}
_tokens = itertools.count(1)
NULLABLE = 2


class Column:
    """One array: `buffers` as Arrow has them for the format, None where there is none."""

    __slots__ = ("name", "format", "length", "nulls", "buffers", "dictionary", "ordered",
                 "offset", "children")

    def __init__(self, name, format, length, buffers, nulls=0, dictionary=None,
                 ordered=False):
        self.name = name
        self.format = format
        self.length = length
        self.buffers = buffers
        self.nulls = nulls
        self.dictionary = dictionary
        self.ordered = ordered
        self.offset = 0
        self.children = ()


def map_column(name, offsets, keys, values):
    """A column of maps: row i has keys[offsets[i]:offsets[i + 1]] and their values."""
    kinds = {"int32": "i", "int64": "l", "float32": "f", "float64": "g"}
    pairs = Column(b"entries", "+s", len(keys), [None])
    pairs.children = (Column(b"key", kinds[keys.dtype.name], len(keys), [None, keys]),
                      Column(b"value", kinds[values.dtype.name], len(keys), [None, values]))
    out = Column(name, "+m", len(offsets) - 1, [None, offsets])
    out.children = (pairs,)
    return out


def address_of(buffer):
    """Where the memory of a buffer begins."""
    if buffer is None:
        return None
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value
    if isinstance(buffer, ctypes.Array):
        return ctypes.addressof(buffer)
    return buffer.__array_interface__["data"][0]


# ---- releases: what C calls when it lets go ----

def _release_schema(pointer, kept=_kept):
    s = pointer.contents
    for i in range(s.n_children):
        if s.children[i].contents.release:
            _release_schema(s.children[i])
    if s.dictionary and s.dictionary.contents.release:
        _release_schema(s.dictionary)
    kept.pop(s.private_data, None)
    s.release = None


def _release_array(pointer, kept=_kept):
    a = pointer.contents
    for i in range(a.n_children):
        if a.children[i].contents.release:
            _release_array(a.children[i])
    if a.dictionary and a.dictionary.contents.release:
        _release_array(a.dictionary)
    kept.pop(a.private_data, None)
    a.release = None


def _release_stream(pointer, kept=_kept):
    kept.pop(pointer.contents.private_data, None)
    pointer.contents.release = None


def _get_schema(stream, out, kept=_kept):
    try:
        _fill_schema(out.contents, kept[stream.contents.private_data])
        return 0
    except Exception:
        return 12


def _get_next(stream, out, kept=_kept):
    try:
        columns = kept[stream.contents.private_data]
        if columns.given:
            ctypes.memset(out, 0, ctypes.sizeof(_Array))
        else:
            columns.given = True
            _fill_array(out.contents, columns)
        return 0
    except Exception:
        return 12


def _get_error(stream):
    return b"out of memory in Python"


_callbacks = {"schema": _SCHEMA_RELEASE(_release_schema),
              "array": _ARRAY_RELEASE(_release_array),
              "stream": _STREAM_RELEASE(_release_stream),
              "get_schema": _GET_SCHEMA(_get_schema), "get_next": _GET_NEXT(_get_next),
              "get_error": _GET_ERROR(_get_error)}
for _c in _callbacks.values():  # tables may be freed while the interpreter ends
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_c))
_address = {name: ctypes.cast(c, ctypes.c_void_p).value for name, c in _callbacks.items()}


# ---- filling structs ----

class _Columns:
    """What a stream gives out."""

    def __init__(self, columns, rows):
        self.columns = columns
        self.rows = rows
        self.given = False


def _keep(value):
    token = next(_tokens)
    _kept[token] = value
    return token


def _schema_of(column, s):
    """Fills a schema; returns what must live as long."""
    text = [column.format.encode(), column.name]
    s.format, s.name = text
    s.flags = NULLABLE | (1 if column.ordered else 0)
    keeper = [text, s]
    if column.dictionary is not None:
        inner = _Schema()
        _schema_of(column.dictionary, inner)
        s.dictionary = ctypes.pointer(inner)
        keeper.append(inner)
    if column.children:
        inside = [_Schema() for _ in column.children]
        for child, to in zip(column.children, inside):
            _schema_of(child, to)
        pointers = (ctypes.POINTER(_Schema) * len(inside))(*map(ctypes.pointer, inside))
        s.n_children = len(inside)
        s.children = ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(_Schema)))
        keeper += [inside, pointers]
    s.release = _address["schema"]
    s.private_data = _keep(keeper)


def _fill_schema(out, columns):
    children = [_Schema() for _ in columns.columns]
    for column, child in zip(columns.columns, children):
        _schema_of(column, child)
    pointers = (ctypes.POINTER(_Schema) * len(children))(*map(ctypes.pointer, children))
    ctypes.memset(byref(out), 0, ctypes.sizeof(_Schema))
    text = (b"+s", b"")
    out.format, out.name = text
    out.n_children = len(children)
    out.children = ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(_Schema)))
    out.private_data = _keep((children, pointers, text))
    out.release = _address["schema"]


def _array_of(column, a):
    n = len(column.buffers)
    buffers = (ctypes.c_void_p * max(n, 1))(*map(address_of, column.buffers))
    a.length = column.length
    a.null_count = column.nulls
    a.offset = column.offset
    a.n_buffers = n
    a.buffers = ctypes.cast(buffers, ctypes.POINTER(ctypes.c_void_p))
    keeper = [buffers, column, a]
    if column.dictionary is not None:
        inner = _Array()
        _array_of(column.dictionary, inner)
        a.dictionary = ctypes.pointer(inner)
        keeper.append(inner)
    if column.children:
        inside = [_Array() for _ in column.children]
        for child, to in zip(column.children, inside):
            _array_of(child, to)
        pointers = (ctypes.POINTER(_Array) * len(inside))(*map(ctypes.pointer, inside))
        a.n_children = len(inside)
        a.children = ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(_Array)))
        keeper += [inside, pointers]
    a.private_data = _keep(keeper)
    a.release = _address["array"]


def _fill_array(out, columns):
    children = [_Array() for _ in columns.columns]
    for column, child in zip(columns.columns, children):
        _array_of(column, child)
    pointers = (ctypes.POINTER(_Array) * len(children))(*map(ctypes.pointer, children))
    buffers = (ctypes.c_void_p * 1)()
    ctypes.memset(byref(out), 0, ctypes.sizeof(_Array))
    out.length = columns.rows
    out.n_buffers = 1
    out.buffers = ctypes.cast(buffers, ctypes.POINTER(ctypes.c_void_p))
    out.n_children = len(children)
    out.children = ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(_Array)))
    out.private_data = _keep((children, pointers, buffers))
    out.release = _address["array"]


def stream_of(columns, rows):
    """An Arrow stream of one batch."""
    stream = _Stream()
    stream.get_schema = _address["get_schema"]
    stream.get_next = _address["get_next"]
    stream.get_last_error = _address["get_error"]
    stream.private_data = _keep(_Columns(columns, rows))
    stream.release = _address["stream"]
    return stream


def stream_of_array(array_capsule, schema_capsule):
    """A stream of the one struct array that __arrow_c_array__ gives."""
    schema = _capsule.open_arrow(schema_capsule, _capsule.SCHEMA, _Schema)
    array = _capsule.open_arrow(array_capsule, _capsule.ARRAY, _Array)
    if not (schema.format or b"").startswith(b"+s"):
        raise TypeError("the Arrow array is not a table (a struct of columns)")
    stream = stream_of([], 0)
    _kept[stream.private_data] = _Moved(schema, array)
    stream.get_schema = _moved_address[0]
    stream.get_next = _moved_address[1]
    return stream


class _Moved:
    """Structs moved out of capsules, to be given on."""

    def __init__(self, schema, array):
        self.schema, self.array = _Schema(), _Array()
        ctypes.memmove(byref(self.schema), byref(schema), ctypes.sizeof(_Schema))
        ctypes.memmove(byref(self.array), byref(array), ctypes.sizeof(_Array))
        schema.release = array.release = None

    def __del__(self):
        if self.schema.release:
            _SCHEMA_RELEASE(self.schema.release)(ctypes.pointer(self.schema))
        if self.array.release:
            _ARRAY_RELEASE(self.array.release)(ctypes.pointer(self.array))


def _give(value, out, size):
    ctypes.memmove(out, byref(value), size)
    value.release = None


def _moved_schema(stream, out, kept=_kept):
    moved = kept[stream.contents.private_data]
    _give(moved.schema, out, ctypes.sizeof(_Schema))
    return 0


def _moved_next(stream, out, kept=_kept):
    moved = kept[stream.contents.private_data]
    if moved.array.release:
        _give(moved.array, out, ctypes.sizeof(_Array))
    else:
        ctypes.memset(out, 0, ctypes.sizeof(_Array))
    return 0


_moved = (_GET_SCHEMA(_moved_schema), _GET_NEXT(_moved_next))
for _c in _moved:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_c))
_moved_address = [ctypes.cast(c, ctypes.c_void_p).value for c in _moved]


# ---- reading what a table gives ----

class Batch:
    """The one batch of a table, read in place. Released with this object."""

    def __init__(self, table_pointer):
        self._schema, self._array = _Schema(), _Array()
        stream = _Stream()
        call(lib.ml_table_write_arrow, table_pointer, byref(stream))
        try:
            for getter, kind, out in ((stream.get_schema, _GET_SCHEMA, self._schema),
                                      (stream.get_next, _GET_NEXT, self._array)):
                if kind(getter)(ctypes.pointer(stream), ctypes.pointer(out)):
                    raise MemoryError("out of memory")
        finally:
            _STREAM_RELEASE(stream.release)(ctypes.pointer(stream))
        self.rows = self._array.length

    def __del__(self):
        for value, kind in ((self._schema, _SCHEMA_RELEASE), (self._array, _ARRAY_RELEASE)):
            if value.release:
                kind(value.release)(ctypes.pointer(value))

    def column(self, i):
        """(format, array, dictionary array or None) of a column."""
        schema = self._schema.children[i].contents
        array = self._array.children[i].contents
        inner = array.dictionary.contents if array.dictionary else None
        return schema.format.decode(), array, inner, bool(schema.flags & 1)


_ITEMS = {"c": "b", "s": "h", "i": "i", "l": "q", "C": "B", "S": "H", "I": "I", "L": "Q",
          "f": "f", "g": "d", "tdD": "i", "tsu:UTC": "q"}


def _view(address, code, count, owner):
    """A memoryview of numbers that keeps its owner alive."""
    import struct
    size = struct.calcsize(code)
    memory = (ctypes.c_char * (max(count, 0) * size)).from_address(address or 0)
    memory._owner = owner
    return memoryview(memory).cast("B").cast(code)


def values_view(batch, format, array):
    """The numbers of a column as a memoryview; None for bits and text."""
    code = _ITEMS.get(format)
    if code is None:
        return None
    view = _view(array.buffers[1], code, array.length + array.offset, batch)
    return view[array.offset:]


def bits_of(address, offset, length):
    """Bits as a list of booleans."""
    if length == 0:
        return []
    data = ctypes.string_at(address, (offset + length + 7) // 8)
    return [bool(data[(offset + i) >> 3] >> ((offset + i) & 7) & 1) for i in range(length)]


def valid_of(array):
    """Which values are there, as a list of booleans; None when all are."""
    if array.null_count == 0 or not array.buffers[0]:
        return None
    return bits_of(array.buffers[0], array.offset, array.length)


def texts_of(array, batch):
    """A column of large text as a list of str."""
    if array.length == 0:
        return []
    offsets = _view(array.buffers[1], "q", array.offset + array.length + 1, batch)
    offsets = offsets[array.offset:].tolist()
    data = ctypes.string_at(array.buffers[2], offsets[-1]) if offsets[-1] else b""
    if data.isascii():
        text = data.decode("ascii")
        return [text[a:b] for a, b in zip(offsets, offsets[1:])]
    return [data[a:b].decode("utf-8", "replace") for a, b in zip(offsets, offsets[1:])]


def numpy_valid(array):
    """As valid_of, a NumPy array of bool."""
    np = numpy()
    if array.null_count == 0 or not array.buffers[0]:
        return None
    size = (array.offset + array.length + 7) // 8
    data = np.frombuffer(ctypes.string_at(array.buffers[0], size), np.uint8)
    return np.unpackbits(data, bitorder="little")[array.offset:][:array.length].astype(bool)
