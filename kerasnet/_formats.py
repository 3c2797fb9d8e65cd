"""Parse JSON, zip, npz and npy content within size limits and without running code. No files are opened here."""

import contextlib
import hashlib
import io
import json
import math
import struct
import zipfile

import numpy as np

from kerasnet.errors import CorruptFileError, DataFormatError, KerasNetError, UnsafeFileError

_MAX_NPY_HEADER = 10_000  # NumPy's limit: longer headers are slow to parse
_MAX_DEPTH = 100
_MAX_CONTAINERS = 300_000
_END_OF_ZIP = struct.Struct("<4s4H2LH")
_MAX_ENTRY = 1000  # bytes per member in the central directory of an archive


def parse_json(content, where, *, max_depth=_MAX_DEPTH):
    """Parse JSON.

    Parameters
    ----------
    content : bytes
        The JSON text. The caller limits its size.
    where : str or path-like
        The location of `content`, for messages.
    max_depth : int, default=100
        The maximum nesting depth of lists and objects.

    Returns
    -------
    object
        The parsed value.

    Raises
    ------
    UnsafeFileError
        If it is nested deeper than `max_depth` or has more than 300,000 lists and objects.
    CorruptFileError
        If it is not valid JSON in UTF-8.
    """
    too_deep_error = UnsafeFileError(f"{where}: expected JSON nested at most {max_depth} deep, found deeper nesting.")
    if content.count(b"[") + content.count(b"{") > _MAX_CONTAINERS:  # each takes about 100 bytes of memory
        raise UnsafeFileError(f"{where}: expected JSON of at most {_MAX_CONTAINERS} lists and objects, found more.")
    try:
        parsed = json.loads(content)
    except RecursionError:
        raise too_deep_error from None
    except (ValueError, MemoryError) as error:  # UnicodeDecodeError is a ValueError
        raise CorruptFileError(f"{where}: expected JSON in UTF-8, found: {error}.") from error
    level, depth = [parsed], 0
    while level := [entry for value in level if isinstance(value, dict | list) for entry in _entries(value)]:
        depth += 1
        if depth > max_depth:
            raise too_deep_error
    return parsed


def _entries(value):
    return value.values() if isinstance(value, dict) else value


