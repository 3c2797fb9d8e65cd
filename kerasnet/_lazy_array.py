"""Arrays whose rows are read on demand."""

from __future__ import annotations

import hashlib
import math
import os
import uuid
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt


class LazyArray:
    """Array whose rows are read on demand.

    Selecting rows by a slice, row indices or a boolean mask returns another `LazyArray` without reading any data;
    :func:`numpy.asarray` reads the rows. Therefore :func:`~sklearn.model_selection.train_test_split`,
    :class:`~sklearn.model_selection.GridSearchCV` and most meta-estimators of scikit-learn do not copy the data, and
    the estimators of kerasnet read the rows of the next training steps while the current ones are computed.

    Estimators of kerasnet convert the arrays listed below to a `LazyArray` themselves. Create one explicitly when rows
    are selected before that: with a :class:`numpy.memmap`, for example, cross-validation would copy the rows of each
    fold into memory.

    Parameters
    ----------
    source : array-like of shape (n_samples, ...)
        The array to read from: a :class:`numpy.memmap`, ``h5py.Dataset``, ``zarr.Array``, ``dask.array.Array``, a
        SciPy sparse matrix or array, whose rows are converted to dense, or any object with the attributes ``shape``
        and ``dtype`` that supports indexing by a slice and by a sorted array of row indices.

    Attributes
    ----------
    shape : tuple of int
        The shape of the selected rows.
    dtype : numpy.dtype
        The dtype of the selected rows.
    ndim : int
        The number of axes.

    Raises
    ------
    TypeError
        If `source` has no shape or no NumPy dtype, or cannot be indexed.
    ValueError
        If the shape of `source` is unknown, as for some Dask arrays.

    See Also
    --------
    kerasnet.features.ImageFiles : Image files that are decoded on demand.

    Notes
    -----
    Samples are shuffled in each epoch, so rows are read in random order. This is fast for a memory-mapped file. With an
    HDF5 dataset, a zarr or a Dask array, reading a block of random rows may read most of the dataset or most chunks.
    For training over many epochs, convert such data once with
    ``numpy.lib.format.open_memmap(path, mode="w+", ...)``.

    A `LazyArray` of a memory-mapped file, or of an HDF5 dataset whose file is open for reading, is pickled as a
    reference to the file: joblib and Dask workers open the file themselves, and no rows are sent. They raise an error
    if the file was changed or replaced in the meantime. All other sources are pickled by value.

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

    _known: Any = None  # the status of the file when this array was pickled

    def __init__(self, source: Any) -> None:
        source = _to_csr(source)
        shape, dtype = getattr(source, "shape", None), getattr(source, "dtype", None)
        if not isinstance(shape, tuple) or not isinstance(dtype, np.dtype) or not hasattr(source, "__getitem__"):
            raise TypeError(
                "source must have a shape and a NumPy dtype, and support indexing by row indices. "
                f"Received: {type(source).__name__}."
            )
        if not shape or any(math.isnan(size) for size in shape):
            raise ValueError(
                f"source must have a known shape with at least one dimension. Received: shape {shape}. "
                "For a Dask array, call compute_chunk_sizes() first."
            )
        self._origin, self._inode = source, inode_of(source)
        self._rows: Any = range(shape[0])
        self._conversions: tuple[Any, ...] = ()
        self._row_shape, self._row_dtype = tuple(map(int, shape[1:])), dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the selected rows."""
        return (len(self._rows), *self._row_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the selected rows."""
        return self._row_dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of shape {self.shape}, {self.dtype}"

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            key, *others = key or (slice(None),)
            if any(other is not Ellipsis and not _is_full_slice(other) for other in others):
                raise IndexError(
                    f"Only rows of a {type(self).__name__} can be selected. Use numpy.asarray to read them first."
                )
        if isinstance(key, slice) or key is Ellipsis:
            rows = self._rows if key is Ellipsis else self._rows[key]
            if isinstance(rows, range) and len(rows) < 2:  # normalize the step, which is not used
                rows = range(rows[0], rows[0] + 1) if rows else range(0)
            return self._copy(rows=rows)
        key = np.asarray(key)
        if key.ndim == 0 and key.dtype.kind in "iu":
            return self._read(self._validate_rows(key[np.newaxis]))[0]
        if key.dtype == bool and key.shape == (len(self),):
            return self._copy(rows=self._source_rows(np.flatnonzero(key)))
        if key.ndim != 1 or key.dtype.kind not in ("iuf" if key.size == 0 else "iu"):  # np.array([]) has dtype float
            raise IndexError(
                f"Rows of a {type(self).__name__} are selected by an int, a slice, a mask of shape ({len(self)},), or "
                f"an array of row indices. Received: an array of shape {key.shape} and dtype {key.dtype}."
            )
        return self._copy(rows=self._validate_rows(key))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"Converting a {type(self).__name__} to an array always copies. Received: copy=False.")
        return np.asarray(self._read(self._rows), dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: a reference to the file instead of its content, and the status of the file."""
        source, reference = self._source, reference_to(self._source)
        if isinstance(reference, Dataset) and not is_read_only(source):
            raise ValueError(
                f"{reference.path} is open for writing, so other processes cannot read it. Open it with "
                'h5py.File(path, "r") to send a LazyArray of it to workers.'
            )
        status = self._file_status()
        if status is None and not (reference is None and isinstance(source, np.ndarray)) and not issparse(source):
            status = uuid.uuid4().hex  # caches that hash pickles, such as joblib.Memory, then never reuse a result
        return {**vars(self), "_origin": reference or source, "_inode": None, "_known": status}

    @property
    def _source(self):
        """The array to read from; after unpickling, its file is opened on first use."""
        if isinstance(self._origin, MappedFile | Dataset):
            path = self._origin.path
            try:
                source = self._origin.open()
            except (KeyError, OSError, ValueError) as error:
                raise DataFormatError(
                    f"{path}: expected the file that this array was pickled with, found: {error}"
                ) from error
            self._origin, self._inode = source, inode_of(source)
            if isinstance(self._known, tuple) and self._file_status() != self._known:
                raise DataFormatError(
                    f"{path}: expected the file as it was when this array was pickled, found a changed one."
                )
        return self._origin

    def map_rows(self, function: Callable[..., npt.NDArray[Any]], *arguments: Any) -> LazyArray:
        """Return a `LazyArray` whose rows are converted when they are read.

        Parameters
        ----------
        function : callable
            Takes an array of rows and returns an array with as many rows, or the same array if its dtype and shape
            need no conversion. The result for a row must not depend on the other rows.
        *arguments : object
            Further arguments of the function. They must be hashable, because they are part of the `fingerprint`.

        Returns
        -------
        LazyArray
            The converted array.
        """
        zeros = np.zeros((1, *self._row_shape), self.dtype)
        converted = function(zeros, *arguments)
        if converted is zeros:  # no conversion needed
            return self
        conversions = (*self._conversions, (function, arguments))
        return self._copy(_conversions=conversions, _row_shape=converted.shape[1:], _row_dtype=converted.dtype)

    def chunks(self, max_bytes: int) -> Iterator[npt.NDArray[Any]]:
        """Read all rows in chunks.

        Parameters
        ----------
        max_bytes : int
            The maximum size of a chunk in bytes. A chunk has at least one row.

        Yields
        ------
        chunk : ndarray of shape (n_rows, ...)
            The rows of the chunk.
        """
        size = self.rows_in(max_bytes)
        for start in range(0, len(self), size):
            yield np.asarray(self[start : start + size])

    def rows_in(self, max_bytes: int) -> int:
        """Return the number of rows that fit into `max_bytes`, at least 1."""
        row_bytes = (math.prod(each.shape[1:]) * each.dtype.itemsize for each in (self, self._source))
        return max(1, max_bytes // max(1, *row_bytes))

    def fingerprint(self) -> Any:
        """Return a value that identifies the file and its status, the selected rows and the conversions.

        It is None if the source is not a file, or the file is open for writing.
        """
        status = self._file_status()
        if status is None:
            return None
        rows = self._rows if isinstance(self._rows, range) else hashlib.sha256(self._rows).digest()
        return status, rows, self._conversions

    def _file_status(self):
        """Return a reference to the file, its size and modification time; None if they cannot detect changes."""
        source, reference = self._source, reference_to(self._source)
        if reference is None or not is_read_only(source):
            return None
        check_size(source)
        path, status = reference.path, os.stat(reference.path)
        if self._inode not in (None, (status.st_dev, status.st_ino)):
            raise DataFormatError(f"{path}: expected the file that was opened, found another one. Open it again.")
        return reference, status.st_size, status.st_mtime_ns

    def _copy(self, rows=None, **attributes):
        other = object.__new__(type(self))
        vars(other).update(vars(self), **({} if rows is None else {"_rows": rows}), **attributes)
        return other

    def _validate_rows(self, indices):
        """Return rows of the source; negative indices count from the end."""
        n_rows = len(self)
        invalid = indices[(indices < -n_rows) | (indices >= n_rows)]
        if invalid.size:
            raise IndexError(f"Row {invalid[0]} is out of bounds: there are {n_rows} rows.")
        indices = indices.astype(np.intp)
        return self._source_rows(np.where(indices < 0, indices + n_rows, indices))

    def _source_rows(self, indices):
        rows = self._rows
        return rows.start + rows.step * indices if isinstance(rows, range) else rows[indices]

    def _read(self, rows):
        values = read_rows(self._source, rows)
        for convert, arguments in self._conversions:
            values = convert(values, *arguments)
        return values


def is_lazy(X):
    """Return whether an array-like is not a dense array in memory."""
    if isinstance(X, LazyArray) or issparse(X):
        return True
    if isinstance(X, np.ndarray):
        return mapped_file(X) is not None
    if not (isinstance(getattr(X, "dtype", None), np.dtype) and isinstance(getattr(X, "shape", None), tuple)):
        return False
    # data frames and tensors of other libraries are in memory, and support these protocols
    in_memory = ("__array_interface__", "__array_struct__", "__dlpack__", "__array_namespace__", "iloc")
    return bool(X.shape) and hasattr(X, "__getitem__") and not any(hasattr(X, name) for name in in_memory)


def _to_csr(source):
    """Convert a sparse matrix to CSR format, which supports selecting rows; return other sources unchanged."""
    return source.tocsr() if issparse(source) else source


def _is_full_slice(key):
    return isinstance(key, slice) and key == slice(None)
