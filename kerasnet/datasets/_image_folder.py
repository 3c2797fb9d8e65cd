"""Images sorted into folders, one for each class."""

import errno
import os
import stat
import warnings
from numbers import Integral
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch, check_scalar

from kerasnet._image_files import read_image_file
from kerasnet.errors import DataFormatError, ImageDecodeError

_SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".apng", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
_MAX_LISTED = 20  # broken files in a message


def load_image_folder(path, return_X_y=False, *, on_error="raise", max_pixels=64_000_000, n_jobs=None):
    """Load the paths and labels of images that lie in one folder for each class.

    The sub-folders of `path` are the classes, in the order of their names. What lies at any depth below one is of
    its class; symbolic links are followed. Images have one of the suffixes .bmp, .gif, .jfif, .jpe, .jpeg, .jpg,
    .pbm, .pgm, .apng, .png, .pnm, .ppm, .tif, .tiff and .webp, in small or capital letters. Names that begin with a dot
    are skipped, and so are files beside the class folders that are no images.

    Every image is decoded once, to find all broken files before a training starts. This takes as long as reading the
    images with :func:`kerasnet.features.prepare_images`: some milliseconds for a photograph of a megapixel. `n_jobs`
    spreads it over threads; the pixels are not kept.

    Parameters
    ----------
    path : str or path-like
        The folder with the class folders.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    on_error : {"raise", "skip"}, default="raise"
        Whether files in class folders that are broken or no images are an error, or are left out with a warning. Both
        name all of them, or the first 20 and how many there are.
    max_pixels : int, default=64_000_000
        The largest number of pixels of an image. Larger images, and files above 256 MiB, count as broken.
    n_jobs : int, default=None
        The number of threads; None is 1 outside a :obj:`joblib.parallel_config` context, -1 all processors.

    Returns
    -------
    images : Bunch
        With the attributes

        data : list of str, of length n_samples
            The paths of the images, beginning with `path`, sorted by class and then by path.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, as its position in ``target_names``.
        target_names : ndarray of shape (n_classes,), dtype str
            The names of the class folders, sorted.
        filenames : list of str, of length n_samples
            ``data`` by the name that it has in scikit-learn's ``load_files``.
        skipped : list of tuple (str, str)
            The path of each file that was left out, and the reason.
        DESCR : str
            Where the images are from.
    (X, y) : tuple of list and ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If there are fewer than two classes, a class has no image, an image belongs to no class, or a symbolic link
        leads to a folder that was already seen. If files in classes are broken, empty, or no images, or links lead
        nowhere, and `on_error` is "raise".
    ValueError
        If a parameter is not as described.
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
    seen, broken = {_identity(_status(path)): path}, {}
    folders = _class_folders(path)
    found = [_files_below(folder, seen, broken) for folder in folders]
    files = [file for of_class in found for file in of_class]
    sound = [file for file in files if file not in broken]
    checked = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(_reason)(file, max_pixels) for file in sound)
    broken |= {file: reason for file, reason in zip(sound, checked, strict=True) if reason}
    skipped = [(str(file), broken[file]) for file in files if file in broken]
    if skipped:
        message = _describe(path, skipped, len(files))
        if on_error == "raise":
            raise DataFormatError(f"{message}. Repair or remove them, or leave them out with on_error='skip'.")
        warnings.warn(f"{message}. They are skipped.", stacklevel=2)
    images = [[file for file in of_class if file not in broken] for of_class in found]
    for folder, of_class in zip(folders, images, strict=True):
        if not of_class:
            raise DataFormatError(f"{folder}: expected at least one image of the class, found none that can be read.")
    X = [str(image) for of_class in images for image in of_class]
    y = np.repeat(np.arange(len(folders), dtype=np.int64), [len(of_class) for of_class in images])
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
            raise DataFormatError(f"{entry}: expected images in class folders only, found one beside them.")
    if len(folders) < 2:
        found = [folder.name for folder in folders]
        raise DataFormatError(f"{path}: expected a folder for each of at least two classes, found {found}.")
    return folders


def _files_below(folder, seen, broken):
    """Return the files at any depth below a class folder, sorted.

    `seen` grows by the folders visited, `broken` by the files that are no images and the reasons.
    """
    files, folders = [], [folder]
    while folders:
        current = folders.pop()
        identity = _identity(_status(current))
        if identity in seen:
            raise DataFormatError(
                f"{current}: expected every folder once, found that a symbolic link leads again to {seen[identity]}."
            )
        seen[identity] = current
        for entry in _entries(current):
            try:
                status = _status(entry)
            except DataFormatError as error:
                broken[entry] = str(error).removeprefix(f"{entry}: ").removesuffix(".")
            else:
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry)
                    continue
                if entry.suffix.lower() not in _SUFFIXES or not stat.S_ISREG(status.st_mode):
                    broken[entry] = f"expected an image file ({', '.join(_SUFFIXES)}), found another"
                elif status.st_size == 0:
                    broken[entry] = "expected an image, found an empty file"
            files.append(entry)
    if not files:
        raise DataFormatError(f"{folder}: expected at least one image of the class, found none.")
    return sorted(files)


def _reason(file, max_pixels):
    """Return why an image cannot be decoded, None if it can."""
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
    """Return what lies in a folder and is not hidden, sorted by name."""
    return sorted(folder / name for name in os.listdir(folder) if not name.startswith("."))


def _status(path):
    """Return what the system knows of a path, links followed."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataFormatError(f"{path}: expected a file or folder, found a loop of symbolic links.") from error
        if path.is_symlink():
            raise DataFormatError(f"{path}: expected a file or folder, found a link that leads nowhere.") from error
        raise


def _identity(status):
    return status.st_dev, status.st_ino
