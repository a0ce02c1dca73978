# SPDX-License-Identifier: MIT
"""NumPy, SciPy, DLPack and buffers in and out: what is shared, what is refused."""

import array
import gc
import weakref

import libml
from libml import Table, Tensor
from support import Case, module, needs

np = module("numpy")


def address(a):
    return a.__array_interface__["data"][0]


class Owned:
    """Something that only speaks DLPack."""

    def __init__(self, a, **more):
        self.a, self.more = a, more

    def __dlpack__(self, **kwargs):
        return self.a.__dlpack__(**self.more)

    def __dlpack_device__(self):
        return self.a.__dlpack_device__()


@needs("numpy")
class Tables(Case):
    def test_matrix_is_shared(self):
        for order in "CF":
            a = np.array([[1.5, 2], [3, 4], [5, 6]], order=order)
            t = Table(a)
            self.assertEqual(t.columns, ["f0", "f1"])
            self.assertEqual(address(t.tensor("f1").to_numpy()), address(a[:, 1]))
            np.testing.assert_array_equal(t.to_numpy(), a)

    def test_columns_more_copy_nothing(self):
        a, y = np.array([[1.5, 2], [3, 4], [5, 6]]), np.array([1, 0, 1])
        t = Table(a).with_column("y", y)
        self.assertEqual(t.columns, ["f0", "f1", "y"])
        self.assertEqual(address(t.tensor("f1").to_numpy()), address(a[:, 1]))
        self.assertEqual(address(t.tensor("y").to_numpy()), address(y))
        text = t.with_column("y", ["a", None, "b"])
        self.assertEqual(text.to_dict(), {"f0": [1.5, 3, 5], "f1": [2, 4, 6],
                                          "y": ["a", None, "b"]})

    def test_predictions_of_a_matrix_without_names(self):
        x = np.arange(20.0).reshape(10, 2) ** 2
        m = libml.LinearRegression(target="y").fit({"b": x[:, 0], "a": x[:, 1],
                                                    "y": x[:, 0] - 2 * x[:, 1]})
        self.assertEqual(m.inputs, ["b", "a"])
        np.testing.assert_allclose(m.predict(x), x[:, 0] - 2 * x[:, 1], atol=1e-9)
        self.refused(ValueError, "the model has 2 inputs, so it must be (rows, 2)", m.predict,
                     np.zeros((2, 3)))
        # Names that are those of a matrix stay names.
        m = libml.LinearRegression(target="y").fit({"f1": x[:, 0], "f0": x[:, 1],
                                                    "y": x[:, 0] - 2 * x[:, 1]})
        np.testing.assert_allclose(m.predict(x), x[:, 1] - 2 * x[:, 0], atol=1e-9)

    def test_copy(self):
        a = np.ones((3, 2))
        t = Table(a, copy=True)
        a[:] = 7
        self.assertEqual(t.to_dict()["f0"], [1, 1, 1])

    def test_memory_lives_as_long_as_the_table(self):
        a = np.ones((3, 2))
        gone = weakref.ref(a)
        t = Table(a, names=["x", "y"])
        part = t[["y"]]
        del a, t
        gc.collect()
        self.assertIsNotNone(gone())
        self.assertEqual(part.to_dict(), {"y": [1, 1, 1]})
        part.close()
        gc.collect()
        self.assertIsNone(gone())

    def test_every_dtype(self):
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                     "uint64", "float32", "float64"):
            a = np.array([[0, 1], [2, 100]], name)
            self.assertEqual(set(Table(a).types.values()), {name}, name)
            np.testing.assert_array_equal(Table(a).to_numpy(), a)
            np.testing.assert_array_equal(Table({"x": a[:, 1]})["x"], a[:, 1])
        self.assertEqual(Table(np.array([[1.5]], np.float16)).to_dict(), {"f0": [1.5]})
        self.assertEqual(Table(np.array([[1.5]], np.longdouble)).to_dict(), {"f0": [1.5]})
        self.assertEqual(Table(np.array([[True], [False]])).types, {"f0": "bool"})

    def test_layouts(self):
        a = np.arange(24, dtype=float).reshape(4, 6)
        for view in (a[::2, ::3], a[::-1], a[:, ::-1], a.T, a[1:1], a.astype(">f8"),
                     a.astype(">i4"), np.broadcast_to(a[0], (3, 6)),
                     np.lib.stride_tricks.as_strided(a, (4, 2), (48, 16))):
            np.testing.assert_array_equal(Table(view).to_numpy(), view)
        packed = np.zeros(4, np.dtype([("c", "i1"), ("x", "f8")]))  # x is not aligned
        packed["x"] = [1, 2, 3, 4]
        self.assertEqual(Table(packed).to_dict()["x"], [1, 2, 3, 4])
        self.assertEqual(Table({"x": packed["x"][::2]}).to_dict()["x"], [1, 3])
        frozen = a.copy()
        frozen.flags.writeable = False
        np.testing.assert_array_equal(Table(frozen).to_numpy(), a)

    def test_one_dimension_is_one_column(self):
        self.assertEqual(Table(np.array([1.0, 2.0])).shape, (2, 1))

    def test_objects_and_text(self):
        a = np.array([["x", 1], [None, 2]], object)
        self.assertEqual(Table(a, names=["s", "n"]).to_dict(), {"s": ["x", None],
                                                               "n": [1, 2]})
        self.assertEqual(Table(np.array([["a", "ß"]])).to_dict(), {"f0": ["a"], "f1": ["ß"]})
        self.assertEqual(Table({"b": np.array([b"x", b"yz"])}).to_dict(), {"b": ["x", "yz"]})
        self.refused(TypeError, ['"x"', "str in row 1", "int in row 2"], Table,
                     {"x": np.array(["a", 1], object)})
        self.refused(TypeError, ['"x"', "UTF-8"], Table, {"x": np.array([b"\xff"])})
        self.refused(TypeError, ['"x"', "row 1 holds a list"], Table,
                     {"x": np.array([[1], [1, 2], None], object)})

    def test_times(self):
        days = np.array(["2020-02-29", "NaT"], "datetime64[D]")
        times = np.array(["2020-01-01T00:00:01", "NaT"], "datetime64[ms]")
        t = Table({"d": days, "t": times})
        self.assertEqual(t.types, {"d": "date", "t": "timestamp"})
        np.testing.assert_array_equal(t["d"], days)
        np.testing.assert_array_equal(t["t"], times)

    def test_masked(self):
        a = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
        self.assertEqual(Table({"x": a}).to_dict(), {"x": [1, None, 3]})
        self.assertEqual(Table(a.reshape(-1, 1)).to_dict(), {"f0": [1, None, 3]})

    def test_refused(self):
        self.refused(ValueError, ["3 dimensions", "reshape"], Table, np.zeros((2, 2, 2)))
        self.refused(ValueError, "0 dimensions", Table, np.array(1.0))
        self.refused(ValueError, "Complex", Table, np.zeros((2, 2), complex))
        self.refused(ValueError, ['"x"', "Complex"], Table, {"x": np.zeros(2, complex)})
        self.refused(ValueError, ['"x"', "2 dimensions"], Table, {"x": np.zeros((2, 2))})
        self.refused(TypeError, ['"x"', "V4"], Table, {"x": np.zeros(2, "V4")})

    def test_empty(self):
        self.assertEqual(Table(np.zeros((0, 3))).shape, (0, 3))
        self.assertEqual(Table(np.zeros((0, 3)), names=list("abc")).to_numpy().shape, (0, 3))

    def test_out(self):
        t = Table({"i": [1, None], "f": [1.5, None], "b": [True, None]})
        out = t.to_numpy()
        np.testing.assert_array_equal(out, [[1, 1.5, 1], [np.nan] * 3])
        self.assertIs(np.asarray(t, np.float32).dtype, np.dtype(np.float32))
        column = Table({"x": [1.0, 2.0]})["x"]
        with self.assertRaises(ValueError):
            column[0] = 9
        self.refused(TypeError, ['"s"', "text"], Table({"s": ["a"]}).to_numpy)


