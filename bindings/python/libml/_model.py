# SPDX-License-Identifier: MIT
"""Fitted models and predictors."""

import ctypes
from _collections_abc import Sequence
from _thread import _local as thread_local, allocate_lock

from libml import _arrow, _native, _params, _tensor
from libml._context import context_pointer
from libml._core import Handle, byref, call, checked_i64, decode, documented, encode, expect, lib, make, \
    new_error, numpy, path_bytes, raise_error
from libml._errors import ClosedError, UnknownNameError
from libml._io import Writer
from libml._table import Table, as_table

__all__ = ["Model", "Predictor", "load", "loads"]


class Model(Handle):
    """A fitted model: parameters, an input schema and named tensors. Immutable, safe to use
    from many threads; saved as a safetensors file, and pickled through it.

    >>> import libml
    >>> model = libml.Baseline(target="y").fit({"x": [1, 2], "y": ["no", "yes"]})
    >>> model.classes
    ['no', 'yes']
    >>> model.predict({"x": [3]}, "proba")
    array([[0.5, 0.5]])
    >>> model.constant
    array([0.5, 0.5])
    """

    __slots__ = ("_local", "_about")
    _kind = "ml_model"

    def __getattr__(self, name):
        if name == "_local":
            self._local = thread_local()
            return self._local
        if name == "_about":
            import json
            self._about = json.loads(lib.ml_model_json(self._p))
            return self._about
        if not name.startswith("_") and name in self.attributes:
            return self[name]
        return Handle.__getattr__(self, name)

    def __dir__(self):
        return [*super().__dir__(), *(() if self.closed else self.attributes)]

    # ---- what it is ----

    @property
    def algorithm(self):
        """The name of the algorithm that made it."""
        return decode(lib.ml_model_algorithm(self._p))

    @property
    def info(self):
        """The model described: algorithm, task, parameters, inputs, classes, tensors,
        prediction kinds, training summary, writer."""
        return dict(self._about)

    @property
    def params(self):
        """The parameters it was fitted with, all resolved."""
        values = _params.to_dict(lib.ml_model_params(self._p))
        return {name: None if value == "" else value for name, value in values.items()}

    @property
    def inputs(self):
        """The names of the input columns, in the order of plain rows."""
        return [decode(lib.ml_model_input_name(self._p, i))
                for i in range(lib.ml_model_inputs(self._p))]

    @property
    def classes(self):
        """The labels of the classes; empty if the model is no classifier. They are text,
        or integers or booleans if the target was."""
        convert = _LABELS.get(self._about.get("target_type"), str)
        return [convert(decode(lib.ml_model_class_label(self._p, i)))
                for i in range(lib.ml_model_classes(self._p))]

    @property
    def kinds(self):
        """The prediction kinds, the first is the default."""
        return [k["name"] if isinstance(k, dict) else k for k in self._about["kinds"]]

    @property
    def attributes(self):
        """The names of the attributes, each a tensor: `model.coef` or `model["coef"]`."""
        return [decode(lib.ml_model_attribute_name(self._p, i))
                for i in range(lib.ml_model_attributes(self._p))]

    def tensor(self, name):
        """An attribute as a tensor, sharing the model's memory."""
        return _tensor.Tensor._from(make("ml_tensor", lib.ml_model_get_tensor, self._p,
                                         encode(name, "an attribute")))

    def __getitem__(self, name):
        found = self.tensor(name)
        return found.to_numpy() if numpy() is not None else found

    # ---- use ----

    def predictor(self, kind=None, **options):
        """A predictor of a kind. Options: libml.describe("options.predict")."""
        return Predictor(self, kind, **options)

    def predict(self, data, kind=None, **options):
        """Predicts the rows of a table, or of whatever a table can be made of.

        Without `kind`: labels of classes from a classifier, values otherwise; one value per
        row. Kind "class" gives class indices, "proba" an array of rows by classes. Options are
        those of libml.describe("options.predict"): `missing_columns="missing"` does without
        columns that the data lack.
        """
        labels = kind is None and bool(lib.ml_model_classes(self._p))
        if labels:
            kind = "class"
        predictor = Predictor(self, kind, **options) if options else self._cached(kind)
        predicted = predictor.run(data)
        return _labels(self, predicted) if labels else predicted

    def transform(self, data, training=False):
        """The columns that a transformer, or a pipeline of them, makes: a Table.

        `training`: the rows are those that it was fitted to, target included, and become
        what the next step of a pipeline is fitted to: TargetEncoder cross-fits them.
        """
        if training:
            return Predictor(self, "transform", training=True).run_table(data)
        return self._cached("transform").run_table(data)

    def _cached(self, kind):
        """This thread's predictor of a kind."""
        cache = self._local.__dict__
        if kind not in cache:
            cache[kind] = Predictor(self, kind)
        return cache[kind]

    @documented("ml_model_evaluate")
    def evaluate(self, data, metrics=None):
        """`metrics` may also be a list of names."""
        if metrics is not None and not isinstance(metrics, str):
            metrics = ",".join(metrics)
        return Table._from(make("ml_table", lib.ml_model_evaluate, self._p, as_table(data)._p,
                                None if metrics is None else encode(metrics, "metrics")))

    def score(self, data, metric):
        """One metric as a number."""
        return float(self.evaluate(data, metric).to_dict()["value"][0])

    @documented("ml_model_check")
    def check(self, data, other=None, **options):
        """Options: libml.describe("options.check")."""
        chosen = _params.options(options, None)
        second = None if other is None else expect(other, Model, "other")
        return Table._from(make("ml_table", lib.ml_model_check, self._p, second,
                                as_table(data)._p, chosen))

    @documented("ml_model_explain")
    def explain(self, data=None, **options):
        """Options: libml.describe("options.explain")."""
        chosen = _params.options(options, None)
        rows = None if data is None else as_table(data)._p
        return Table._from(make("ml_table", lib.ml_model_explain, self._p, rows, chosen))

    # ---- saving ----

    @documented("ml_model_save_file")
    def save(self, path, **options):
        """`path` may be a file opened for writing bytes."""
        chosen = _params.options(options, None)
        if hasattr(path, "write"):
            with Writer(path) as stream:
                stream.call(lib.ml_model_save_io, self._p, stream.pointer, chosen)
        else:
            call(lib.ml_model_save_file, self._p, path_bytes(path), chosen)

    def to_bytes(self):
        """The bytes of the model file."""
        from io import BytesIO
        buffer = BytesIO()
        self.save(buffer)
        return buffer.getvalue()

    def __reduce__(self):
        return (loads, (self.to_bytes(),))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    # ---- looks ----

    def __repr__(self):
        if self.closed:
            return "<libml.Model, closed>"
        about = self._about
        text = f"<libml.Model {self.algorithm}, {about.get('task', '')}, " \
               f"{len(self.inputs)} inputs"
        return text + (f", {len(self.classes)} classes>" if self.classes else ">")

    def _repr_html_(self):
        from html import escape
        about = self._about
        rows = [("algorithm", self.algorithm), ("task", about.get("task", "")),
                ("inputs", ", ".join(self.inputs[:20])
                 + (" ..." if len(self.inputs) > 20 else ""))]
        if self.classes:
            rows.append(("classes", ", ".join(map(str, self.classes[:20]))))
        rows += [(n, str(v)) for n, v in self.params.items() if v is not None]
        body = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>"
                       for n, v in rows)
        return f"<table><tbody>{body}</tbody></table>"


