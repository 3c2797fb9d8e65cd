"""Files: written whole or not at all, read within bounds and without running code.

This is the only way the package writes a file or reads arrays and JSON.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import logging
import math
import os
import re
import shutil
import stat
import struct
import uuid
import zipfile
from pathlib import Path

import numpy as np

from kerasnet.errors import CorruptFileError, DataFormatError, KerasNetError, UnsafeFileError

_MAX_NPY_HEADER = 10_000  # numpy's own limit: longer headers cost too much to parse
_MAX_DEPTH = 100
_MAX_CONTAINERS = 300_000
_END_OF_ZIP = struct.Struct("<4s4H2LH")
_MAX_ENTRY = 1000  # bytes of an archive's directory for one member

log = logging.getLogger("kerasnet.files")  # at level DEBUG, each step of a write


@contextlib.contextmanager
def atomic_file(path, *, durable=True):
    """Write a file that appears whole, under its name, when the ``with`` block ends without an error.

    The bytes go to a temporary file in the same folder, reach the disk (fsync) and then take the name in one
    step (``os.replace``). Whatever goes wrong before, an earlier file of that name stays as it was.

    Parameters
    ----------
    path : str or path-like
        The file to write; its folder must exist.
    durable : bool, default=True
        Whether to wait for the disk. Without, a killed process still leaves whole files only, but a machine that
        loses its power may not: for what can be made again.

    Yields
    ------
    file : binary file object
        Open for writing.
    """
    path = Path(os.path.realpath(path))
    try:
        with _temporary(path, folder=False) as (temporary, descriptor):
            log.debug("%s: made a temporary file", path)
            with os.fdopen(os.dup(descriptor), "wb") as file:
                yield file
                file.flush()
                log.debug("%s: wrote it", path)
                if durable:
                    os.fsync(file.fileno())
                    log.debug("%s: synced it", path)
            os.replace(temporary, path)
            log.debug("%s: replaced the file", path)
            if durable:
                _sync(path.parent)
                log.debug("%s: synced its folder", path)
    except OSError as error:
        if error.filename is None or str(error.filename).endswith(".tmp"):
            error.filename, error.filename2 = str(path), None  # what the caller knows
        raise


@contextlib.contextmanager
def atomic_folder(path):
    """Fill a folder that appears whole, under its name, when the ``with`` block ends without an error.

    Parameters
    ----------
    path : str or path-like
        The folder to make. It may exist only if it is empty; folders above it are made when they are missing.

    Yields
    ------
    folder : pathlib.Path
        A temporary folder beside `path` to write into.

    Raises
    ------
    OSError
        If `path` exists and is not an empty folder, or if it cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"{path} exists and is not an empty folder. Choose another name, or remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(f"{error.filename} is a file; a folder is needed there.") from error
    with _temporary(path, folder=True) as (temporary, _):
        yield temporary
        for written in temporary.rglob("*"):
            _sync(written)
        _sync(temporary)
        os.rename(temporary, path)
        _sync(path.parent)


@contextlib.contextmanager
def _temporary(path, folder):
    """Make a temporary sibling of `path` and remove it at the end, if it is still there.

    The temporary is locked for as long as its writer lives. The system drops the lock of a killed process, so
    what can be locked by another is a leftover: it is swept here, before the next write.
    """
    sweep_leftovers(path.parent)
    while True:
        temporary = path.parent / f".{path.name[:50]}.{uuid.uuid4().hex}.tmp"  # no name may have 256 bytes
        if folder:
            temporary.mkdir()
            descriptor = os.open(temporary, os.O_RDONLY)
        else:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                break
        os.close(descriptor)  # another process swept it between its making and its locking
    try:
        yield temporary, descriptor
    finally:
        os.close(descriptor)
        _remove(temporary)


def sweep_leftovers(folder):
    """Remove what killed writers have left in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where :func:`atomic_file` and :func:`atomic_folder` wrote.
    """
    for leftover in folder.glob(".*.tmp"):
        if re.fullmatch(r"\..+\.[0-9a-f]{32}\.tmp", leftover.name):
            with contextlib.suppress(OSError):  # alive, or swept by somebody else
                _sweep(leftover)


