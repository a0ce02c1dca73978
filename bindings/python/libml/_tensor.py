# SPDX-License-Identifier: MIT
"""Tensors: numbers shared with NumPy and others without copying."""

import ctypes
import itertools

from libml import _capsule, _native
from libml._context import context_pointer
from libml._core import Handle, byref, call, documented, lib, make, need_numpy, numpy

__all__ = ["Tensor"]

# dtype: name, code of struct, typestr of NumPy, bytes
DTYPES = {
    _native.ML_DTYPE_BOOL: ("bool", "?", "|b1", 1),
    _native.ML_DTYPE_I8: ("int8", "b", "|i1", 1),
    _native.ML_DTYPE_I16: ("int16", "h", "<i2", 2),
    _native.ML_DTYPE_I32: ("int32", "i", "<i4", 4),
    _native.ML_DTYPE_I64: ("int64", "q", "<i8", 8),
    _native.ML_DTYPE_U8: ("uint8", "B", "|u1", 1),
    _native.ML_DTYPE_U16: ("uint16", "H", "<u2", 2),
    _native.ML_DTYPE_U32: ("uint32", "I", "<u4", 4),
    _native.ML_DTYPE_U64: ("uint64", "Q", "<u8", 8),
    _native.ML_DTYPE_F32: ("float32", "f", "<f4", 4),
    _native.ML_DTYPE_F64: ("float64", "d", "<f8", 8),
}
BY_NAME = {entry[0]: dtype for dtype, entry in DTYPES.items()}
# Codes of buffers; "l" and "L" have the size of the platform.
BY_CODE = {entry[1]: dtype for dtype, entry in DTYPES.items()}
BY_CODE["l"] = BY_CODE["q" if ctypes.sizeof(ctypes.c_long) == 8 else "i"]
BY_CODE["L"] = BY_CODE["Q" if ctypes.sizeof(ctypes.c_ulong) == 8 else "I"]

# Formats of Arrow.
BY_FORMAT = {form: BY_NAME[name] for form, name in
             zip("csilCSILfg", ("int8", "int16", "int32", "int64", "uint8", "uint16",
                                "uint32", "uint64", "float32", "float64"))}

# What borrowed memory belongs to, by a number that C hands back.
_kept = {}
_tokens = itertools.count(1)


def _release(user, kept=_kept):
    kept.pop(user, None)


RELEASE = _native.ml_release_fn(_release)
# Objects may be freed while the interpreter ends: the callback must outlive this module.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(RELEASE))


def keep(owner):
    """A number under which `owner` lives until RELEASE is called with it."""
    token = next(_tokens)
    _kept[token] = owner
    return token


def wrap(context, dtype, shape, strides, address, owner):
    """A tensor over borrowed memory; strides in elements or None."""
    n = len(shape)
    sizes = (ctypes.c_int64 * n)(*shape)
    steps = None if strides is None else (ctypes.c_int64 * n)(*strides)
    token = keep(owner)
    try:
        return make("ml_tensor", lib.ml_tensor_wrap, context, dtype, n, sizes, steps,
                    address, RELEASE, token)
    except BaseException:
        _kept.pop(token, None)
        raise


def plain_array(array, what):
    """A NumPy array whose memory can be shared: a dtype that tensors have, aligned, in the
    machine's byte order, strides whole elements. Copies only when it must."""
    np = need_numpy("an array")
    if array.dtype.kind == "c":
        raise ValueError(f"{what}: Complex data not supported; use its real and imaginary "
                         "parts as columns")
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    if array.dtype.name not in BY_NAME:
        raise TypeError(f"{what} has dtype {array.dtype}; tensors hold numbers: convert it "
                        "with astype(float)")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    item = array.dtype.itemsize
    if not array.flags.aligned or any(s % item for s in array.strides):
        array = np.ascontiguousarray(array) if array.flags.aligned else array.copy()
    return array


