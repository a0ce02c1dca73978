# SPDX-License-Identifier: MIT
"""File objects of Python as streams of the library."""

import ctypes

from libml import _native
from libml._core import OWNER, LibmlError, byref, call

_READ = dict(_native.ml_io._fields_)["read"]
_WRITE = dict(_native.ml_io._fields_)["write"]


class _Stream:
    """A stream for one call. What the file raises is raised again after the call."""

    def __init__(self, file):
        self.file = file
        self.problem = None
        self.io = _native.ml_io()
        self.io.struct_size = ctypes.sizeof(self.io)
        self.pointer = byref(self.io)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.io = self.file = None

    def call(self, function, *args):
        try:
            call(function, *args)
        except LibmlError:
            if self.problem is not None:
                raise self.problem from None
            raise

    def make(self, kind, function, *args):
        out = OWNER[kind]()
        self.call(function, *args, byref(out))
        return out


class Reader(_Stream):
    def __init__(self, file):
        super().__init__(file)
        self.io.read = _READ(self._read)

    def _read(self, buffer, size, user):
        try:
            data = self.file.read(size)
            if isinstance(data, str):
                raise TypeError("the file is opened for text; open it with mode \"rb\"")
            data = data or b""
            if len(data) > size:
                raise ValueError("the file's read() gave more than it was asked for")
            ctypes.memmove(buffer, bytes(data), len(data))
            return len(data)
        except BaseException as problem:
            self.problem = problem
            return -1


class Writer(_Stream):
    def __init__(self, file):
        super().__init__(file)
        self.io.write = _WRITE(self._write)

    def _write(self, buffer, size, user):
        try:
            written = self.file.write(ctypes.string_at(buffer, size))
            return size if written is None else written
        except BaseException as problem:
            self.problem = problem
            return -1
