"""Files: written whole or not at all, read within bounds and without running code.

This is the only way the package writes a file or reads arrays and JSON.
"""

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import stat
import uuid
from pathlib import Path

from kerasnet._formats import check_sha256, parse_json, parse_npz
from kerasnet.errors import UnsafeFileError

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
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # calls of the system only: threads read many small files
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(status.st_mode):  # it might never end, or never begin
            raise UnsafeFileError(f"{path}: expected a file, found a device, a pipe or a socket.")
        if status.st_size <= max_bytes:
            content = os.read(descriptor, status.st_size + 1)
            while len(content) < status.st_size and (more := os.read(descriptor, status.st_size - len(content))):
                content += more  # the system reads at most 2 GiB at once
            if len(content) <= max_bytes:
                return content
    finally:
        os.close(descriptor)
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
    if sha256 is not None:
        check_sha256(content, sha256, path)
    return parse_npz(content, path, names=names, max_bytes=max_bytes)
