"""Read rows of memory-mapped files, HDF5 datasets, chunked arrays and sparse matrices for `LazyArray`."""

import math
import mmap
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from kerasnet.errors import DataFormatError

_MAX_GAP, _MAX_SPAN = 2**18, 2**24  # bytes of an HDF5 dataset between selected rows, and read in one call


def read_rows(source, rows):
    """Read rows of a source into memory.

    Parameters
    ----------
    source : array-like of shape (n_samples, ...)
        See `LazyArray`.
    rows : range or ndarray of int
        Row indices within bounds, in any order.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        The rows, never a view of the source.

    Raises
    ------
    DataFormatError
        If the source returns rows of an unexpected shape or dtype, or its file was truncated or removed.
    """
    check_size(source)
    if isinstance(rows, range) and rows.step == 1:
        values = _dense(source[rows.start : rows.stop])
    elif isinstance(source, np.ndarray):
        values = _dense(source[np.asarray(rows, dtype=np.intp)])
    else:
        unique, inverse = np.unique(rows, return_inverse=True)
        if is_dataset(source) and unique.size:
            values = np.concatenate([*_spans(source, unique)])[inverse]
        else:
            values = _dense(source[unique])[inverse]
    expected, found = ((len(rows), *source.shape[1:]), source.dtype), (values.shape, values.dtype)
    if found != expected:
        raise DataFormatError(f"{source}: expected rows of shape and dtype {expected}, found {found}.")
    return values


def _dense(rows):
    """Copy rows to a dense array; a slice of a memory-mapped file is only a view."""
    return rows.toarray() if issparse(rows) else np.require(rows, requirements=("OWNDATA", "ENSUREARRAY"))


def is_dataset(source):
    """Return whether a source is a dataset of an open HDF5 file."""
    return type(source).__module__.partition(".")[0] == "h5py" and hasattr(source, "file")


def _spans(dataset, rows):
    """Yield sorted rows of an HDF5 dataset slice by slice, which is much faster than reading single rows."""
    row_bytes = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    max_gap, max_rows = max(1, _MAX_GAP // row_bytes), max(1, _MAX_SPAN // row_bytes)
    is_gap = np.diff(rows) > max_gap
    for group in np.split(rows, np.flatnonzero(is_gap) + 1):
        while group.size:
            n_rows = np.searchsorted(group, group[0] + max_rows)
            yield dataset[group[0] : group[n_rows - 1] + 1][group[:n_rows] - group[0]]
            group = group[n_rows:]


def mapped_file(array):
    """Return the `numpy.memmap` that an array is a view of and that covers the mapped region; otherwise None."""
    while array is not None:
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
            return None if array.filename is None else array
        array = getattr(array, "base", None)  # as_strided adds a base that is not an array
    return None


def check_size(source):
    """Raise an error if a memory-mapped file was truncated: reading past its end would kill the process."""
    mapped = mapped_file(source) if isinstance(source, np.ndarray) else None
    if mapped is None:
        return
    path, expected = Path(mapped.filename), mapped.offset + mapped.nbytes
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise DataFormatError(
            f"{path}: expected the file that was mapped into memory, found none. Do not remove the file while it is in "
            "use, or copy the array into memory with numpy.array."
        ) from None
    if found < expected:
        raise DataFormatError(f"{path}: expected at least {expected} bytes, found {found}. The file was truncated.")


class MappedFile(NamedTuple):
    """A reference to a memory-mapped array, or a view of one, from which another process can map it."""

    path: str
    dtype: np.dtype
    offset: int
    shape: tuple
    strides: tuple

    def open(self):
        """Map the file again."""
        size = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)) + self.dtype.itemsize
        content = np.memmap(self.path, np.uint8, "r", self.offset, (size,))
        return np.ndarray(self.shape, self.dtype, content, strides=self.strides)


class Dataset(NamedTuple):
    """A reference to a dataset of an HDF5 file, from which another process can open it."""

    path: str
    name: str
    dtype: np.dtype
    shape: tuple

    def open(self):
        """Open the file again."""
        import h5py  # an optional dependency

        return h5py.File(self.path, "r")[self.name]


def reference_to(source):
    """Return a reference to the file of a source, for other processes; None if the source is not stored in a file."""
    if is_dataset(source):
        path = os.path.abspath(source.file.filename)
        is_in_file = source.name is not None and os.path.isfile(path)
        return Dataset(path, source.name, source.dtype, source.shape) if is_in_file else None
    mapped = mapped_file(source) if isinstance(source, np.ndarray) else None
    if mapped is None or mapped.mode == "c" or min(source.strides) < 0 or not source.size:
        return None
    start = source.__array_interface__["data"][0] - mapped.__array_interface__["data"][0]
    return MappedFile(str(mapped.filename), source.dtype, mapped.offset + start, source.shape, source.strides)


def is_read_only(source):
    """Return whether this process cannot write to the file of a source; writes may update its status with a delay."""
    if is_dataset(source):
        return source.file.mode == "r"
    mapped = mapped_file(source) if isinstance(source, np.ndarray) else None
    return mapped is not None and mapped.mode == "r"


def inode_of(source):
    """Return the device and inode of the file of a source; None if it has no file."""
    reference = reference_to(source)
    if reference is None:
        return None
    try:
        status = os.stat(reference.path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
