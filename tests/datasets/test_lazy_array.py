"""Tests of arrays whose rows are read on demand, against the same arrays in memory."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dask.array
import h5py
import joblib
import numpy as np
import pytest
import zarr
from _fresh import run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasnet.datasets import LazyArray
from kerasnet.errors import DataFormatError

N_ROWS = 300  # beyond the range of int8 and uint8
VALUES = np.random.default_rng(0).integers(0, 9, size=(N_ROWS, 3, 2)).astype(np.float32)
FLAT = VALUES.reshape(N_ROWS, 6)
VALUES.flags.writeable = False


def _mapped(folder, values, mode="r"):
    np.save(folder / "x.npy", values)
    return np.load(folder / "x.npy", mmap_mode=mode)


def _hdf5(folder, values):
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("group/x", data=values, chunks=(7, *values.shape[1:]))
    return h5py.File(folder / "x.h5", "r")["group/x"]


def _zarr(folder, values):
    array = zarr.create_array(folder / "x.zarr", shape=values.shape, chunks=(7, *values.shape[1:]), dtype=values.dtype)
    array[:] = values
    return array


SOURCES = {
    "memmap": _mapped,
    "memmap, another offset and order": lambda folder, values: _mapped(folder, np.asfortranarray(values)),
    "memmap, open for writing": lambda folder, values: _mapped(folder, values, "r+"),
    "memmap, copy on write": lambda folder, values: _mapped(folder, values, "c"),
    "slice of a memmap": lambda folder, values: _mapped(folder, np.concatenate([values, values]))[len(values) :],
    "array of a memmap": lambda folder, values: np.asarray(_mapped(folder, values)),
    "slice of an array of a memmap": lambda folder, values: np.asarray(_mapped(folder, np.repeat(values, 2, 0)))[::2],
    "transposed memmap": lambda folder, values: np.asarray(_mapped(folder, np.ascontiguousarray(values.T))).T,
    "reshaped memmap": lambda folder, values: _mapped(folder, values.ravel()).reshape(values.shape),
    "strided view of a memmap": lambda folder, values: np.lib.stride_tricks.as_strided(_mapped(folder, values)),
    "HDF5": _hdf5,
    "zarr": _zarr,
    "dask": lambda folder, values: dask.array.from_array(values, chunks=(7, *values.shape[1:])),
    "memory": lambda folder, values: values,
    "lazy": lambda folder, values: LazyArray(_mapped(folder, values)),
}
SPARSE = ("csr_array", "csr_matrix", "csc_array", "csc_matrix", "coo_array", "coo_matrix", "lil_array")
MAPPED = [name for name in SOURCES if "memmap" in name and "copy" not in name]


@pytest.fixture(scope="module", params=[*SOURCES, *SPARSE])
def lazy(request, tmp_path_factory):
    """A lazy array of each kind of source, and its values."""
    if request.param in SPARSE:
        return LazyArray(getattr(sparse, request.param)(FLAT)), FLAT
    return LazyArray(SOURCES[request.param](tmp_path_factory.mktemp("source"), VALUES)), VALUES


@pytest.fixture
def mapped(tmp_path):
    return LazyArray(_mapped(tmp_path, VALUES))


def assert_equal(lazy, expected):
    assert isinstance(lazy, LazyArray)
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == (
        expected.shape,
        expected.dtype,
        expected.ndim,
        len(expected),
    )
    read = np.asarray(lazy)
    assert type(read) is np.ndarray
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)


KEYS = {
    "all": slice(None),
    "ellipsis": ...,
    "slice": slice(5, 50),
    "slice with a step": slice(1, None, 7),
    "reversed slice": slice(None, None, -3),
    "slice beyond the end": slice(290, 1000),
    "empty slice": slice(9, 9),
    "indices": [7, 3, 299, 0],
    "negative indices": [-1, -300, 4],
    "repeated indices": [5, 5, 2, 5],
    "int8 indices": np.array([-1, 100], dtype=np.int8),
    "uint8 indices": np.array([255, 0], dtype=np.uint8),
    "uint64 indices": np.array([255, 0], dtype=np.uint64),
    "no indices": [],
    "mask": np.arange(N_ROWS) % 3 == 1,
    "empty mask": np.zeros(N_ROWS, dtype=bool),
    "list of booleans": [number % 2 == 0 for number in range(N_ROWS)],
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_selected_rows_equal_those_of_numpy(lazy, key):
    array, values = lazy
    assert_equal(array[key], values[key])
    assert_equal(array[key, :], values[key, :])
    if key is not ...:
        assert_equal(array[key, ...], values[key, ...])


@pytest.mark.parametrize("row", [0, 299, -1, -300, np.int8(-1), np.uint64(7), np.array(3)])
def test_an_integer_reads_one_row(lazy, row):
    array, values = lazy
    assert isinstance(array[row], np.ndarray)
    np.testing.assert_array_equal(array[row], values[row])


def selections(n_rows):
    rows = (
        hnp.arrays(np.intp, st.integers(0, 12), elements=st.integers(-n_rows, n_rows - 1)) if n_rows else st.nothing()
    )
    return st.slices(n_rows) | hnp.arrays(bool, n_rows) | rows


@given(data=st.data())
def test_nested_selections_equal_those_of_numpy(data):
    array, values = LazyArray(FLAT), FLAT
    for _ in range(data.draw(st.integers(1, 4))):
        key = data.draw(selections(len(values)))
        array, values = array[key], values[key]
    assert_equal(array, values)
    if len(values):
        np.testing.assert_array_equal(array[-1], values[-1])


def test_nested_selections_of_each_source(lazy):
    array, values = lazy
    for key in (slice(None, None, -2), np.arange(150) % 4 < 2, [3, 3, -1, 0, 20], slice(1, 4)):
        array, values = array[key], values[key]
        assert_equal(array, values)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (300, "Row 300 is out of bounds: there are 300 rows"),
        (-301, "Row -301 is out of bounds"),
        ([0, 300], "Row 300 is out of bounds"),
        ([-301], "Row -301 is out of bounds"),
        (np.array([2**64 - 1], dtype=np.uint64), "Row 18446744073709551615 is out of bounds"),
        (np.ones(299, dtype=bool), "mask of shape .300,.*Received: an array of shape .299,. and dtype bool"),
        (np.ones(0, dtype=bool), "mask of shape .300,"),
        ([1.0], "dtype float64"),
        (1.0, "dtype float64"),
        ("a", "dtype <U1"),
        (None, "dtype object"),
        (True, "dtype bool"),
        ([[1, 2]], "shape .1, 2."),
        ((0, 1), "Only rows of a LazyArray can be selected. Use numpy.asarray"),
        ((slice(None), np.array([0, 1])), "Only rows"),
        ((slice(None), slice(1)), "Only rows"),
    ],
    ids=str,
)
def test_invalid_keys_raise(mapped, key, message):
    with pytest.raises(IndexError, match=message):
        mapped[key]


def test_indices_are_relative_to_the_selection(mapped):
    with pytest.raises(IndexError, match="Row 2 is out of bounds: there are 2 rows"):
        mapped[[5, 6]][2]
    np.testing.assert_array_equal(mapped[[5, 6]][-1], VALUES[6])


def test_empty_tuple_and_iteration(mapped):
    assert_equal(mapped[()], VALUES)
    np.testing.assert_array_equal(list(mapped[3:6]), VALUES[3:6])


def test_conversion_to_an_array(mapped):
    assert np.asarray(mapped, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.array(mapped, copy=True), VALUES)
    with pytest.raises(ValueError, match="always copies"):
        np.array(mapped, copy=False)


@pytest.mark.parametrize("name", ["memmap, open for writing", "memory", "dask"])
@pytest.mark.parametrize("key", [slice(2, 5), slice(None), [2, 3]], ids=str)
def test_rows_that_were_read_are_copies(tmp_path, name, key):
    values = VALUES.copy()
    array = LazyArray(SOURCES[name](tmp_path, values))
    rows = np.asarray(array[key])
    rows[:] = -1
    assert_equal(array, VALUES)


class CountingSource:
    """A source that records the rows that are read."""

    shape, dtype = FLAT.shape, FLAT.dtype

    def __init__(self):
        self.read = []

    def __getitem__(self, rows):
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        self.read.append(FLAT[rows])
        return FLAT[rows]


def test_selecting_reads_nothing_and_each_row_is_read_once():
    source = CountingSource()
    selected = LazyArray(source)[::-1][[4, 2, 4]]
    assert "LazyArray of shape (3, 6), float32" in repr(selected)
    assert source.read == []
    np.testing.assert_array_equal(selected, FLAT[::-1][[4, 2, 4]])
    assert [len(rows) for rows in source.read] == [2]


def test_source_with_wrong_number_of_rows_raises():
    class Wrong(CountingSource):
        def __getitem__(self, rows):
            return FLAT[:1]

    with pytest.raises(DataFormatError, match=r"expected rows of shape and dtype .*3, 6.*, found .*1, 6"):
        np.asarray(LazyArray(Wrong())[:3])


@pytest.mark.parametrize(
    "source",
    [[[1.0]], iter([1]), None, "rows", np.float32(1), type("Shaped", (), {"shape": (1, 2)})()],
    ids=["list", "iterator", "None", "str", "scalar", "no dtype"],
)
def test_invalid_sources_raise(source):
    with pytest.raises((TypeError, ValueError), match="Received: "):
        LazyArray(source)


def test_dask_array_of_unknown_length_raises():
    array = dask.array.from_array(FLAT, chunks=50)
    array = array[array[:, 0] > 4]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        LazyArray(array)
    assert_equal(LazyArray(array.compute_chunk_sizes()), FLAT[FLAT[:, 0] > 4])


def test_map_rows():
    array = LazyArray(VALUES).map_rows(lambda rows: rows.astype(np.float64) / 2).map_rows(lambda rows: rows[..., 0])
    assert_equal(array, VALUES[..., 0].astype(np.float64) / 2)
    assert_equal(array[[7, 1]], VALUES[[7, 1], :, 0].astype(np.float64) / 2)
    np.testing.assert_array_equal(array[3], VALUES[3, :, 0] / 2)


def test_map_rows_is_called_when_rows_are_read():
    calls = []
    array = LazyArray(VALUES).map_rows(lambda rows: calls.append(len(rows)) or rows + 0)
    del calls[:]
    selected = array[10:20][::2]
    assert calls == []
    np.asarray(selected)
    assert calls == [5]


def test_map_rows_with_arguments_and_without_conversion(mapped):
    flat = mapped.map_rows(np.reshape, (-1, 6))
    assert_equal(flat, FLAT)
    assert flat.map_rows(lambda rows: rows) is flat
    fingerprints = [mapped.map_rows(np.reshape, shape).fingerprint() for shape in ((-1, 6), (-1, 6), (-1, 6, 1))]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@pytest.mark.parametrize("max_bytes", [1, 24, 100, 24 * 300, 10**9])
def test_chunks_contain_all_rows_in_order(lazy, max_bytes):
    array, values = lazy
    chunks = list(array[::3].chunks(max_bytes))
    np.testing.assert_array_equal(np.concatenate(chunks), values[::3])
    assert all(chunk.nbytes <= max(max_bytes, 24) for chunk in chunks)
    assert len(chunks) == -(-100 // max(1, max_bytes // 24))


def test_max_bytes_limits_rows_before_and_after_conversion():
    wide = LazyArray(FLAT).map_rows(lambda rows: np.repeat(rows, 10, axis=1))
    narrow = LazyArray(FLAT).map_rows(lambda rows: rows[:, :1])
    assert (wide.rows_in(2400), narrow.rows_in(2400)) == (10, 100)
    assert list(LazyArray(FLAT)[:0].chunks(100)) == []


# Pickling and other processes


def assert_equal_in_another_process(array, folder, cwd):
    """Compare an array, or a list of arrays, with what a new process reads after unpickling."""
    (folder / "array.pickle").write_bytes(pickle.dumps(array))
    code = (
        f"import numpy, pickle, sys; sys.path[:0] = {sys.path!r}; "
        f"array = pickle.load(open({str(folder / 'array.pickle')!r}, 'rb')); "
        f"numpy.save({str(folder / 'read.npy')!r}, numpy.asarray(array))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=cwd)
    np.testing.assert_array_equal(np.load(folder / "read.npy"), np.asarray(array))


def test_unpickled_arrays_are_equal(lazy):
    array, values = lazy
    for key in (slice(None), [5, 5, 299], slice(None, None, -2)):
        assert_equal(pickle.loads(pickle.dumps(array[key])), values[key])
        assert_equal(pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(array))))[key], values[key])


def test_file_sources_are_pickled_as_references(tmp_path):
    """The references are also valid in a process with a different working directory."""
    arrays = []
    for name in (*MAPPED, "HDF5", "zarr"):
        folder = tmp_path / name
        folder.mkdir()
        array = LazyArray(SOURCES[name](folder, VALUES))
        assert len(pickle.dumps(array)) < 2000 < VALUES.nbytes
        arrays.append(array[[4, 299, 4]])
    (tmp_path / "elsewhere").mkdir()
    assert_equal_in_another_process(arrays, tmp_path, tmp_path / "elsewhere")


def test_relative_hdf5_path_is_valid_in_another_working_directory(tmp_path, monkeypatch):
    _hdf5(tmp_path, VALUES).file.close()
    monkeypatch.chdir(tmp_path)
    array = LazyArray(h5py.File("x.h5", "r")["group/x"])
    (tmp_path / "elsewhere").mkdir()
    assert_equal_in_another_process(array[:7], tmp_path, tmp_path / "elsewhere")


def test_copy_on_write_memmap_is_pickled_by_value(tmp_path):
    source = _mapped(tmp_path, VALUES, "c")
    source[0] = -5
    array = pickle.loads(pickle.dumps(LazyArray(source)))
    np.testing.assert_array_equal(array[0], np.full((3, 2), -5))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), VALUES)


def test_column_slice_and_conversion_are_pickled(tmp_path):
    source = _mapped(tmp_path, VALUES)[:, 1:]
    array = LazyArray(source).map_rows(np.negative)
    assert len(pickle.dumps(array)) < 1000
    assert_equal(pickle.loads(pickle.dumps(array)), -VALUES[:, 1:])


# Files that change


def test_truncated_mapped_file_raises_instead_of_killing_the_process(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((400_000, 2)))
    code = """