# What labels of classes are in Python, by the type of the target.
_LABELS = {**{f"{sign}{bits}": int for sign in "iu" for bits in (8, 16, 32, 64)},
           "bool": "true".__eq__}


def _labels(model, indices):
    np = numpy()
    classes = model.classes
    if np is None:
        return [classes[int(i)] for i in indices]
    labels = np.array(classes, None if isinstance(classes[0], (bool, int)) else object)
    return labels[np.asarray(indices).astype(np.int64)]


@documented("ml_model_load_file")
def load(path, *, context=None, **options):
    """`path` may be a file opened for reading bytes. Options:
    libml.describe("options.load")."""
    if hasattr(path, "read"):
        return loads(path.read(), context=context, **options)
    return Model._from(make("ml_model", lib.ml_model_load_file, context_pointer(context),
                            path_bytes(path), _params.options(options, context)))


def loads(data, *, context=None, **options):
    """Loads a model from the bytes of a model file, without copying them.

    >>> import libml
    >>> model = libml.Baseline(target="y").fit({"x": [1, 2], "y": [1.5, 2.5]})
    >>> libml.loads(model.to_bytes()).predict({"x": [1]})
    array([2.])
    """
    if not isinstance(data, bytes):
        try:
            data = bytes(memoryview(data))
        except TypeError:
            raise TypeError("a model is loaded from bytes, not from "
                            f"{type(data).__name__}") from None
    address = _arrow.address_of(data)
    token = _tensor.keep(data)
    try:
        return Model._from(make("ml_model", lib.ml_model_load_memory,
                                context_pointer(context), address, len(data),
                                _tensor.RELEASE, token, _params.options(options, context)))
    except BaseException:
        _tensor._kept.pop(token, None)
        raise