@needs("numpy", "scipy")
class Sparse(Case):
    def test_formats(self):
        from scipy import sparse
        dense = np.array([[0, 1.5, 0], [2, 0, 0]])
        for make in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix,
                     sparse.csr_array, sparse.lil_matrix, sparse.dok_matrix):
            np.testing.assert_array_equal(Table(make(dense)).to_numpy(), dense)
        twice = sparse.coo_matrix(([1.0, 2.0], ([0, 0], [0, 0])), shape=(1, 1))
        self.assertEqual(Table(twice).to_dict(), {"f0": [3.0]})
        whole = sparse.csr_matrix(np.array([[1, 0]], np.int32))
        self.assertEqual(Table(whole, names=["a", "b"]).to_dict(), {"a": [1], "b": [0]})

    def test_stays_sparse(self):
        from scipy import sparse
        random = np.random.default_rng(1)
        x = sparse.csr_matrix(random.standard_normal((400, 60)) *
                              (random.random((400, 60)) < 0.05))
        dense, y = x.toarray(), np.asarray(x.sum(axis=1)).ravel()
        for name in ("gbdt", "linear_regression", "random_forest"):
            a = libml.estimator(name).fit(x, y).predict(x)
            np.testing.assert_allclose(a, libml.estimator(name).fit(dense, y).predict(dense), 1e-7)
        table = Table(x)
        self.assertEqual(table.to_dict(), Table(dense).to_dict())
        wide = sparse.csr_matrix((np.ones(3), np.array([1, 5, 2 ** 20 - 1]), [0, 1, 3]),
                                 shape=(2, 2 ** 20))
        self.assertEqual(Table(wide).shape, (2, 2 ** 20))
        self.assertTrue(np.isnan(Table(sparse.csr_matrix([[0, np.nan, 1]])).to_numpy()[0, 1]))
        # As dense columns this one would need 160 GB.
        named = Table(sparse.csr_matrix(([5.0], ([7], [3])), shape=(2 ** 20, 20000)),
                      names=[f"c{i}" for i in range(20000)])
        self.assertEqual((named.shape, named.columns[3]), ((2 ** 20, 20000), "c3"))
        self.assertEqual(named["c3"][7], 5)
        self.refused(ValueError, ["2", "3"], Table, sparse.csr_matrix((1, 3)), ["a", "b"])

    def test_refused(self):
        from scipy import sparse
        huge = sparse.csr_matrix((2 ** 31 - 1, 2 ** 31 - 1))
        self.refused(MemoryError, ["GiB", "2147483647"], Table, huge)
        self.refused(ValueError, "Complex", Table, sparse.csr_matrix(np.ones((1, 1), complex)))


