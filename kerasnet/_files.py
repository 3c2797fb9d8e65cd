"""Write files atomically; read files within size limits and without running code.

All files that the package writes, and all arrays and JSON that it reads, go through this module.
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

log = logging.getLogger("kerasnet.files")  # logs each step of a write at level DEBUG


@contextlib.contextmanager
def atomic_file(path, *, durable=True):
    """Write a file atomically: it is complete, or an existing file stays unchanged.

    The content is written to a temporary file in the same folder, synced to disk (fsync) and then renamed
    (``os.replace``) when the ``with`` block ends without an error.

    Parameters
    ----------
    path : str or path-like
        The file to write; its folder must exist.
    durable : bool, default=True
        Whether to sync to disk. If False, files are still complete when the process is killed, but may be lost or
        incomplete after a power failure. Use False for files that can be recomputed.

    Yields
    ------
    file : binary file object
        The file, open for writing.
    """
    path = Path(os.path.realpath(path))
    with _errors_of(path), _temporary(path, folder=False) as (temporary, descriptor):
        log.debug("%s: created a temporary file", path)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield file
            file.flush()
            log.debug("%s: wrote the content", path)
            if durable:
                os.fsync(file.fileno())
                log.debug("%s: synced the content", path)
        os.replace(temporary, path)
        log.debug("%s: replaced the file", path)
        if durable:
            _sync(path.parent)
            log.debug("%s: synced the folder", path)


@contextlib.contextmanager
def _errors_of(path):
    """Let errors name the path that the caller gave instead of a temporary file."""
    try:
        yield
    except OSError as error:
        is_temporary = error.filename is None or str(error.filename).endswith(".tmp")
        if is_temporary and error.errno is not None:
            error.filename = str(path)
            if error.filename2 is not None:
                del error.filename2  # None would be a part of the message
        raise


@contextlib.contextmanager
def atomic_folder(path):
    """Create a folder atomically: it appears complete when the ``with`` block ends without an error.

    Parameters
    ----------
    path : str or path-like
        The folder to create. It must not exist, or be empty. Missing parent folders are created.

    Yields
    ------
    folder : pathlib.Path
        A temporary folder next to `path` to write into.

    Raises
    ------
    OSError
        If `path` exists and is not an empty folder, or cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"{path} exists and is not an empty folder. Choose another name, or remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(f"{error.filename} is a file; a folder is needed there.") from error
    with _errors_of(path), _temporary(path, folder=True) as (temporary, _):
        yield temporary
        for written in temporary.rglob("*"):
            _sync(written)
        _sync(temporary)
        os.rename(temporary, path)
        _sync(path.parent)


def numbered_folder(parent, prefix):
    """Create the first folder ``<prefix>1``, ``<prefix>2``, ... that does not exist yet, and return its path.

    Processes and machines that share `parent` never get the same folder.

    Parameters
    ----------
    parent : str or path-like
        The folder to create it in, which is created if it is missing.
    prefix : str
        The name without the number.

    Returns
    -------
    folder : pathlib.Path
        The new, empty folder.
    """
    number = 1
    while True:
        folder = Path(parent) / f"{prefix}{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


@contextlib.contextmanager
def _temporary(path, folder):
    """Create a temporary file or folder next to `path`, and remove it at the end if it still exists.

    It is locked while its writer runs. The operating system releases the lock of a killed process, so a temporary file
    that can be locked is a leftover; leftovers are removed here, before the next write.
    """
    sweep_leftovers(path.parent)
    while True:
        temporary = path.parent / f".{path.name[:50]}.{uuid.uuid4().hex}.tmp"  # names have at most 255 bytes
        if folder:
            temporary.mkdir()
            descriptor = os.open(temporary, os.O_RDONLY)
        else:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                break
        os.close(descriptor)  # another process removed it before it was locked
    try:
        yield temporary, descriptor
    finally:
        os.close(descriptor)
        _remove(temporary)


def sweep_leftovers(folder):
    """Remove the temporary files of killed processes from a folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that :func:`atomic_file` or :func:`atomic_folder` wrote to.
    """
    for leftover in folder.glob(".*.tmp"):
        if re.fullmatch(r"\..+\.[0-9a-f]{32}\.tmp", leftover.name):
            with contextlib.suppress(OSError):  # in use, or already removed by another process
                _remove_unlocked(leftover)


def _remove_unlocked(leftover):
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
    """Read a file whose size is limited.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int
        The maximum size of the file.

    Returns
    -------
    bytes
        The content of the file.

    Raises
    ------
    UnsafeFileError
        If the file is larger than `max_bytes`, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # faster than open() when threads read many small files
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(status.st_mode):  # reading it might block or never end
            raise UnsafeFileError(f"{path}: expected a file, found a device, a pipe or a socket.")
        if status.st_size <= max_bytes:
            content = os.read(descriptor, status.st_size + 1)
            while len(content) < status.st_size and (more := os.read(descriptor, status.st_size - len(content))):
                content += more  # os.read returns at most 2 GiB
            if len(content) <= max_bytes:
                return content
    finally:
        os.close(descriptor)
    raise UnsafeFileError(f"{path}: larger than {max_bytes} bytes, the maximum size.")


def read_json(path, *, max_bytes=1_000_000):
    """Read a JSON file whose size is limited.

    Parameters
    ----------
    path : str or path-like
        The file, in UTF-8.
    max_bytes : int, default=1_000_000
        The maximum size of the file.

    Returns
    -------
    object
        The parsed value: dicts, lists, strings, numbers, booleans and None.

    Raises
    ------
    UnsafeFileError
        If the file is larger than `max_bytes`, or nested too deeply.
    CorruptFileError
        If it is not valid JSON in UTF-8.
    """
    return parse_json(read_bytes(path, max_bytes=max_bytes), path)


def read_npz(path, *, names=None, max_bytes, sha256=None):
    """Read arrays from an npz file whose size is limited, without pickles.

    Parameters
    ----------
    path : str or path-like
        The file.
    names : sequence of str, default=None
        The arrays to read; all of them if None.
    max_bytes : int
        The maximum size of the file, and of its arrays in total.
    sha256 : str, default=None
        The expected hash of the file, in hexadecimal. It is not checked if None.

    Returns
    -------
    dict of str to ndarray
        The arrays by name.

    Raises
    ------
    UnsafeFileError
        If the file or its arrays are larger than `max_bytes`, or an array contains Python objects.
    CorruptFileError
        If the hash differs, an array is missing, or the file is damaged.
    """
    content = read_bytes(path, max_bytes=max_bytes)
    if sha256 is not None:
        check_sha256(content, sha256, path)
    return parse_npz(content, path, names=names, max_bytes=max_bytes)