# The prototype of one row: nothing is converted, and the interpreter lock is kept, since a
# row takes less time than letting go of it.
_ROWS = ctypes.PYFUNCTYPE(ctypes.c_int32)


class Predictor(Handle):
    """A frozen plan made from a model. It serves one thread at a time; make one per thread
    to use several.

    >>> import libml
    >>> model = libml.Baseline(target="y").fit({"x": [1, 2], "y": [1.5, 2.5]})
    >>> p = model.predictor()
    >>> p.row([7.0])
    2.0
    >>> p.rows([[7.0], [8.0]])
    array([2., 2.])
    """

    __slots__ = ("_lock", "_fast", "_inputs", "_outputs", "_names", "_about", "_plain", "kind")
    _kind = "ml_predictor"

    def __init__(self, model, kind=None, *, context=None, **options):
        if not isinstance(model, Model):
            raise TypeError(f"model must be a libml.Model, not {type(model).__name__}")
        self._p = make("ml_predictor", lib.ml_predictor_new, model._p,
                       None if kind is None else encode(kind, "kind"),
                       _params.options(options, context))
        self.kind = kind if kind is not None else model.kinds[0]
        self._lock = allocate_lock()
        self._names = model.inputs
        self._about = model._about
        self._plain = None
        self._inputs = len(self._names)
        self._outputs = lib.ml_predictor_outputs(self._p)
        self._prepare()

    def _prepare(self):
        """The frozen call of `row`: all arguments but the row are converted here."""
        n, m = self._inputs, self._outputs
        np = numpy()
        memory = (ctypes.c_double * max(m, 1))()
        error = new_error()
        function = _ROWS(("ml_predictor_rows", lib))
        before = byref(self._p.contents)
        after = (ctypes.c_int32.from_param(_native.ML_DTYPE_F64), ctypes.c_int64.from_param(1),
                 ctypes.c_int64.from_param(n), byref(memory), byref(error.contents))
        if m == 1:
            def result():
                return memory[0]
        elif np is None:
            def result():
                return list(memory)
        else:
            result = np.frombuffer(memory, np.float64)[:m].copy
        bytes_of = _bytes_of_row(n)
        if np is None:
            self._fast = _plain_row_function(self._lock, bytes_of, function, before, after,
                                             error, result)
        else:
            self._fast = _row_function(self._lock, np.ndarray, np.dtype(np.float64), (n,),
                                       bytes_of, function, before, *after, error, result)

    @property
    def outputs(self):
        """The names of the outputs of a row, such as class labels."""
        return [decode(lib.ml_predictor_output_name(self._p, i)) for i in range(self._outputs)]

    @documented("ml_predictor_run")
    def run(self, data):
        """Returns an array of one value per row, or of rows by outputs; lists without
        NumPy. A SciPy sparse matrix stays sparse (see `rows`) where the inputs are numbers
        that its columns give: f0, f1, ..."""
        if hasattr(data, "tocsr") and self._sparse_inputs(data):
            return self.rows(data)
        table = self._table(data)
        with self._lock:
            tensor = make("ml_tensor", lib.ml_predictor_run, self._p, table._p)
        return self._shaped(_tensor.Tensor._from(tensor))

    def _table(self, data):
        """An array has no names: as wide as the model, it has the inputs in their order."""
        np = numpy()
        if np is not None and isinstance(data, np.ndarray) and data.ndim == 2:
            width = data.shape[1]
            theirs = {f"f{i}" for i in range(width)}
            if width == self._inputs and set(self._names) != theirs:
                return Table(data, names=self._names)
            if data.dtype.names is None and width != self._inputs and \
                    theirs.isdisjoint(self._names):
                raise ValueError(f"an array of shape {data.shape}: the model has {self._inputs} "
                                 f"inputs, so it must be (rows, {self._inputs})")
        return as_table(data)

    def _shaped(self, tensor):
        if numpy() is None:
            values = tensor.tolist()
            one = tensor.ndim == 2 and tensor.shape[1] == 1 and self.kind != "proba"
            return [v[0] for v in values] if one else values
        array = tensor._to_writable()
        if array.ndim == 2 and array.shape[1] == 1 and self.kind != "proba":
            return array.reshape(-1)
        return array

    @documented("ml_predictor_run_table")
    def run_table(self, data):
        table = self._table(data)
        with self._lock:
            return Table._from(make("ml_table", lib.ml_predictor_run_table, self._p, table._p))

    def rows(self, rows, out=None, absent=0.0):
        """Predicts an array of numbers, features in the order of `model.inputs`, without
        copying it if it is float64 or float32 and each row is in one piece.

        NaN is a missing value; a category is given by its code (see `code`). `out`: an array
        of float64 to write to.

        Of a SciPy sparse matrix, no more than a few rows at a time are filled, or none where
        the model needs none; as CSR it is not copied. `absent`: what the elements mean that
        it does not store: 0, or NaN for missing values.
        """
        if hasattr(rows, "tocsr"):
            return self._sparse_rows(rows, out, absent)
        np = numpy()
        if np is None:
            return self._rows_of_lists(rows)
        x = rows if isinstance(rows, np.ndarray) else np.asarray(rows)
        if x.ndim != 2 or x.shape[1] != self._inputs:
            raise ValueError(f"rows of shape {x.shape}: the model has {self._inputs} inputs, so "
                             f"it must be (rows, {self._inputs})")
        if x.dtype == np.float32 and x.dtype.isnative:
            dtype, item = _native.ML_DTYPE_F32, 4
        else:
            dtype, item = _native.ML_DTYPE_F64, 8
            if x.dtype != np.float64 or not x.dtype.isnative:
                if x.dtype.kind not in "biuf":
                    raise TypeError(f"rows are numbers, not {x.dtype}; for categories use "
                                    "run() with named columns, or code()")
                x = x.astype(np.float64)
        count = x.shape[0]
        step = x.strides[0]
        if not x.flags.aligned or (x.shape[1] > 1 and x.strides[1] != item) or step % item \
                or (count > 1 and step < item * self._inputs):
            x = np.ascontiguousarray(x)
            step = x.strides[0]
        if out is None:
            out = np.empty((count, self._outputs))
        else:
            _check_out(out, count, self._outputs)
        with self._lock:
            call(lib.ml_predictor_rows, self._p, x.__array_interface__["data"][0], dtype,
                 count, max(step // item, self._inputs), _doubles(out))
        if self._outputs == 1 and self.kind != "proba" and out.ndim == 2:
            return out.reshape(-1)
        return out

    def _sparse_inputs(self, matrix):
        """Are the inputs numbers named as the columns of a matrix, f0, f1, ..., and its
        values none that a table might refuse?"""
        if self._plain is None:
            self._plain = all(name == f"f{i}" for i, name in enumerate(self._names)) and \
                all(x["kind"] == "numeric" for x in self._about["inputs"])
        data = getattr(matrix, "data", None)
        return self._plain and matrix.ndim == 2 and matrix.shape[1] == self._inputs and \
            getattr(data, "dtype", None) is not None and data.dtype.kind in "biuf" and \
            bool(numpy().isfinite(data).all())

    def _sparse_rows(self, matrix, out, absent):
        np = numpy()
        if matrix.ndim != 2 or matrix.shape[1] != self._inputs:
            raise ValueError(f"rows of shape {matrix.shape}: the model has {self._inputs} "
                             f"inputs, so it must be (rows, {self._inputs})")
        m = matrix.tocsr()
        count = m.shape[0]
        if m.data.dtype.kind not in "biuf":
            raise TypeError(f"rows are numbers, not {m.data.dtype}")
        real = np.float32 if m.data.dtype == np.float32 else np.float64
        values = np.ascontiguousarray(m.data, real)
        index = np.int32 if m.indptr.dtype == m.indices.dtype == np.int32 else np.int64
        offsets = np.ascontiguousarray(m.indptr, index)
        columns = np.ascontiguousarray(m.indices, index)
        if len(offsets) != count + 1 or not int(offsets[-1]) <= min(len(columns), len(values)):
            raise ValueError("the sparse matrix is damaged: indptr, indices and data do not fit")
        if out is None:
            out = np.empty((count, self._outputs))
        else:
            _check_out(out, count, self._outputs)
        with self._lock:
            call(lib.ml_predictor_sparse_rows, self._p, offsets.ctypes.data,
                 columns.ctypes.data,
                 _native.ML_DTYPE_I32 if index is np.int32 else _native.ML_DTYPE_I64,
                 values.ctypes.data,
                 _native.ML_DTYPE_F32 if real is np.float32 else _native.ML_DTYPE_F64, count,
                 absent, _doubles(out))
        if self._outputs == 1 and self.kind != "proba" and out.ndim == 2:
            return out.reshape(-1)
        return out

    def _rows_of_lists(self, rows):
        if hasattr(rows, "tolist"):
            rows = rows.tolist()
        n, m = self._inputs, self._outputs
        flat = [float(x) for row in rows for x in row]
        if any(len(row) != n for row in rows):
            raise ValueError(f"each row must have {n} values")
        data = (ctypes.c_double * max(len(flat), 1))(*flat)
        out = (ctypes.c_double * max(len(rows) * m, 1))()
        with self._lock:
            call(lib.ml_predictor_rows, self._p, data, _native.ML_DTYPE_F64, len(rows), n, out)
        values = list(out)[:len(rows) * m]
        return values if m == 1 else [values[i * m:i * m + m] for i in range(len(rows))]

    def row(self, row):
        """Predicts one row of numbers, in the order of `model.inputs`: a float, or an array
        if there are several outputs. The fastest way for single rows.

        NaN is a missing value; a category is given by its code (see `code`).
        """
        return self._fast(row)

    def code(self, name, text):
        """The number that stands for a category in plain rows; NaN for a missing or unseen
        one. `name` is the input's name or number."""
        if isinstance(name, str) and name not in self._names:
            raise UnknownNameError(f'the model has no input "{name}"; inputs: '
                                   f"{', '.join(self._names[:20])}", name)
        at = self._names.index(name) if isinstance(name, str) else checked_i64(name, "name")
        return lib.ml_predictor_code(self._p, at, None if text is None else encode(text))

    def close(self):
        """Lets go of the memory. The model stays valid."""
        self._fast = _closed
        super().close()

    def __repr__(self):
        if self.closed:
            return "<libml.Predictor, closed>"
        return f"<libml.Predictor of {self.kind}, {self._inputs} inputs, " \
               f"{self._outputs} outputs>"


def _row_function(lock, ndarray, float64, shape, bytes_of, function, predictor, dtype, one,
                  stride, out, error, problem, result):
    """What `row` does, without a look at any attribute: these cost more than the row. The
    bytes of the row are a copy of its own, so no other thread can change them."""
    def predict(row):
        if type(row) is ndarray and row.dtype is float64 and row.shape == shape:
            data = row.tobytes()
        else:
            data = bytes_of(row)
        with lock:
            if function(predictor, data, dtype, one, stride, out, error):
                raise_error(problem)
            return result()

    return predict


def _plain_row_function(lock, bytes_of, function, predictor, after, problem, result):
    """The same without NumPy."""
    def predict(row):
        data = bytes_of(row)
        with lock:
            if function(predictor, data, *after):
                raise_error(problem)
            return result()

    return predict


def _bytes_of_row(inputs):
    """A function that makes doubles of whatever holds a row."""
    def bytes_of(row):
        shape = getattr(row, "shape", None)
        if shape is None and hasattr(row, "__array__") and numpy() is not None:
            row = numpy().asarray(row)
            shape = row.shape
        if shape is None:
            if not isinstance(row, Sequence) or isinstance(row, (str, bytes)):
                raise TypeError("a row is a list or an array of numbers, not "
                                f"{type(row).__name__}")
            shape = (len(row),)
        if tuple(shape) != (inputs,):
            raise _wrong_row(tuple(shape), inputs)
        np = numpy()
        if np is None:
            return bytes((ctypes.c_double * inputs)(*row))
        array = np.asarray(row)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"a row holds numbers, not {array.dtype}; the number of a category "
                            "is code(name, text)")
        return np.asarray(array, np.float64).tobytes()

    return bytes_of


def _closed(*args):
    raise ClosedError("this Predictor is closed")


def _wrong_row(shape, inputs):
    return ValueError(f"a row of shape {shape}: the model has {inputs} inputs")


def _check_out(out, count, outputs):
    np = numpy()
    if not isinstance(out, np.ndarray) or out.dtype != np.float64 or \
            out.size != count * outputs or not out.flags.c_contiguous or \
            not out.flags.writeable:
        raise ValueError(f"out must be a writable C-contiguous array of float64 with "
                         f"{count * outputs} elements")


_DOUBLE_POINTER = ctypes.POINTER(ctypes.c_double)


def _doubles(array):
    return ctypes.cast(array.__array_interface__["data"][0], _DOUBLE_POINTER)

