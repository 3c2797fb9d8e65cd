"""Load the paths and labels of images in one folder per class."""

from __future__ import annotations

import errno
import os
import stat
import warnings
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch, check_scalar

from kerasnet._image_files import read_image_file
from kerasnet.errors import DataFormatError, ImageDecodeError

if TYPE_CHECKING:
    import numpy.typing as npt

_SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".apng", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
_MAX_LISTED = 20  # invalid files in a message


def load_image_folder(
    path: str | os.PathLike[str],
    return_X_y: bool = False,
    *,
    on_error: str = "raise",
    max_pixels: int = 64_000_000,
    n_jobs: int | None = None,
) -> Bunch | tuple[list[str], npt.NDArray[np.int64]]:
    """Load the paths and labels of images that are stored in one folder per class.

    The subfolders of `path`, sorted by name, are the classes. All images at any depth below a subfolder belong to its
    class; symbolic links are followed. The suffixes of images are .bmp, .gif, .jfif, .jpe, .jpeg, .jpg, .pbm, .pgm,
    .apng, .png, .pnm, .ppm, .tif, .tiff and .webp, in lower or upper case. Names that begin with a dot are skipped, and
    so are other files directly in `path`.

    All images are decoded once, to find invalid files before training. This takes as long as reading the images with
    :func:`kerasnet.features.prepare_images`: a few milliseconds for a photograph of one megapixel. The pixels are not
    stored.

    Parameters
    ----------
    path : str or path-like
        The folder with the class folders.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    on_error : {"raise", "skip"}, default="raise"
        What to do with files in class folders that are not valid images: raise an error, or skip them with a warning.
        The message lists the files, at most 20, and their number.
    max_pixels : int, default=64_000_000
        The maximum number of pixels of an image. Larger images, and files larger than 256 MiB, are invalid.
    n_jobs : int, default=None
        The number of threads that decode images. None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        means all processors.

    Returns
    -------
    images : Bunch
        Dictionary-like object with the following attributes.

        data : list of str, of length n_samples
            The paths of the images, which start with `path`, sorted by class and then by path.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, as an index into ``target_names``.
        target_names : ndarray of shape (n_classes,), dtype str
            The sorted names of the class folders.
        filenames : list of str, of length n_samples
            The same as ``data``, for compatibility with :func:`sklearn.datasets.load_files`.
        skipped : list of tuple (str, str)
            The path of each skipped file, and the reason.
        DESCR : str
            A description with the path of the folder.
    (X, y) : tuple of list and ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If there are fewer than two classes, a class has no image, an image is directly in `path`, or a symbolic link
        points to a folder that was already visited. If `on_error` is "raise" and a class folder contains files that are
        not valid images, or broken links.
    ValueError
        If a parameter is invalid.
    OSError
        If `path` is not a folder or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from kerasnet.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("dog/1.png", "cat/1.png", "cat/2.png"):
    ...         image = Path(folder, name)
    ...         image.parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (8, 8)).save(image)
    ...     images = load_image_folder(folder)
    >>> [Path(image).name for image in images.data], images.target, images.target_names
    (['1.png', '2.png', '1.png'], array([0, 0, 1]), array(['cat', 'dog'], dtype='<U3'))
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    check_scalar(max_pixels, "max_pixels", Integral, min_val=1)
    path = Path(path)
    visited, invalid = {_identity(_status(path)): path}, dict[Path, str]()
    folders = _class_folders(path)
    files_by_class = [_find_files(folder, visited, invalid) for folder in folders]
    files = [file for class_files in files_by_class for file in class_files]
    candidates = [file for file in files if file not in invalid]
    reasons = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(_decode_error)(file, max_pixels) for file in candidates)
    invalid |= {file: reason for file, reason in zip(candidates, reasons, strict=True) if reason}
    skipped = [(str(file), invalid[file]) for file in files if file in invalid]
    if skipped:
        message = _describe(path, skipped, len(files))
        if on_error == "raise":
            raise DataFormatError(f"{message}. Repair or remove them, or set on_error='skip' to skip them.")
        warnings.warn(f"{message}. They are skipped.", stacklevel=2)
    images_by_class = [[file for file in class_files if file not in invalid] for class_files in files_by_class]
    for folder, images in zip(folders, images_by_class, strict=True):
        if not images:
            raise DataFormatError(f"{folder}: expected at least one image of the class, found none that can be read.")
    X = [str(image) for images in images_by_class for image in images]
    y = np.repeat(np.arange(len(folders), dtype=np.int64), [len(images) for images in images_by_class])
    if return_X_y:
        return X, y
    names = np.array([folder.name for folder in folders])
    descr = f"{len(X)} images of {len(names)} classes from {path}."
    return Bunch(data=X, target=y, target_names=names, filenames=X, skipped=skipped, DESCR=descr)


def _class_folders(path):
    folders = []
    for entry in _entries(path):
        if stat.S_ISDIR(_status(entry).st_mode):
            folders.append(entry)
        elif entry.suffix.lower() in _SUFFIXES:
            raise DataFormatError(f"{entry}: expected images only in class folders, found one outside.")
    if len(folders) < 2:
        found = [folder.name for folder in folders]
        raise DataFormatError(f"{path}: expected a folder for each of at least two classes, found {found}.")
    return folders


def _find_files(folder, visited, invalid):
    """Return the sorted files at any depth below a class folder.

    Folders are added to `visited`; files that are not images are added to `invalid`, with the reasons.
    """
    files, folders = [], [folder]
    while folders:
        current = folders.pop()
        identity = _identity(_status(current))
        if identity in visited:
            raise DataFormatError(
                f"{current}: expected each folder once, found a symbolic link to {visited[identity]}, already visited."
            )
        visited[identity] = current
        for entry in _entries(current):
            try:
                status = _status(entry)
            except DataFormatError as error:
                invalid[entry] = str(error).removeprefix(f"{entry}: ").removesuffix(".")
            else:
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry)
                    continue
                if entry.suffix.lower() not in _SUFFIXES or not stat.S_ISREG(status.st_mode):
                    invalid[entry] = f"expected an image file ({', '.join(_SUFFIXES)}), found another file"
                elif status.st_size == 0:
                    invalid[entry] = "expected an image, found an empty file"
            files.append(entry)
    if not files:
        raise DataFormatError(f"{folder}: expected at least one image of the class, found none.")
    return sorted(files)


def _decode_error(file, max_pixels):
    """Return why an image cannot be decoded; None if it can."""
    try:
        read_image_file(file, max_pixels)
    except ImageDecodeError as error:
        return " ".join(str(error).split()).removesuffix(".")
    return None


def _describe(path, skipped, n_files):
    listed = "; ".join(f"{file}: {reason}" for file, reason in skipped[:_MAX_LISTED])
    more = f"; and {len(skipped) - _MAX_LISTED} more" if len(skipped) > _MAX_LISTED else ""
    return f"{path}: {len(skipped)} of {n_files} files cannot be read as images: {listed}{more}"


def _entries(folder):
    """Return the sorted entries of a folder that are not hidden."""
    return sorted(folder / name for name in os.listdir(folder) if not name.startswith("."))


def _status(path):
    """Return the status of a file or folder; symbolic links are followed."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataFormatError(f"{path}: expected a file or folder, found a loop of symbolic links.") from error
        if path.is_symlink():
            raise DataFormatError(f"{path}: expected a file or folder, found a broken symbolic link.") from error
        raise


def _identity(status):
    return status.st_dev, status.st_ino
