# SPDX-License-Identifier: MIT
"""What every class stands on: owned pointers, calls that raise, and handles."""

import ctypes
from _thread import _local as thread_local

from libml import _docs, _native
from libml._errors import BY_CODE, ClosedError, LibmlError
from libml._load import load

lib, LIBRARY_PATH = load()
byref = ctypes.byref


def _owner(name, struct):
    """A pointer type whose instances free what they point to. While a call runs, its
    arguments hold their pointers, so closing an object in another thread is safe."""
    base = ctypes.POINTER(struct)
    free = getattr(lib, name + "_free")

    def __del__(self, free=free):
        if self:
            free(self)

    return type(name + "_owner", (base,), {"__del__": __del__, "_type_": struct})


OWNER = {name: _owner(name, struct) for name, struct in _native.FREED.items()}


# ---- errors ----

_local = thread_local()


def error_object():
    """This thread's error object."""
    try:
        return _local.error
    except AttributeError:
        _local.error = new_error()
        return _local.error


def new_error():
    pointer = lib.ml_error_new()
    if not pointer:
        raise MemoryError("out of memory") from None
    return ctypes.cast(pointer, OWNER["ml_error"])


def _text(data):
    return data.decode("utf-8", "replace") if data else ""


def _exception(pointer):
    code = lib.ml_error_code(pointer)
    cls = BY_CODE.get(code, LibmlError)
    problem = cls(_text(lib.ml_error_message(pointer)), _text(lib.ml_error_location(pointer)),
                  _text(lib.ml_error_hint(pointer)), code)
    cause = lib.ml_error_cause(pointer)
    if cause:
        problem.__cause__ = _exception(cause)
    return problem


def raise_error(error):
    raise _exception(error)


def call(function, *args):
    """Calls a function that ends with an error object; raises when it fails."""
    error = error_object()
    status = function(*args, error)
    if status < 0:
        raise _exception(error)


def make(kind, function, *args):
    """As `call`, for a function whose only output, before the error, is an owned object."""
    out = OWNER[kind]()
    error = error_object()
    status = function(*args, byref(out), error)
    if status < 0:
        raise _exception(error)
    return out


# ---- text ----

def encode(text, what="text"):
    """UTF-8 without NUL bytes."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} {text!r} holds a NUL character")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} {text!r} is not valid Unicode") from None


def decode(data):
    return None if data is None else data.decode("utf-8", "replace")


def path_bytes(path):
    import os
    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError("the path holds a NUL byte")
    return data


def str_array(texts, what):
    """A C array of texts, and what keeps it alive."""
    data = [None if t is None else encode(t, what) for t in texts]
    return (ctypes.c_char_p * len(data))(*data)


def checked_i64(value, what):
    import operator
    number = operator.index(value)
    if not -2 ** 63 <= number < 2 ** 63:
        raise OverflowError(f"{what} is {number}, beyond 64 bits")
    return number


# ---- handles ----

class Handle:
    """An object of the library. It frees its memory when it is garbage, or at once with
    `close()` or at the end of a `with` block; after that it raises ClosedError."""

    __slots__ = ("_p", "__weakref__")
    _kind = ""

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} objects are made by other objects")

    @classmethod
    def _from(cls, pointer):
        self = cls.__new__(cls)
        self._p = pointer
        return self

    def __getattr__(self, name):
        if name == "_p":
            raise ClosedError(f"this {type(self).__name__} is closed")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    def closed(self):
        """Whether close() was called."""
        try:
            object.__getattribute__(self, "_p")
        except AttributeError:
            return True
        return False

    def close(self):
        """Lets go of the memory. Objects made from this one stay valid."""
        if not self.closed:
            del self._p

    def __enter__(self):
        self._p  # noqa: B018: raises when closed
        return self

    def __exit__(self, *exc):
        self.close()

    def __repr__(self):
        return f"<libml.{type(self).__name__}{', closed' if self.closed else ''}>"

    def __reduce__(self):
        raise TypeError(f"a {type(self).__name__} cannot be pickled")


def expect(value, cls, what):
    """The pointer of a handle that must be of a class."""
    if not isinstance(value, cls):
        raise TypeError(f"{what} must be a libml.{cls.__name__}, not "
                        f"{type(value).__module__}.{type(value).__name__}")
    return value._p


def documented(name):
    """Gives a method what the header says about the function it calls, before its own text."""
    def decorate(method):
        own = method.__doc__
        text = _docs.FUNCTIONS[name]
        method.__doc__ = text if not own else f"{text}\n\n{own.strip()}"
        return method
    return decorate


def numpy():
    """NumPy, or None. It is never imported before it is needed."""
    try:
        import numpy as module
    except ImportError:
        return None
    return module


def need_numpy(what):
    module = numpy()
    if module is None:
        raise ImportError(f"{what} needs NumPy, which is not installed")
    return module