def wrap_array(context, array, what="array"):
    """The owned pointer of a tensor that shares the memory of a NumPy array."""
    array = plain_array(array, what)
    item = array.dtype.itemsize
    if not array.size:
        address = ctypes.cast(ctypes.c_char_p(b"\0" * 8), ctypes.c_void_p).value
    else:
        address = array.__array_interface__["data"][0]
    return wrap(context, BY_NAME[array.dtype.name], array.shape,
                [s // item for s in array.strides], address, array)


class _Memory:
    """What NumPy sees of a tensor; keeps it alive."""

    def __init__(self, owner, interface):
        self.owner = owner
        self.__array_interface__ = interface


class Tensor(Handle):
    """An immutable array of numbers, up to 8 dimensions.

    From NumPy arrays, buffers and anything with `__dlpack__` without copying (then the
    memory must not change while the tensor lives), or from nested lists. NumPy, and all
    that speaks DLPack, reads it without copying.

    >>> import libml
    >>> t = libml.Tensor([[1, 2], [3, 4]])
    >>> t.shape, t.dtype
    ((2, 2), 'int64')
    >>> t[1, 0]
    3.0
    """

    __slots__ = ()
    _kind = "ml_tensor"

    def __init__(self, data, *, copy=False, context=None):
        pointer = context_pointer(context)
        np = numpy()
        if isinstance(data, Tensor):
            self._p = make("ml_tensor", lib.ml_tensor_new, pointer, data._dtype, data.ndim,
                           lib.ml_tensor_shape(data._p), lib.ml_tensor_strides(data._p),
                           lib.ml_tensor_data(data._p))
        elif np is not None and isinstance(data, np.ndarray):
            self._p = wrap_array(pointer, data.copy() if copy else data)
        elif hasattr(data, "__dlpack__"):
            self._p = _from_dlpack(pointer, data)
        elif hasattr(data, "__array_interface__") and np is not None:
            self._p = wrap_array(pointer, np.array(data, copy=True) if copy
                                 else np.asarray(data))
        else:
            self._p = _from_buffer(pointer, data)

    @property
    def _dtype(self):
        return lib.ml_tensor_dtype(self._p)

    @property
    def dtype(self):
        """The name of the element type, such as "float64"."""
        return DTYPES[self._dtype][0]

    @property
    def ndim(self):
        """The number of dimensions."""
        return lib.ml_tensor_ndim(self._p)

    @property
    def shape(self):
        """The sizes of the dimensions."""
        return tuple(lib.ml_tensor_shape(self._p)[:self.ndim])

    @property
    def strides(self):
        """The distances between neighbours in each dimension, in elements."""
        return tuple(lib.ml_tensor_strides(self._p)[:self.ndim])

    @property
    def __array_interface__(self):
        item = DTYPES[self._dtype][3]
        return {"version": 3, "shape": self.shape, "typestr": DTYPES[self._dtype][2],
                "data": (lib.ml_tensor_data(self._p) or 0, True),
                "strides": tuple(s * item for s in self.strides)}

    def to_numpy(self, copy=False):
        """The numbers as a NumPy array; without `copy` it is read-only and shares them."""
        np = need_numpy("to_numpy")
        return np.array(self, copy=True) if copy else np.asarray(
            _Memory(self._p, self.__array_interface__))

    def _to_writable(self):
        """For a tensor that nobody else has."""
        np = need_numpy("to_numpy")
        interface = self.__array_interface__
        interface["data"] = (interface["data"][0], False)
        return np.asarray(_Memory(self._p, interface))

    @documented("ml_tensor_write_dlpack")
    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if stream is not None:
            raise ValueError("a tensor in host memory has no stream")
        if dl_device is not None and tuple(dl_device) != (1, 0):
            raise BufferError("a tensor is in host memory only")
        source = Tensor(self) if copy else self
        versioned = int(max_version is not None and max_version[0] >= 1)
        out = ctypes.c_void_p()
        call(lib.ml_tensor_write_dlpack, source._p, versioned, byref(out))
        return _capsule.new_dlpack(out.value, versioned)

    def __dlpack_device__(self):
        return (1, 0)

    def __buffer__(self, flags):
        return self.memoryview()

    def memoryview(self):
        """The elements as a read-only memoryview; only of tensors in row-major order."""
        shape = self.shape
        step, wanted = 1, []
        for size in reversed(shape):
            wanted.insert(0, step)
            step *= size
        if step and any(s != w and n > 1 for s, w, n in zip(self.strides, wanted, shape)):
            raise BufferError("the tensor is not in row-major order; use to_numpy()")
        name, code, _, item = DTYPES[self._dtype]
        if not step:
            return memoryview(b"").cast(code)
        memory = (ctypes.c_char * (step * item)).from_address(lib.ml_tensor_data(self._p) or 0)
        memory._owner = self._p
        return memoryview(memory).cast("B").cast(code, shape if shape else ()).toreadonly()

    def tolist(self):
        """The numbers as nested lists."""
        if 0 in self.shape:
            return _nothing(self.shape)
        try:
            return self.memoryview().tolist()
        except BufferError:
            return self.to_numpy().tolist()

    def item(self):
        """The only element as a float."""
        if any(size != 1 for size in self.shape):
            raise TypeError(f"a tensor of shape {self.shape} is not one number")
        return lib.ml_tensor_get_f64(self._p, 0, 0)

    def __float__(self):
        return self.item()

    def __int__(self):
        return int(self.item())

    def __len__(self):
        if not self.ndim:
            raise TypeError("a tensor without dimensions has no length")
        return self.shape[0]

    def __getitem__(self, index):
        at = index if isinstance(index, tuple) else (index,)
        if len(at) != self.ndim or not all(isinstance(i, int) for i in at) or len(at) > 2:
            return self.to_numpy()[index]
        at = [i + n if i < 0 else i for i, n in zip(at, self.shape)]
        if not all(0 <= i < n for i, n in zip(at, self.shape)):
            raise IndexError(f"index {index} is outside the shape {self.shape}")
        i, j = (*at, 0, 0)[:2]
        return lib.ml_tensor_get_f64(self._p, i, j)

    def __iter__(self):
        return iter(self.tolist())

    def __repr__(self):
        if self.closed:
            return "<libml.Tensor, closed>"
        return f"<libml.Tensor {' x '.join(map(str, self.shape)) or 'scalar'} {self.dtype}>"


def _nothing(shape):
    """Nested lists without a number."""
    return [_nothing(shape[1:]) for _ in range(shape[0])] if shape else []


def _from_dlpack(context, data):
    device = data.__dlpack_device__()
    if int(device[0]) not in (1, 3, 11, 13):
        raise BufferError(f"the array is on device type {int(device[0])}; move it to host "
                          "memory first")
    try:
        capsule = data.__dlpack__(max_version=(1, 0))
    except TypeError:
        capsule = data.__dlpack__()
    managed, versioned = _capsule.open_dlpack(capsule)
    pointer = make("ml_tensor", lib.ml_tensor_read_dlpack, context, managed, versioned)
    _capsule.used_dlpack(capsule, versioned)
    return pointer


def _nested(data):
    """Shape and flat values of nested lists of numbers."""
    if not isinstance(data, (list, tuple)):
        return (), [data]
    parts = [_nested(item) for item in data]
    shapes = {shape for shape, _ in parts}
    if len(shapes) > 1:
        raise ValueError("nested lists of different lengths")
    inner = shapes.pop() if shapes else ()
    return (len(parts), *inner), [x for _, values in parts for x in values]


def _from_buffer(context, data):
    try:
        view = memoryview(data)
    except TypeError:
        view = None
    if view is not None:
        code = view.format.lstrip("@=<|")
        if code not in BY_CODE:
            raise TypeError(f"a buffer of format {view.format!r} holds no numbers that "
                            "tensors have")
        whole = view if view.c_contiguous else memoryview(view.tobytes()).cast("B").cast(
            code, view.shape)
        holder = (ctypes.c_char * max(whole.nbytes, 1))
        keep_alive = whole
        if whole.readonly or not whole.nbytes:
            keep_alive = holder.from_buffer_copy(whole.tobytes() or b"\0")
            address = ctypes.addressof(keep_alive)
        else:
            keep_alive = holder.from_buffer(whole)
            address = ctypes.addressof(keep_alive)
        return wrap(context, BY_CODE[code], view.shape, None, address, keep_alive)
    shape, values = _nested(data)
    for v in values:
        if not hasattr(v, "__float__") and not hasattr(v, "__index__"):
            raise TypeError(f"a tensor holds numbers, not {type(v).__name__}")
    if values and all(isinstance(v, bool) for v in values):
        kind, dtype = ctypes.c_uint8, _native.ML_DTYPE_BOOL
    elif values and all(hasattr(v, "__index__") for v in values):
        kind, dtype = ctypes.c_int64, _native.ML_DTYPE_I64
        if not all(-2 ** 63 <= int(v) < 2 ** 63 for v in values):
            raise OverflowError("an integer beyond 64 bits")
    else:
        kind, dtype = ctypes.c_double, _native.ML_DTYPE_F64
        values = [float(v) for v in values]
    array = (kind * max(len(values), 1))(*values)
    sizes = (ctypes.c_int64 * len(shape))(*shape)
    return make("ml_tensor", lib.ml_tensor_new, context, dtype, len(shape), sizes, None,
                array if values else None)
