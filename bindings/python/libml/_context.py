# SPDX-License-Identifier: MIT
"""The context: threads, log, and the catalog of algorithms."""

import ctypes
import os
from _thread import allocate_lock

from libml import _native
from libml._core import OWNER, Handle, byref, call, decode, documented, error_object, lib, \
    make, raise_error

_LEVELS = {_native.ML_LOG_ERROR: 40, _native.ML_LOG_WARNING: 30, _native.ML_LOG_INFO: 20,
           _native.ML_LOG_DEBUG: 10}
_LOG_TYPE = dict(_native.ml_host._fields_)["log"]


def _log(level, module, message, user, levels=_LEVELS):
    """To Python's logging; called from any thread. Nothing may escape to C."""
    try:
        import logging
        logger = logging.getLogger("libml." + decode(module or b"core"))
        logger.log(levels.get(level, 10), "%s", decode(message))
    except Exception:  # an interpreter that is ending, a handler that fails
        pass


_log_callback = _LOG_TYPE(_log)
# The library may log until the process ends: the callback must outlive this module.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_log_callback))


def _c_level(level):
    if level is None:
        import logging
        level = logging.getLogger("libml").getEffectiveLevel()
    elif isinstance(level, str):
        import logging
        level = logging.getLevelName(level.upper())
        if not isinstance(level, int):
            raise ValueError("log_level must be a level of logging, such as \"INFO\"")
    for c_level in (_native.ML_LOG_ERROR, _native.ML_LOG_WARNING, _native.ML_LOG_INFO):
        if level >= _LEVELS[c_level]:
            return c_level
    return _native.ML_LOG_DEBUG


def all_schemas(pointer):
    """The names of all schemas that a context knows."""
    names = []
    while True:
        name = lib.ml_schema_name_at(pointer, len(names))
        if not name:
            return names
        names.append(decode(name))


class Context(Handle):
    """Threads, log, and the catalog of algorithms. Most programs use the default context.

    Parameters
    ----------
    threads : int, default -1
        The most threads: -1 as many as CPU affinity and cgroup quota allow, 1 serial.
        Results never depend on it. No thread starts before the first parallel call.
    log : bool, default True
        Whether records go to the loggers "libml.<module>" of Python's logging.
    log_level : int or str, optional
        The least important level to pass on; by default that of the logger "libml".
    cpu_level : int, default 0
        0 the best that the CPU has, 1 scalar, 2 up to AVX2, 3 up to AVX-512.

    >>> import libml
    >>> with libml.Context(threads=2) as context:
    ...     context.threads
    2
    """

    __slots__ = ()
    _kind = "ml_context"

    def __init__(self, threads=-1, *, log=True, log_level=None, cpu_level=0, blas_threads=0):
        host = _native.ml_host()
        host.struct_size = ctypes.sizeof(host)
        host.threads = threads
        host.cpu_level = cpu_level
        host.blas_threads = blas_threads
        if log:
            host.log = _log_callback
            host.log_level = _c_level(log_level)
        self._p = make("ml_context", lib.ml_context_new, byref(host))

    @property
    def threads(self):
        """The number of threads that parallel calls use."""
        return self.info["threads"]

    @threads.setter
    def threads(self, number):
        call(lib.ml_context_set_threads, self._p, number)

    @property
    def info(self):
        """What the context runs on: CPU features, BLAS, threads."""
        import json
        return json.loads(lib.ml_context_info(self._p))

    @property
    def schemas(self):
        """The names of everything that has a schema: algorithms, options, metrics."""
        return all_schemas(self._p)

    def __repr__(self):
        if self.closed:
            return "<libml.Context, closed>"
        return f"<libml.Context, {self.threads} threads>"


_default = None
_lock = allocate_lock()


def default_context():
    """The context of objects that are not given one: as many threads as allowed, records
    to logging. It is made at the first use and stays valid in forked children."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Context()
    return _default


if hasattr(os, "register_at_fork"):
    # A child must not inherit the lock held by another thread.
    def _fresh_lock():
        global _lock
        _lock = allocate_lock()

    os.register_at_fork(after_in_child=_fresh_lock)


def context_pointer(context):
    if context is None:
        return default_context()._p
    if not isinstance(context, Context):
        raise TypeError(f"context must be a libml.Context, not {type(context).__name__}")
    return context._p


def set_threads(number):
    """Changes the number of threads of the default context: -1 as many as allowed, 1
    serial."""
    default_context().threads = number


class CancelToken(Handle):
    """Stops calls from another thread, or after a time.

    >>> import libml
    >>> token = libml.CancelToken(deadline=3600)
    >>> token.state
    'continue'
    >>> token.cancel()
    >>> token.state
    'cancel'
    """

    __slots__ = ()
    _kind = "ml_cancel"
    _MODES = {"continue": _native.ML_CONTINUE, "stop": _native.ML_STOP_KEEP,
              "cancel": _native.ML_CANCEL}

    def __init__(self, deadline=None, mode="stop"):
        self._p = make("ml_cancel", lib.ml_cancel_new)
        if deadline is not None:
            self.set_deadline(deadline, mode)

    @documented("ml_cancel_request")
    def request(self, mode):
        """`mode` is "stop" (keep the best so far), "cancel", or "continue" to reset."""
        lib.ml_cancel_request(self._p, self._mode(mode))

    def stop(self):
        """Asks calls that watch the token to stop early and keep the best so far."""
        self.request("stop")

    def cancel(self):
        """Asks calls that watch the token to give up; they raise CancelledError."""
        self.request("cancel")

    def reset(self):
        """Makes the token usable again."""
        self.request("continue")

    @documented("ml_cancel_set_deadline")
    def set_deadline(self, seconds, mode="stop"):
        lib.ml_cancel_set_deadline(self._p, seconds, self._mode(mode))

    @property
    def state(self):
        """"continue", "stop" or "cancel"."""
        state = lib.ml_cancel_state(self._p)
        return next(name for name, value in self._MODES.items() if value == state)

    def _mode(self, mode):
        try:
            return self._MODES[mode]
        except (KeyError, TypeError):
            raise ValueError(f"mode must be one of {', '.join(self._MODES)}, not "
                             f"{mode!r}") from None


__all__ = ["CancelToken", "Context", "OWNER", "context_pointer", "default_context",
           "error_object", "raise_error", "set_threads"]
