"""Files: written whole or not at all, read within bounds and without running code.

This is the only way the package writes a file or reads arrays and JSON.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import uuid
import zipfile
import zlib
from pathlib import Path

import numpy as np

from kerasnet.errors import CorruptFileError, UnsafeFileError

_MAX_NPY_HEADER = 10_000  # numpy's own limit: longer headers cost too much to parse


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
    with _temporary(path, folder=False) as (temporary, descriptor):
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            _sync(path.parent)


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
        temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
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
        If the file is larger than `max_bytes`.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())  # Python asks for all the memory that it might need
        content = file.read(1 + (min(status.st_size, max_bytes) if stat.S_ISREG(status.st_mode) else max_bytes))
    if len(content) > max_bytes:
        raise UnsafeFileError(f"{path}: larger than {max_bytes} bytes, the most that is read.")
    return content


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
        If the file is larger than `max_bytes`.
    CorruptFileError
        If it is not JSON in UTF-8, or nested too deep to be read.
    """
    return parse_json(read_bytes(path, max_bytes=max_bytes), path)


def parse_json(content, where):
    """Parse JSON; `where` is the place of `content`, for messages.

    Raises
    ------
    CorruptFileError
        If it is not JSON in UTF-8, or nested too deep to be read.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        raise CorruptFileError(f"{where}: expected JSON in UTF-8, found: {error}.") from error


def read_npz(path, *, names=None, max_bytes, sha256=None):
    """Read arrays from an npz file of a bounded size, without pickles.

    Sizes, names, dtypes and shapes are compared with each other before memory is asked for.

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
    if sha256 is not None:
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise CorruptFileError(f"{path}: expected sha256 {sha256}, found {found}.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise CorruptFileError(f"{path}: an array name occurs twice.")
            missing = sorted(set(names or ()) - set(members))
            if missing:
                raise CorruptFileError(f"{path}: expected arrays {missing}, found only {sorted(members)}.")
            wanted = list(members if names is None else names)
            total = sum(members[name].file_size for name in wanted)
            if total > max_bytes:
                raise UnsafeFileError(f"{path}: its arrays take {total} bytes, more than {max_bytes}.")
            return {name: _read_array(archive, members[name], f"{path}: {name}") for name in wanted}
    except (CorruptFileError, UnsafeFileError):
        raise
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise CorruptFileError(f"{path}: expected an npz file of arrays, found: {error}.") from error


def _read_array(archive, info, where):
    """Read one npy member; `info` is its entry in the archive's directory."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise CorruptFileError(f"{where}: expected npy format 1.0 or 2.0, found {version}.")
        shape, fortran_order, dtype = read_header(member, max_header_size=_MAX_NPY_HEADER)
        if dtype.hasobject:
            raise UnsafeFileError(f"{where}: expected plain numbers, found Python objects ({dtype}).")
        expected, found = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if expected != found:
            raise CorruptFileError(f"{where}: {dtype}{list(shape)} takes {expected} bytes, found {found}.")
        content = bytearray(member.read(expected))
        return np.ndarray(shape, dtype, buffer=content, order="F" if fortran_order else "C")
