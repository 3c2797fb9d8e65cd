"""Arrays whose rows are read when they are needed."""

import hashlib
import math
import os
import uuid

import numpy as np
from scipy.sparse import issparse

from kerasnet._row_sources import (
    Dataset,
    MappedFile,
    check_size,
    inode_of,
    is_read_only,
    mapped_file,
    read_rows,
    reference_to,
)
from kerasnet.errors import DataFormatError


class LazyArray:
    """Rows of an array that is not in memory, read when they are needed.

    Selecting rows, by a slice, row numbers or a mask, gives another `LazyArray` and reads nothing.
    :func:`numpy.asarray` reads. So :func:`~sklearn.model_selection.train_test_split`,
    :class:`~sklearn.model_selection.GridSearchCV` and most meta-estimators of scikit-learn copy no data, and the
    estimators of kerasnet read the rows of the next training steps, while the last ones are computed.

    Estimators take the arrays listed below as they are, and make a `LazyArray` of them. Wrap one yourself where
    something else selects rows before: from a :class:`numpy.memmap`, for example, cross-validation would copy the rows
    of each fold into memory.

    Parameters
    ----------
    source : array-like of shape (n_samples, ...)
        What the rows are read from: a :class:`numpy.memmap`, ``h5py.Dataset``, ``zarr.Array``, ``dask.array.Array``,
        a sparse matrix or array of SciPy, whose rows become dense, or anything else with the attributes ``shape`` and
        ``dtype`` whose rows can be selected by an increasing array of row numbers and by a slice.

    Attributes
    ----------
    shape : tuple of int
        The shape of the selected rows.
    dtype : numpy.dtype
        Their dtype.
    ndim : int
        The number of axes.

    Raises
    ------
    TypeError
        If `source` has no shape and dtype, or no rows that can be selected.
    ValueError
        If `source` does not know its shape, as some arrays of Dask.

    See Also
    --------
    kerasnet.features.ImageFiles : Images in files, decoded when they are needed.

    Notes
    -----
    The order of samples is another in each epoch, so rows are read one by one from all over the source. This is fast
    for a memory-mapped file. Each block of rows needs most of an HDF5 dataset, and most chunks of a zarr or Dask array.
    For many epochs convert such data once, by ``numpy.lib.format.open_memmap(path, mode="w+", ...)``.

    A `LazyArray` of a memory-mapped file is pickled as a reference to the file, and so is one of an HDF5 dataset whose
    file is open for reading: workers of joblib and Dask open the file themselves, and no rows are sent. They refuse a
    file that was changed or replaced meanwhile. All other sources are pickled whole.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from kerasnet.datasets import LazyArray
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "x.npy"), np.arange(12.0).reshape(6, 2))
    ...     X = LazyArray(np.load(Path(folder, "x.npy"), mmap_mode="r"))
    ...     some = X[[4, 0]]
    ...     print(some, np.asarray(some).tolist())
    LazyArray of shape (2, 2), float64 [[8.0, 9.0], [0.0, 1.0]]
    """

    _known = None  # what the file was like when this array was sent to another process

    def __init__(self, source):
        if issparse(source):
            source = source.tocsr()
        shape, dtype = getattr(source, "shape", None), getattr(source, "dtype", None)
        if not isinstance(shape, tuple) or not isinstance(dtype, np.dtype) or not hasattr(source, "__getitem__"):
            raise TypeError(
                "A LazyArray reads rows from something with a shape, a NumPy dtype and [row numbers]. "
                f"Received: {type(source).__name__}."
            )
        if not shape or any(math.isnan(size) for size in shape):
            raise ValueError(
                f"A LazyArray needs the number of rows and the shape of each. Received: shape {shape}. "
                "Of an array of Dask, compute_chunk_sizes() finds them."
            )
        self._origin, self._inode = source, inode_of(source)
        self._rows = range(shape[0])
        self._conversions = ()
        self._row_shape, self._row_dtype = tuple(map(int, shape[1:])), dtype

    @property
    def shape(self):
        """The shape of the selected rows."""
        return (len(self._rows), *self._row_shape)

    @property
    def dtype(self):
        """The dtype of the selected rows."""
        return self._row_dtype

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    def __len__(self):
        return len(self._rows)

    def __repr__(self):
        return f"{type(self).__name__} of shape {self.shape}, {self.dtype}"

    def __getitem__(self, key):
        if isinstance(key, tuple):
            key, *others = key or (slice(None),)
            if any(other is not Ellipsis and not _is_everything(other) for other in others):
                raise IndexError(f"A {type(self).__name__} selects rows only. Use numpy.asarray to read them first.")
        if isinstance(key, slice) or key is Ellipsis:
            rows = self._rows if key is Ellipsis else self._rows[key]
            if isinstance(rows, range) and len(rows) < 2:  # the step may be any number, and is not used
                rows = range(rows[0], rows[0] + 1) if rows else range(0)
            return self._with(rows=rows)
        key = np.asarray(key)
        if key.ndim == 0 and key.dtype.kind in "iu":
            return self._read(self._checked(key[np.newaxis]))[0]
        if key.dtype == bool and key.shape == (len(self),):
            return self._with(rows=self._selected(np.flatnonzero(key)))
        if key.ndim != 1 or key.dtype.kind not in ("iuf" if key.size == 0 else "iu"):  # numpy.array([]) is of floats
            raise IndexError(
                f"Rows of a {type(self).__name__} are selected by an int, a slice, a mask of shape ({len(self)},), or "
                f"an array of row numbers. Received: an array of shape {key.shape} and dtype {key.dtype}."
            )
        return self._with(rows=self._checked(key))

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError(f"The rows of a {type(self).__name__} are read, and always new in memory.")
        return np.asarray(self._read(self._rows), dtype=dtype)

    def __getstate__(self):
        """Keep a reference to a file in place of its content, and what tells whether it has changed."""
        source, reference = self._source, reference_to(self._source)
        if isinstance(reference, Dataset) and not is_read_only(source):
            raise ValueError(
                f"{reference.path} is open for writing, so that other processes cannot read it. Open it with "
                'h5py.File(path, "r") to send a LazyArray of it to workers.'
            )
        known = self._file_status()
        if known is None and not (reference is None and isinstance(source, np.ndarray)) and not issparse(source):
            known = uuid.uuid4().hex  # so that caches that hash pickles, such as joblib.Memory, never reuse a result
        return {**vars(self), "_origin": reference or source, "_inode": None, "_known": known}

    @property
    def _source(self):
        """What the rows are read from; in another process it is opened when it is needed."""
        if isinstance(self._origin, MappedFile | Dataset):
            path = self._origin.path
            try:
                source = self._origin.open()
            except (KeyError, OSError, ValueError) as error:
                raise DataFormatError(
                    f"{path}: expected the file that this array was sent with, found: {error}"
                ) from error
            self._origin, self._inode = source, inode_of(source)
            if isinstance(self._known, tuple) and self._file_status() != self._known:
                raise DataFormatError(
                    f"{path}: expected the file as it was when this array was sent, found a changed one."
                )
        return self._origin

    def map_rows(self, function, *arguments):
        """Return a `LazyArray` of converted rows.

        Parameters
        ----------
        function : callable
            Takes an array of some rows and returns one with as many, or the same array where there is nothing to
            convert, as its dtype or shape tell. What it returns for a row must not depend on the other rows.
        *arguments : object
            What else it is called with; hashable, as they belong to the `fingerprint`.

        Returns
        -------
        LazyArray
            It calls the function when rows are read.
        """
        zeros = np.zeros((1, *self._row_shape), self.dtype)
        one = function(zeros, *arguments)
        if one is zeros:  # nothing to convert
            return self
        conversions = (*self._conversions, (function, arguments))
        return self._with(_conversions=conversions, _row_shape=one.shape[1:], _row_dtype=one.dtype)

    def chunks(self, max_bytes):
        """Read all rows, some at a time.

        Parameters
        ----------
        max_bytes : int
            The largest size of a chunk, as far as one row is not larger.

        Yields
        ------
        chunk : ndarray of shape (n_rows, ...)
            The next rows.
        """
        size = self.rows_in(max_bytes)
        for start in range(0, len(self), size):
            yield np.asarray(self[start : start + size])

    def rows_in(self, max_bytes):
        """Return how many rows fit into some bytes, at least one."""
        row_bytes = (math.prod(each.shape[1:]) * each.dtype.itemsize for each in (self, self._source))
        return max(1, max_bytes // max(1, *row_bytes))

    def fingerprint(self):
        """Return what changes when file, rows or conversions do; None without a file, and for one open for writing."""
        status = self._file_status()
        if status is None:
            return None
        rows = self._rows if isinstance(self._rows, range) else hashlib.sha256(self._rows).digest()
        return status, rows, self._conversions

    def _file_status(self):
        """Return the place, size and modification time of the file; None where they do not tell of changes."""
        source, reference = self._source, reference_to(self._source)
        if reference is None or not is_read_only(source):
            return None
        check_size(source)
        path, status = reference.path, os.stat(reference.path)
        if self._inode not in (None, (status.st_dev, status.st_ino)):
            raise DataFormatError(f"{path}: expected the file that was opened, found another one. Open it again.")
        return reference, status.st_size, status.st_mtime_ns

    def _with(self, rows=None, **attributes):
        other = object.__new__(type(self))
        vars(other).update(vars(self), **({} if rows is None else {"_rows": rows}), **attributes)
        return other

    def _checked(self, numbers):
        """Return the rows of the source with these numbers, counted from the end when they are negative."""
        n_rows = len(self)
        beyond = numbers[(numbers < -n_rows) | (numbers >= n_rows)]
        if beyond.size:
            raise IndexError(f"Row {beyond[0]} is out of bounds: there are {n_rows} rows.")
        numbers = numbers.astype(np.intp)
        return self._selected(np.where(numbers < 0, numbers + n_rows, numbers))

    def _selected(self, numbers):
        rows = self._rows
        return rows.start + rows.step * numbers if isinstance(rows, range) else rows[numbers]

    def _read(self, rows):
        values = read_rows(self._source, rows)
        for convert, arguments in self._conversions:
            values = convert(values, *arguments)
        return values


def is_lazy(X):
    """Tell whether the rows of an array-like lie somewhere else than in memory as a dense array."""
    if isinstance(X, LazyArray) or issparse(X):
        return True
    if isinstance(X, np.ndarray):
        return mapped_file(X) is not None
    if not (isinstance(getattr(X, "dtype", None), np.dtype) and isinstance(getattr(X, "shape", None), tuple)):
        return False
    # data frames and tensors of other libraries are in memory, and say so by these protocols
    in_memory = ("__array_interface__", "__array_struct__", "__dlpack__", "__array_namespace__", "iloc")
    return bool(X.shape) and hasattr(X, "__getitem__") and not any(hasattr(X, name) for name in in_memory)


def _is_everything(key):
    return isinstance(key, slice) and key == slice(None)
