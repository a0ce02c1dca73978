# SPDX-License-Identifier: MIT
"""PyCapsules, the carriers of Arrow and DLPack structs between packages, by ctypes."""

import ctypes

from libml import _native

_api = ctypes.pythonapi
_DESTRUCTOR = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


def _function(name, returns, *types):
    function = ctypes.PYFUNCTYPE(returns, *types)((name, _api))
    return function


_new = _function("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p,
                 ctypes.c_void_p)
_pointer = _function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object,
                     ctypes.c_char_p)
_valid = _function("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
_set_name = _function("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
# In a destructor the capsule has no references left, so it is passed as an address.
_raw_pointer = _function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p,
                         ctypes.c_char_p)
_raw_valid = _function("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)

# Names must outlive the capsules that carry them.
STREAM, SCHEMA, ARRAY = b"arrow_array_stream", b"arrow_schema", b"arrow_array"
DLPACK = (b"dltensor", b"dltensor_versioned")
USED = (b"used_dltensor", b"used_dltensor_versioned")
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_structs = {}  # address: the struct, whose memory belongs to the capsule


class _ManagedTensor(ctypes.Structure):
    """DLManagedTensor: all that matters here is where the deleter stands."""

    _fields_ = [("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2),
                ("ndim", ctypes.c_int32), ("dtype", ctypes.c_uint8 * 4),
                ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
                ("byte_offset", ctypes.c_uint64), ("manager", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p)]


class _ManagedTensorVersioned(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32 * 2), ("manager", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p)]


def _destroy_arrow(capsule):
    try:
        for name, struct in ((STREAM, _native.ArrowArrayStream),
                             (SCHEMA, _native.ArrowSchema), (ARRAY, _native.ArrowArray)):
            if _raw_valid(capsule, name):
                address = _raw_pointer(capsule, name)
                value = struct.from_address(address)
                if value.release:
                    _RELEASE(value.release)(address)
                _structs.pop(address, None)
                return
    except Exception:  # the interpreter ends: the system frees the memory
        pass


def _destroy_dlpack(capsule):
    try:
        for name, struct in zip(DLPACK, (_ManagedTensor, _ManagedTensorVersioned)):
            if _raw_valid(capsule, name):
                address = _raw_pointer(capsule, name)
                deleter = struct.from_address(address).deleter
                if deleter:
                    _RELEASE(deleter)(address)
                return
    except Exception:
        pass


_destructors = (_DESTRUCTOR(_destroy_arrow), _DESTRUCTOR(_destroy_dlpack))
for _d in _destructors:  # capsules may die after this module
    _api.Py_IncRef(ctypes.py_object(_d))
_arrow_destructor, _dlpack_destructor = (ctypes.cast(d, ctypes.c_void_p).value
                                         for d in _destructors)


def new_arrow(struct, name):
    """A capsule that owns an Arrow struct of ctypes."""
    address = ctypes.addressof(struct)
    _structs[address] = struct
    return _new(address, name, _arrow_destructor)


def open_arrow(capsule, name, struct):
    """The struct inside a capsule, or an exception."""
    if not _is_capsule(capsule) or not _valid(capsule, name):
        raise TypeError(f"not a capsule named {name.decode()!r}")
    value = struct.from_address(_pointer(capsule, name))
    value._capsule = capsule  # it owns the struct, and releases it when it dies
    if not value.release:
        raise ValueError(f"the {name.decode()} was already consumed")
    return value


def new_dlpack(address, versioned):
    return _new(address, DLPACK[versioned], _dlpack_destructor)


def open_dlpack(capsule):
    """The address inside a capsule, and whether it is of the versioned kind."""
    if _is_capsule(capsule):
        for versioned in (1, 0):
            if _valid(capsule, DLPACK[versioned]):
                return _pointer(capsule, DLPACK[versioned]), versioned
    raise TypeError("not a DLPack capsule, or one that was already consumed")


def used_dlpack(capsule, versioned):
    _set_name(capsule, USED[versioned])


def _is_capsule(value):
    return type(value).__name__ == "PyCapsule"