class Tensors(Case):
    def test_lists(self):
        t = Tensor([[1, 2], [3, 4]])
        self.assertEqual((t.shape, t.dtype, t[1, 0], t.tolist()),
                         ((2, 2), "int64", 3.0, [[1, 2], [3, 4]]))
        self.assertEqual(Tensor([1.5, 2]).dtype, "float64")
        self.assertEqual(Tensor([True, False]).dtype, "bool")
        self.assertEqual(Tensor(3.5).shape, ())
        self.assertEqual(Tensor([]).tolist(), [])
        self.assertEqual(list(t), [[1, 2], [3, 4]])
        self.assertEqual((int(Tensor([[7]])), float(Tensor(2.5)), Tensor(3).item()),
                         (7, 2.5, 3.0))
        self.refused(TypeError, "(2, 2)", float, t)

    def test_buffers(self):
        a = array.array("d", [1, 2, 3])
        t = Tensor(a)
        a[0] = 9
        self.assertEqual(t.tolist(), [9, 2, 3])
        self.assertEqual(Tensor(memoryview(bytes(range(6))).cast("B", (2, 3))).tolist(),
                         [[0, 1, 2], [3, 4, 5]])
        self.assertEqual(memoryview(t.memoryview()).readonly, True)

    def test_refused(self):
        self.refused(ValueError, "lengths", Tensor, [[1], [1, 2]])
        self.refused(TypeError, "str", Tensor, ["a"])
        self.refused(OverflowError, "64 bits", Tensor, [2 ** 64])
        self.refused(TypeError, "NoneType", Tensor, None)
        self.refused(IndexError, "outside", Tensor([1.5]).__getitem__, 7)
        self.refused(TypeError, "dimensions", len, Tensor(1.5))

    @needs("numpy")
    def test_numpy(self):
        a = np.arange(6.0).reshape(2, 3)
        t = Tensor(a)
        self.assertEqual(address(t.to_numpy()), address(a))
        self.assertEqual(address(np.asarray(t)), address(a))
        back = np.from_dlpack(t)
        self.assertEqual(address(back), address(a))
        t.close()
        np.testing.assert_array_equal(back, a)
        np.testing.assert_array_equal(Tensor(a.T).to_numpy(), a.T)
        self.assertEqual(Tensor(a.T).tolist(), a.T.tolist())
        self.refused(BufferError, "row-major", Tensor(a.T).memoryview)
        copied = Tensor(a, copy=True)
        a[0, 0] = 5
        self.assertEqual(copied[0, 0], 0)
        self.refused(TypeError, "dtype", Tensor, np.array(["a"]))
        self.refused(ValueError, "Complex", Tensor, np.array([1j]))

    @needs("numpy")
    def test_dlpack(self):
        a = np.arange(6.0).reshape(2, 3)
        for source in (Owned(a), Owned(a.T), Owned(a[:, ::2])):
            t = Tensor(source)
            np.testing.assert_array_equal(t.to_numpy(), source.a)
            self.assertEqual(address(t.to_numpy()), address(source.a))
            np.testing.assert_array_equal(Table(source).to_numpy(), source.a)
        capsule = Tensor(a).__dlpack__()
        del capsule  # not consumed: it must free what it owns
        self.refused(BufferError, "host", Tensor(a).__dlpack__, dl_device=(2, 0))
        self.refused(ValueError, "stream", Tensor(a).__dlpack__, stream=1)

        class Elsewhere(Owned):
            def __dlpack_device__(self):
                return (2, 0)

        class NoCapsule(Owned):
            def __dlpack__(self, **kwargs):
                return 3
        self.refused(BufferError, "device type 2", Tensor, Elsewhere(a))
        self.refused(TypeError, "capsule", Tensor, NoCapsule(a))

    @needs("numpy")
    def test_model_attributes_are_shared(self):
        model = libml.Baseline(target="y").fit({"x": [1, 2], "y": [1.5, 2.5]})
        value, tensor = model.constant, model.tensor("constant")
        self.assertEqual(address(value), address(tensor.to_numpy()))
        model.close()
        del model
        gc.collect()
        self.assertEqual(value[0], 2.0)
