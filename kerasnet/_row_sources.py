"""What the rows of a `LazyArray` are read from: arrays in files, chunked stores and sparse matrices."""

import math
import mmap
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from kerasnet.errors import DataFormatError

_GAP, _SPAN = 2**18, 2**24  # bytes of an HDF5 dataset that are read although not selected, and that are read at once


def read_rows(source, rows):
    """Return rows of a source as an array in memory.

    Parameters
    ----------
    source : array-like of shape (n_samples, ...)
        See `LazyArray`.
    rows : range or ndarray of int
        Row numbers within bounds, in any order.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        With memory of its own.

    Raises
    ------
    DataFormatError
        If the source gives rows of another shape, or its file has become shorter.
    """
    check_size(source)
    if isinstance(rows, range) and rows.step == 1:
        values = _dense(source[rows.start : rows.stop])
    elif isinstance(source, np.ndarray):
        values = _dense(source[np.asarray(rows, dtype=np.intp)])
    else:
        increasing, places = np.unique(rows, return_inverse=True)
        if is_dataset(source) and increasing.size:
            values = np.concatenate([*_spans(source, increasing)])[places]
        else:
            values = _dense(source[increasing])[places]
    expected, found = ((len(rows), *source.shape[1:]), source.dtype), (values.shape, values.dtype)
    if found != expected:
        raise DataFormatError(f"{source}: expected rows of shape and dtype {expected}, found {found}.")
    return values


def _dense(rows):
    """Return rows as an array of their own: a slice of a mapped file is a view that is not read yet."""
    return rows.toarray() if issparse(rows) else np.require(rows, requirements=("OWNDATA", "ENSUREARRAY"))


def is_dataset(source):
    """Tell whether a source is a dataset of an open HDF5 file."""
    return type(source).__module__.partition(".")[0] == "h5py" and hasattr(source, "file")


def _spans(dataset, rows):
    """Yield increasing rows of an HDF5 dataset, which reads a slice far faster than single rows of it."""
    row_bytes = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    furthest, longest = max(1, _GAP // row_bytes), max(1, _SPAN // row_bytes)
    far = np.diff(rows) > furthest
    for near in np.split(rows, np.flatnonzero(far) + 1):
        while near.size:
            n_rows = np.searchsorted(near, near[0] + longest)
            yield dataset[near[0] : near[n_rows - 1] + 1][near[:n_rows] - near[0]]
            near = near[n_rows:]


def mapped_file(array):
    """Return the memory-mapped file that an array is a view of, as the array that covers it; None for others."""
    while array is not None:
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
            return None if array.filename is None else array
        array = getattr(array, "base", None)  # not always of an array: as_strided has an object of its own between
    return None


def check_size(source):
    """Refuse a mapped file that has become shorter: reading behind its end would kill the process."""
    mapped = mapped_file(source) if isinstance(source, np.ndarray) else None
    if mapped is None:
        return
    path, expected = Path(mapped.filename), mapped.offset + mapped.nbytes
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise DataFormatError(
            f"{path}: expected the file that was mapped into memory, found none. Map a file that stays where it is, or "
            "copy the array into memory, with numpy.array."
        ) from None
    if found < expected:
        raise DataFormatError(f"{path}: expected at least {expected} bytes, found {found}. It was changed meanwhile.")


class MappedFile(NamedTuple):
    """A memory-mapped array, or a view of one, as what another process needs to map it."""

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
    """A dataset of an HDF5 file, as what another process needs to open it."""

    path: str
    name: str
    dtype: np.dtype
    shape: tuple

    def open(self):
        """Open the file again."""
        import h5py  # optional

        return h5py.File(self.path, "r")[self.name]


def reference_to(source):
    """Return the place of a source in a file, for other processes; None where it is not in one as it is."""
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
    """Tell whether this process cannot change the file of a source: changes may reach a file's status late."""
    if is_dataset(source):
        return source.file.mode == "r"
    mapped = mapped_file(source) if isinstance(source, np.ndarray) else None
    return mapped is not None and mapped.mode == "r"


def inode_of(source):
    """Return what tells the file of a source from another one of the same path; None where there is no file."""
    reference = reference_to(source)
    if reference is None:
        return None
    try:
        status = os.stat(reference.path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
