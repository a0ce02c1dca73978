# SPDX-License-Identifier: MIT
"""Exceptions, one per status code. Each is also the built-in exception that it resembles, so
that `except ValueError` works."""

from libml import _native


class LibmlError(Exception):
    """A call failed.

    The text of the exception is meant for a person. Its parts:

    code: the negative status, such as libml.RangeError.code
    message: what went wrong
    location: where, such as params.max_depth or column "age", row 17; "" if unknown
    hint: what to do about it; "" if there is no advice
    """

    code = None
    location = ""
    hint = ""

    def __init__(self, message="", location="", hint="", code=None):
        super().__init__(message)
        self.message = message
        self.location = location
        self.hint = hint
        if code is not None:
            self.code = code

    __str__ = Exception.__str__  # that of KeyError puts it in quotes

    def __reduce__(self):
        return (type(self), (self.message, self.location, self.hint, self.code))


# Status: (class, resembles, what it means). A code that is not here gets a class by its name.
_KNOWN = {
    "ML_E_ARGUMENT": ("ArgumentError", ValueError),
    "ML_E_RANGE": ("RangeError", ValueError),
    "ML_E_NAME": ("UnknownNameError", KeyError, ValueError),
    "ML_E_TYPE": ("DataTypeError", TypeError),
    "ML_E_SHAPE": ("ShapeError", ValueError),
    "ML_E_DATA": ("DataError", ValueError),
    "ML_E_PARSE": ("ParseError", ValueError),
    "ML_E_FORMAT": ("FormatError", ValueError),
    "ML_E_IO": ("FileError", OSError),
    "ML_E_MEMORY": ("OutOfMemoryError", MemoryError),
    "ML_E_CANCELLED": ("CancelledError", RuntimeError),
    "ML_E_STATE": ("StateError", RuntimeError),
    "ML_E_UNSUPPORTED": ("UnsupportedError", NotImplementedError),
    "ML_E_NUMERIC": ("NumericError", ArithmeticError),
    "ML_E_CALLBACK": ("CallbackError", RuntimeError),
    "ML_E_INTERNAL": ("InternalError", RuntimeError),
}
_DOCS = {
    "ML_E_ARGUMENT": "An argument is of the wrong kind or malformed.",
    "ML_E_RANGE": "A value is outside its legal range.",
    "ML_E_NAME": "An unknown name: parameter, column, algorithm, metric.",
    "ML_E_TYPE": "A value or a column has the wrong type.",
    "ML_E_SHAPE": "Sizes do not fit together.",
    "ML_E_DATA": "The data cannot be used: empty, constant, all missing.",
    "ML_E_PARSE": "Malformed text: CSV, JSON, YAML.",
    "ML_E_FORMAT": "Not a model file, damaged, or of a newer format.",
    "ML_E_IO": "The operating system refused to read or write.",
    "ML_E_MEMORY": "Out of memory.",
    "ML_E_CANCELLED": "Cancelled by token, deadline or progress callback.",
    "ML_E_STATE": "Not possible in the object's present state.",
    "ML_E_UNSUPPORTED": "The algorithm or this build cannot do it.",
    "ML_E_NUMERIC": "No convergence, singular system, overflow.",
    "ML_E_CALLBACK": "A callback of the host failed.",
    "ML_E_INTERNAL": "A defect in libml: please report it.",
}


def _make(code, status):
    name, *bases = _KNOWN.get(status, (status[5:].capitalize() + "Error", RuntimeError))
    return type(name, (LibmlError, *bases),
                {"code": code, "__doc__": _DOCS.get(status, status), "__module__": "libml"})


BY_CODE = {code: _make(code, status) for code, status in _native.STATUS.items()}
CLASSES = {cls.__name__: cls for cls in BY_CODE.values()}
globals().update(CLASSES)
StateError = CLASSES["StateError"]
UnknownNameError = CLASSES["UnknownNameError"]


class ClosedError(StateError):
    """The object was closed, so its memory is gone."""


ClosedError.__module__ = "libml"
CLASSES["ClosedError"] = ClosedError