@contextlib.contextmanager
def open_zip(content, where, *, max_members, kind="a zip archive", stored=False):
    """Open a zip archive without leading or trailing data and without duplicate members.

    Parameters
    ----------
    content : bytes
        The archive.
    where : str or path-like
        Its location, for messages.
    max_members : int
        The maximum number of members. They are counted before the central directory is read.
    kind : str, default="a zip archive"
        The expected kind of file, for messages.
    stored : bool, default=False
        Whether to reject compressed members.

    Yields
    ------
    zipfile.ZipFile
        The archive, open for reading.

    Raises
    ------
    DataFormatError
        If `content` is not a zip archive.
    UnsafeFileError
        If it has too many, duplicate or overlapping members, or compressed ones if `stored` is True.
    CorruptFileError
        If it is damaged. This may be raised inside the ``with`` block only.
    """
    if content[:4] not in (b"PK\3\4", b"PK\5\6") or len(content) < _END_OF_ZIP.size:
        raise DataFormatError(f"{where}: expected {kind}, found {content[:8]!r} at its beginning.")
    signature, _, _, _, n_members, size, start, _ = _END_OF_ZIP.unpack(content[-_END_OF_ZIP.size :])
    is_zip64 = content[-_END_OF_ZIP.size - 20 :].startswith(b"PK\6\7")  # not supported
    if signature != b"PK\5\6" or start + size + _END_OF_ZIP.size != len(content) or is_zip64:
        raise CorruptFileError(f"{where}: expected {kind}, found something else at its end.")
    if n_members > max_members or size > n_members * _MAX_ENTRY:
        raise UnsafeFileError(f"{where}: expected at most {max_members} members, found {n_members} in {size} bytes.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if len({info.filename for info in infos}) < len(infos) or len(infos) != n_members:
                raise UnsafeFileError(f"{where}: expected unique member names, found duplicates.")
            if sum(info.compress_size for info in infos) > len(content):
                raise UnsafeFileError(f"{where}: expected members that do not overlap.")
            compressed = [info for info in infos if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1]
            if stored and (compressed or any(info.file_size != info.compress_size for info in infos)):
                raise UnsafeFileError(f"{where}: expected uncompressed members, found some compressed or encrypted.")
            yield archive
    except KerasNetError:
        raise
    except Exception as error:  # zipfile, its decompressors and NumPy raise many types
        raise CorruptFileError(f"{where}: expected {kind}, found: {error}.") from error


def is_kept_as(found, dtype):
    """Return whether npz files store arrays of `dtype` as dtype `found`; they store bfloat16 as raw bytes."""
    return found == dtype or (found.kind == dtype.kind == "V" and found.itemsize == dtype.itemsize)


def check_sha256(content, expected, where):
    """Raise CorruptFileError if the hexadecimal SHA-256 hash of `content` is not `expected`."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise CorruptFileError(f"{where}: expected sha256 {expected}, found {found}.")


def parse_npz(content, where, *, names=None, max_bytes, max_members=100_000, stored=False):
    """Parse an npz file without pickles.

    Names, dtypes, shapes and sizes are checked for consistency before memory is allocated.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str or path-like
        Its location, for messages.
    names : sequence of str, default=None
        The arrays to read; all of them if None.
    max_bytes : int
        The maximum total size of the arrays, in bytes.
    max_members : int, default=100_000
        The maximum number of arrays.
    stored : bool, default=False
        Whether to reject compressed arrays.

    Returns
    -------
    dict of str to ndarray
        The arrays by name.

    Raises
    ------
    UnsafeFileError
        If the arrays are larger than `max_bytes`, there are too many, or an array contains Python objects.
    CorruptFileError
        If an array is missing, or the file is damaged.
    """
    with _open_npz(content, where, max_members, stored) as (archive, members):
        missing = sorted(set(names or ()) - set(members))
        if missing:
            raise CorruptFileError(f"{where}: expected arrays {missing}, found only {sorted(members)}.")
        wanted = list(members if names is None else names)
        total = sum(members[name].file_size for name in wanted)
        if total > max_bytes:
            raise UnsafeFileError(f"{where}: its arrays take {total} bytes, more than {max_bytes}.")
        return {name: _read_array(archive, members[name], f"{where}: {name}") for name in wanted}


def read_headers(content, where, *, max_members=100_000):
    """Read the dtypes and shapes of the arrays in an uncompressed npz file, without reading the arrays.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str or path-like
        Its location, for messages.
    max_members : int, default=100_000
        The maximum number of arrays.

    Returns
    -------
    dict of str to (numpy.dtype, tuple of int)
        The dtype and shape of each array, by name.

    Raises
    ------
    UnsafeFileError
        If there are too many arrays, or an array is compressed or contains Python objects.
    CorruptFileError
        If the file is damaged, or the size of an array does not match its dtype and shape.
    """
    with _open_npz(content, where, max_members, stored=True) as (archive, members):
        return {name: _read_header(archive, info, f"{where}: {name}") for name, info in members.items()}


@contextlib.contextmanager
def _open_npz(content, where, max_members, stored):
    """Open an npz file; yield it and a dict from array names to entries of its central directory."""
    try:
        with open_zip(content, where, max_members=max_members, kind="an npz file of arrays", stored=stored) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise CorruptFileError(f"{where}: expected unique array names, found duplicates.")
            yield archive, members
    except DataFormatError as error:
        raise CorruptFileError(str(error)) from error


def _read_header(archive, info, where):
    """Read the dtype and shape of one npy member; `info` is its entry in the central directory."""
    with archive.open(info) as member:
        return read_npy_header(member, info.file_size, where)[:2]


def _read_array(archive, info, where):
    """Read one npy member; `info` is its entry in the central directory."""
    with archive.open(info) as member:
        dtype, shape, fortran_order = read_npy_header(member, info.file_size, where)
        content = bytearray(member.read(info.file_size))
        return np.ndarray(shape, dtype, buffer=content, order="F" if fortran_order else "C")


def read_npy_header(file, size, where):
    """Read the header of a file in NumPy's npy format, and check it against the size of the file.

    Parameters
    ----------
    file : binary file object
        The file, positioned at its beginning. It is read to the end of the header.
    size : int
        The total size of the file, in bytes.
    where : str
        The location of the file, for messages.

    Returns
    -------
    dtype : numpy.dtype
        The dtype of the array, without Python objects.
    shape : tuple of int
        The shape of the array.
    fortran_order : bool
        Whether the array is in Fortran order.

    Raises
    ------
    UnsafeFileError
        If the array contains Python objects.
    CorruptFileError
        If the header is invalid, or the array does not have the size of the rest of the file.
    """
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"expected npy format 1.0 or 2.0, found {version}")
        shape, fortran_order, dtype = read_header(file, max_header_size=_MAX_NPY_HEADER)
    except Exception as error:  # NumPy parses it as a Python literal, which raises many types
        raise CorruptFileError(f"{where}: expected an array in npy format, found: {error}.") from error
    if dtype.hasobject:
        raise UnsafeFileError(f"{where}: expected plain numbers, found Python objects ({dtype}).")
    if not dtype.itemsize or not all(type(each) is int and each >= 0 for each in shape) or len(shape) > 64:
        raise CorruptFileError(f"{where}: expected an array of numbers or strings, found {dtype}{list(shape)!r:.100}.")
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if expected != found:
        raise CorruptFileError(f"{where}: {dtype}{list(shape)} takes {expected} bytes, found {found}.")
    return dtype, shape, fortran_order
