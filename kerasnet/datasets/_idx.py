"""Read files in the IDX format, which MNIST and similar datasets use."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnet.errors import DataFormatError, UnsafeFileError

if TYPE_CHECKING:
    import numpy.typing as npt

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 64  # NumPy's limit


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = 1_000_000_000) -> npt.NDArray[Any]:
    """Read an array from an IDX file, compressed with gzip or not.

    Compression is detected by the content of the file, not by its name. The size in the header is compared with
    `max_bytes` before memory is allocated, and only as many bytes are decompressed.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int, default=1_000_000_000
        The maximum size of the decompressed array, in bytes.

    Returns
    -------
    ndarray
        The array, with 1 to 64 dimensions and dtype uint8, int8, int16, int32, float32 or float64 in native byte
        order.

    Raises
    ------
    DataFormatError
        If the file is not an IDX file, is shorter or longer than its header says, or its gzip compression is
        damaged. Offsets in the message count decompressed bytes.
    UnsafeFileError
        If the array is larger than `max_bytes`.
    OSError
        If the file cannot be opened.

    References
    ----------
    Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", section "The IDX file
    format", 1998.

    Examples
    --------
    >>> import tempfile
    >>> from kerasnet.datasets import read_idx
    >>> with tempfile.NamedTemporaryFile() as file:  # uint8 (8), 2 dimensions, 2 x 3, and the six values
    ...     _ = file.write(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6)))
    ...     file.flush()
    ...     read_idx(file.name)
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint8)
    """
    with open(path, "rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not is_compressed:
            return _read_array(file, path, max_bytes)
        try:
            return _read_array(gzip.GzipFile(fileobj=file), path, max_bytes)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise DataFormatError(f"{path}: expected a valid gzip file, found: {error}.") from error


def _read_array(file, path, max_bytes):
    shape, dtype = _read_header(file, path)
    array_type = f"{dtype.name}{list(shape)}"
    expected = math.prod(shape) * dtype.itemsize
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > max_bytes:  # NumPy counts a 0 as 1
        raise UnsafeFileError(f"{path}: {array_type} is larger than {max_bytes} bytes, the maximum size.")
    content = file.read(expected + 1)
    if len(content) != expected:
        found = f"only {len(content)}" if len(content) < expected else "more"
        offset = 4 + 4 * len(shape)
        raise DataFormatError(f"{path}: offset {offset}: expected {expected} bytes for {array_type}, found {found}.")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(file, path):
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataFormatError(
            f"{path}: offset 0: expected 00 00, type and dimensions, found {magic.hex(' ') or 'nothing'}."
        )
    if magic[2] not in _TYPES:
        known = ", ".join(f"{code:02x}" for code in _TYPES)
        raise DataFormatError(f"{path}: offset 2: expected a type among {known}, found {magic[2]:02x}.")
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise DataFormatError(f"{path}: offset 3: expected 1 to {_MAX_DIMENSIONS} dimensions, found {magic[3]}.")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DataFormatError(
            f"{path}: offset 4: expected {magic[3]} lengths of 4 bytes, found {len(lengths)} bytes in total."
        )
    return struct.unpack(f">{magic[3]}I", lengths), np.dtype(_TYPES[magic[2]])