import os, sys
import numpy as np
from kerasnet.datasets import LazyArray
from kerasnet.errors import DataFormatError
source = np.load(sys.argv[1], mmap_mode="r")
views = source, np.asarray(source)[:], source[100:, 1:], np.lib.stride_tricks.as_strided(source)
os.truncate(sys.argv[1], 5000)
for X in map(LazyArray, views):
    for read in (lambda: X[-1], lambda: np.asarray(X[1000:]), lambda: np.asarray(X[[-1, 0]]), lambda: X[0]):
        try:
            read()
        except DataFormatError as error:
            print(error)
"""
    result = run("-c", code, tmp_path / "x.npy")
    assert result.returncode == 0, result.stderr
    message = f"{tmp_path / 'x.npy'}: expected at least 6400128 bytes, found 5000. The file was truncated."
    assert result.stdout.splitlines() == [message] * 16


def test_removed_mapped_file_raises(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((400_000, 2)))
    array = LazyArray(np.load(tmp_path / "x.npy", mmap_mode="r"))
    os.unlink(tmp_path / "x.npy")
    for read in (lambda: array[0], lambda: np.asarray(array[3:5]), array.fingerprint):
        with pytest.raises(DataFormatError, match=r"x\.npy: expected the file that was mapped into memory, found none"):
            read()


def test_rows_that_were_read_do_not_depend_on_the_file(tmp_path):
    code = """