def _sweep(leftover):
    descriptor = os.open(leftover, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(leftover)
    finally:
        os.close(descriptor)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bytes(path, *, max_bytes):
    """Read the whole of a file of a bounded size.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int
        The largest size that is read.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    UnsafeFileError
        If the file is larger than `max_bytes`, or is no regular file.
    """
    status = os.stat(os.fspath(path))
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # it might never end, or never begin
        raise UnsafeFileError(f"{path}: expected a file, found a device, a pipe or a socket.")
    if status.st_size <= max_bytes:
        with open(path, "rb") as file:
            content = file.read(max(status.st_size, 1) + 1)  # Python asks for all the memory it might need
        if len(content) <= max_bytes:
            return content
    raise UnsafeFileError(f"{path}: larger than {max_bytes} bytes, the most that is read.")


def read_json(path, *, max_bytes=1_000_000):
    """Read a JSON file of a bounded size.

    Parameters
    ----------
    path : str or path-like
        The file, in UTF-8.
    max_bytes : int, default=1_000_000
        The largest size that is read.

    Returns
    -------
    object
        What the file says: dicts, lists, strings, numbers, booleans and None.

    Raises
    ------
    UnsafeFileError
        If the file is larger than `max_bytes`, or nested too deep.
    CorruptFileError
        If it is not JSON in UTF-8.
    """
    return parse_json(read_bytes(path, max_bytes=max_bytes), path)


def parse_json(content, where, *, max_depth=_MAX_DEPTH):
    """Parse JSON.

    Parameters
    ----------
    content : bytes
        Of a bounded size.
    where : str or path-like
        The place of `content`, for messages.
    max_depth : int, default=100
        How deep lists and objects may be nested.

    Returns
    -------
    object
        What it says.

    Raises
    ------
    UnsafeFileError
        If it is nested deeper than `max_depth`.
    CorruptFileError
        If it is not JSON in UTF-8.
    """
    too_deep = UnsafeFileError(f"{where}: expected JSON nested at most {max_depth} deep, found deeper.")
    if content.count(b"[") + content.count(b"{") > _MAX_CONTAINERS:  # each takes a hundred bytes
        raise UnsafeFileError(f"{where}: expected JSON of at most {_MAX_CONTAINERS} lists and objects, found more.")
    try:
        found = json.loads(content)
    except RecursionError:
        raise too_deep from None
    except (ValueError, MemoryError) as error:  # a UnicodeDecodeError is one
        raise CorruptFileError(f"{where}: expected JSON in UTF-8, found: {error}.") from error
    level, depth = [found], 0
    while level := [entry for value in level if isinstance(value, dict | list) for entry in _entries(value)]:
        depth += 1
        if depth > max_depth:
            raise too_deep
    return found


def _entries(value):
    return value.values() if isinstance(value, dict) else value


@contextlib.contextmanager
def open_zip(content, where, *, max_members, kind="a zip archive", stored=False):
    """Open a zip archive of a plain form: one archive and nothing else, and no member twice.

    Parameters
    ----------
    content : bytes
        The archive.
    where : str or path-like
        Its place, for messages.
    max_members : int
        How many members it may have. They are counted before the directory is read.
    kind : str, default="a zip archive"
        What was expected, for messages.
    stored : bool, default=False
        Whether members must not be packed.

    Yields
    ------
    zipfile.ZipFile
        Open for reading.

    Raises
    ------
    DataFormatError
        If it is no zip archive.
    UnsafeFileError
        If it has too many members, or a member twice.
    CorruptFileError
        If it is damaged, which may show in the ``with`` block only.
    """
    if content[:4] not in (b"PK\3\4", b"PK\5\6") or len(content) < _END_OF_ZIP.size:
        raise DataFormatError(f"{where}: expected {kind}, found {content[:8]!r} at its beginning.")
    mark, _, _, _, n_members, size, start, _ = _END_OF_ZIP.unpack(content[-_END_OF_ZIP.size :])
    elsewhere = content[-_END_OF_ZIP.size - 20 :].startswith(b"PK\6\7")  # a directory for large archives, unread by us
    if mark != b"PK\5\6" or start + size + _END_OF_ZIP.size != len(content) or elsewhere:
        raise CorruptFileError(f"{where}: expected {kind}, found something else at its end.")
    if n_members > max_members or size > n_members * _MAX_ENTRY:
        raise UnsafeFileError(f"{where}: expected at most {max_members} members, found {n_members} in {size} bytes.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if len({info.filename for info in infos}) < len(infos) or len(infos) != n_members:
                raise UnsafeFileError(f"{where}: expected every member once, found a name twice.")
            if sum(info.compress_size for info in infos) > len(content):
                raise UnsafeFileError(f"{where}: expected members that do not overlap.")
            packed = [info for info in infos if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1]
            if stored and (packed or any(info.file_size != info.compress_size for info in infos)):
                raise UnsafeFileError(f"{where}: expected members as they are, found some packed or encrypted.")
            yield archive
    except KerasNetError:
        raise
    except Exception as error:  # zipfile, its unpackers and NumPy raise many kinds
        raise CorruptFileError(f"{where}: expected {kind}, found: {error}.") from error


def read_npz(path, *, names=None, max_bytes, sha256=None):
    """Read arrays from an npz file of a bounded size, without pickles.

    Parameters
    ----------
    path : str or path-like
        The file.
    names : sequence of str, default=None
        The arrays to read; all of them when None.
    max_bytes : int
        The largest size of the file, and of all its arrays together, that is read.
    sha256 : str, default=None
        When given, what the hash of the whole file must be (hexadecimal).

    Returns
    -------
    dict of str to ndarray
        The arrays under their names.

    Raises
    ------
    UnsafeFileError
        If file or arrays are larger than `max_bytes`, or an array holds Python objects.
    CorruptFileError
        If the hash differs, a name is missing, or the file is damaged.
    """
    content = read_bytes(path, max_bytes=max_bytes)
    check_sha256(content, sha256, path)
    return parse_npz(content, path, names=names, max_bytes=max_bytes)


def check_sha256(content, expected, where):
    """Raise CorruptFileError where the hash (hexadecimal) of `content` is not the expected one, unless that is None."""
    found = hashlib.sha256(content).hexdigest()
    if expected is not None and found != expected:
        raise CorruptFileError(f"{where}: expected sha256 {expected}, found {found}.")


def parse_npz(content, where, *, names=None, like=None, max_bytes, max_members=100_000, stored=False):
    """Parse an npz file of a bounded size, without pickles.

    Sizes, names, dtypes and shapes are compared with each other before memory is asked for.

    Parameters
    ----------
    content : bytes
        The file.
    where : str or path-like
        Its place, for messages.
    names : sequence of str, default=None
        The arrays to read; all of them when None.
    like : callable, default=None
        Called with a dict of names to ``(dtype, shape)`` before any array is read, to refuse them.
    max_bytes : int
        The largest size of all arrays together that is read.
    max_members : int, default=100_000
        The largest number of arrays.
    stored : bool, default=False
        Whether arrays must not be packed.

    Returns
    -------
    dict of str to ndarray
        The arrays under their names.

    Raises
    ------
    UnsafeFileError
        If the arrays are larger than `max_bytes` or too many, or an array holds Python objects.
    CorruptFileError
        If a name is missing, or the file is damaged.
    """
    with _open_npz(content, where, max_members, stored) as (archive, members):
        missing = sorted(set(names or ()) - set(members))
        if missing:
            raise CorruptFileError(f"{where}: expected arrays {missing}, found only {sorted(members)}.")
        wanted = list(members if names is None else names)
        total = sum(members[name].file_size for name in wanted)
        if total > max_bytes:
            raise UnsafeFileError(f"{where}: its arrays take {total} bytes, more than {max_bytes}.")
        if like is not None:
            like({name: _header(archive, members[name], f"{where}: {name}") for name in wanted})
        return {name: _read_array(archive, members[name], f"{where}: {name}") for name in wanted}


def read_headers(content, where, *, max_members=100_000):
    """Read dtype and shape of the arrays of an npz file that is not packed, by name; all else as for `parse_npz`."""
    with _open_npz(content, where, max_members, True) as (archive, members):
        return {name: _header(archive, info, f"{where}: {name}") for name, info in members.items()}


@contextlib.contextmanager
def _open_npz(content, where, max_members, stored):
    """Open an npz file, and yield it with the entries of its directory by the names of the arrays."""
    try:
        with open_zip(content, where, max_members=max_members, kind="an npz file of arrays", stored=stored) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise CorruptFileError(f"{where}: an array name occurs twice.")
            yield archive, members
    except DataFormatError as error:
        raise CorruptFileError(str(error)) from error


def _header(archive, info, where):
    with archive.open(info) as member:
        return read_npy_header(member, info.file_size, where)[:2]


def _read_array(archive, info, where):
    """Read one npy member; `info` is its entry in the archive's directory."""
    with archive.open(info) as member:
        dtype, shape, fortran_order = read_npy_header(member, info.file_size, where)
        content = bytearray(member.read(info.file_size))
        return np.ndarray(shape, dtype, buffer=content, order="F" if fortran_order else "C")


def read_npy_header(file, size, where):
    """Read the header of a file in NumPy's npy format, and see that the array fits into the file.

    Parameters
    ----------
    file : binary file object
        At its beginning; it is read to the end of the header.
    size : int
        The size of the whole file, in bytes.
    where : str
        The place of the file, for messages.

    Returns
    -------
    dtype : numpy.dtype
        Of the array; without Python objects.
    shape : tuple of int
        Its shape.
    fortran_order : bool
        Whether the first index varies fastest.

    Raises
    ------
    UnsafeFileError
        If the array holds Python objects.
    CorruptFileError
        If the header is damaged, or the array is not as large as the rest of the file.
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
    except Exception as error:  # NumPy reads it as Python's literals, which fail in many ways
        raise CorruptFileError(f"{where}: expected an array in npy format, found: {error}.") from error
    if dtype.hasobject:
        raise UnsafeFileError(f"{where}: expected plain numbers, found Python objects ({dtype}).")
    if not dtype.itemsize or not all(type(each) is int and each >= 0 for each in shape) or len(shape) > 64:
        raise CorruptFileError(f"{where}: expected an array of numbers or texts, found {dtype}{list(shape)!r:.100}.")
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if expected != found:
        raise CorruptFileError(f"{where}: {dtype}{list(shape)} takes {expected} bytes, found {found}.")
    return dtype, shape, fortran_order
