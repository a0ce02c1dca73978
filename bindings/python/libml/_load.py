# SPDX-License-Identifier: MIT
"""Finds and loads the shared library: what LIBML_LIBRARY names, else the one beside this
file (in a wheel), else the one that the system's loader finds."""

import ctypes
import os
import sys

from libml import _native

ABI = "0"


def file_names():
    if sys.platform == "darwin":
        return [f"libml.{ABI}.dylib", "libml.dylib"]
    if sys.platform == "win32":
        return [f"ml-{ABI}.dll", "ml.dll"]
    return [f"libml.so.{ABI}", "libml.so"]


def find():
    """The path to load, or the bare name when the system's loader has to search."""
    given = os.environ.get("LIBML_LIBRARY")
    if given:
        return given
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in file_names():
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return file_names()[0]


def load():
    path = find()
    try:
        library = ctypes.CDLL(path)
    except OSError as problem:
        raise ImportError(
            f"cannot load the shared library {path} ({problem}); set LIBML_LIBRARY to its "
            "path") from None
    missing = _native.bind(library)
    if missing:
        version = "unknown"
        if "ml_version" not in missing:
            version = library.ml_version().decode()
        raise ImportError(
            f"{path} is libml {version} and lacks {missing[0]}; this package needs "
            f"{_native.VERSION} or newer") from None
    return library, path