import os, sys
import numpy as np
from kerasnet.datasets import LazyArray
rows = np.asarray(LazyArray(np.load(sys.argv[1], mmap_mode="r"))[1000:300_000])
os.truncate(sys.argv[1], 5000)
print(rows.sum())
"""
    np.save(tmp_path / "x.npy", np.ones((400_000, 2)))
    result = run("-c", code, tmp_path / "x.npy")
    assert (result.returncode, result.stdout) == (0, "598000.0\n"), result.stderr


def test_fingerprint_depends_on_the_file_and_the_rows(tmp_path):
    path = tmp_path / "x.npy"
    array = LazyArray(_mapped(tmp_path, VALUES))
    assert array.fingerprint() == LazyArray(np.load(path, mmap_mode="r")).fingerprint()
    assert array.fingerprint() == pickle.loads(pickle.dumps(array)).fingerprint()
    others = [array[:5], array[[1, 2]], array[[2, 1]], array.map_rows(np.negative)]
    others.append(LazyArray(np.load(path, mmap_mode="r")[:, 1:]))
    assert len({array.fingerprint(), *(other.fingerprint() for other in others)}) == 6
    before = array.fingerprint()
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert array.fingerprint() != before
    hdf5_array = LazyArray(_hdf5(tmp_path, VALUES))
    assert hdf5_array.fingerprint() is not None
    assert LazyArray(VALUES).fingerprint() is LazyArray(_mapped(tmp_path, VALUES, "c")).fingerprint() is None


# In scikit-learn and in threads


class Recording(ClassifierMixin, BaseEstimator):
    """A classifier that records the X and y that it receives."""

    received = []  # noqa: RUF012

    def __init__(self, constant=0):
        self.constant = constant

    def fit(self, X, y):
        self.received.append((X, y))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.received.append((X, None))
        return np.full(len(X), self.classes_[self.constant])


@pytest.fixture
def received():
    del Recording.received[:]
    yield Recording.received
    del Recording.received[:]


def test_train_test_split_selects_rows(mapped):
    y = np.arange(N_ROWS) % 2
    lazily = train_test_split(mapped, y, random_state=0, stratify=y)
    for part, expected in zip(lazily, train_test_split(VALUES, y, random_state=0, stratify=y), strict=True):
        np.testing.assert_array_equal(part, expected)
    assert all(isinstance(part, LazyArray) for part in lazily[:2])
    assert all(isinstance(part, LazyArray) for part in train_test_split(mapped, shuffle=False))


def test_grid_search_and_cross_validation_pass_lazy_arrays(mapped, received):
    y = np.arange(N_ROWS) % 3
    cross_val_score(make_pipeline("passthrough", Recording()), mapped, y, cv=3)
    GridSearchCV(Recording(), {"constant": [0, 1]}, cv=2).fit(mapped, y)
    assert len(received) == 6 + 8 + 1
    for X, y_part in received:
        assert isinstance(X, LazyArray)
        if y_part is not None and len(X) < N_ROWS:
            assert len(X) == len(y_part)
    assert {len(X) for X, _ in received} == {100, 200, 150, 300}


@pytest.mark.exhaustive
def test_cross_validation_in_worker_processes(mapped):
    y = np.arange(N_ROWS) % 3
    scores = cross_val_score(Recording(), mapped, y, cv=3, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(Recording(), VALUES, y, cv=3))


def test_concurrent_reads_in_threads(lazy):
    array, values = lazy
    rng = np.random.default_rng(0)
    row_sets = [rng.integers(-N_ROWS, N_ROWS, 20) for _ in range(60)]
    with ThreadPoolExecutor(8) as threads:
        for rows, read in zip(row_sets, threads.map(lambda rows: np.asarray(array[rows]), row_sets), strict=True):
            np.testing.assert_array_equal(read, values[rows])


def mapped_at(path, values, mode="r"):
    np.save(path, values)
    return np.load(path, mmap_mode=mode)


def test_pipeline_cache_detects_a_changed_file(tmp_path):
    means = []
    for factor in (1, 3):
        X = LazyArray(mapped_at(tmp_path / "x.npy", FLAT * factor))
        scaler = make_pipeline(StandardScaler(), Ridge(), memory=str(tmp_path / "cache")).fit(X, np.arange(len(X)))[0]
        means.append(scaler.mean_[0])
    np.testing.assert_allclose(means, [FLAT.mean(axis=0)[0], 3 * FLAT.mean(axis=0)[0]], rtol=1e-5)


def test_sources_whose_changes_are_not_detected_are_never_cached(tmp_path):
    writable = LazyArray(mapped_at(tmp_path / "x.npy", FLAT, "r+"))
    store = LazyArray(zarr.create_array(tmp_path / "x.zarr", data=FLAT))
    for X in (writable, store):
        assert X.fingerprint() is None
        assert joblib.hash(X) != joblib.hash(X)
    read_only = LazyArray(mapped_at(tmp_path / "y.npy", FLAT))
    assert joblib.hash(read_only) == joblib.hash(read_only)


def test_replaced_file_is_not_pickled(tmp_path):
    X = LazyArray(mapped_at(tmp_path / "x.npy", FLAT))
    np.save(tmp_path / "new.npy", 0 * FLAT)
    (tmp_path / "new.npy").replace(tmp_path / "x.npy")
    np.testing.assert_array_equal(X, FLAT)  # the file that was opened still exists
    with pytest.raises(DataFormatError, match=r"x\.npy: expected the file that was opened, found another one"):
        pickle.dumps(X)
    with pytest.raises(DataFormatError, match="found another one"):
        X.fingerprint()


@pytest.mark.parametrize("changed", ["content", "shorter", "removed"])
def test_file_that_changed_after_pickling_raises_when_it_is_read(changed, tmp_path):
    path = tmp_path / "x.npy"
    sent = pickle.dumps(LazyArray(mapped_at(path, FLAT)))
    path.unlink()
    if changed != "removed":
        np.save(path, FLAT[:7] if changed == "shorter" else FLAT + 1)
    received = pickle.loads(sent)  # an error here would terminate the pool of workers
    assert received.shape == FLAT.shape
    with pytest.raises(DataFormatError, match=r"x\.npy: expected the file"):
        np.asarray(received[[0, 2]])


def test_hdf5_files_that_workers_cannot_open_raise(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        X = LazyArray(file.create_dataset("x", data=FLAT))
        np.testing.assert_array_equal(X, FLAT)
        with pytest.raises(ValueError, match=r'open for writing.*h5py\.File\(path, "r"\)'):
            pickle.dumps(X)
    with h5py.File("only in memory", "w", driver="core", backing_store=False) as file:
        X = LazyArray(file.create_dataset("x", data=FLAT))
        assert X.fingerprint() is None
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(X)


def test_source_with_wrong_dtype_raises():
    class Wrong(CountingSource):
        def __getitem__(self, rows):
            return FLAT[rows].astype(np.float64)

    with pytest.raises(DataFormatError, match="expected rows of shape and dtype .*float32.*found .*float64"):
        np.asarray(LazyArray(Wrong())[:3])
