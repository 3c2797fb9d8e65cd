"""Images sorted into folders, one for each class."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from kerasnet.errors import DataFormatError

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def load_image_folder(path, return_X_y=False):
    """Load the paths and labels of images that lie in one folder for each class.

    The sub-folders of `path` are the classes, in the order of their names. What lies at any depth below one is of
    its class; symbolic links are followed. Images are told by their suffix (.bmp, .gif, .jpeg, .jpg, .pbm, .pgm,
    .png, .ppm, .tif, .tiff, .webp, in small or capital letters) and are not opened. Names that begin with a dot
    are skipped, and so are files beside the class folders that are no images.

    Parameters
    ----------
    path : str or path-like
        The folder with the class folders.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

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
        DESCR : str
            Where the images are from.
    (X, y) : tuple of list and ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If there are fewer than two classes, a class has no image, an image belongs to no class, a file in a class
        is empty or no image, or a symbolic link leads nowhere or to a folder that was already seen.
    OSError
        If `path` is not a folder or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from kerasnet.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("dog/1.png", "cat/1.png", "cat/2.png"):
    ...         image = Path(folder, name)
    ...         image.parent.mkdir(exist_ok=True)
    ...         _ = image.write_bytes(b"an image")
    ...     images = load_image_folder(folder)
    >>> [Path(image).name for image in images.data], images.target, images.target_names
    (['1.png', '2.png', '1.png'], array([0, 0, 1]), array(['cat', 'dog'], dtype='<U3'))
    """
    path = Path(path)
    seen = {_identity(_status(path)): path}
    folders = []
    for entry in _entries(path):
        if stat.S_ISDIR(_status(entry).st_mode):
            folders.append(entry)
        elif entry.suffix.lower() in _SUFFIXES:
            raise DataFormatError(f"{entry}: expected images in class folders only, found one beside them.")
    if len(folders) < 2:
        found = [folder.name for folder in folders]
        raise DataFormatError(f"{path}: expected a folder for each of at least two classes, found {found}.")
    images = [_images_below(folder, seen) for folder in folders]
    X = [str(image) for of_class in images for image in of_class]
    y = np.repeat(np.arange(len(folders), dtype=np.int64), [len(of_class) for of_class in images])
    if return_X_y:
        return X, y
    names = np.array([folder.name for folder in folders])
    descr = f"{len(X)} images of {len(names)} classes from {path}."
    return Bunch(data=X, target=y, target_names=names, filenames=X, DESCR=descr)


def _images_below(folder, seen):
    """Return the images at any depth below a class folder, sorted; `seen` grows by the folders visited."""
    images, folders = [], [folder]
    while folders:
        current = folders.pop()
        identity = _identity(_status(current))
        if identity in seen:
            raise DataFormatError(
                f"{current}: expected every folder once, found that a symbolic link leads again to {seen[identity]}."
            )
        seen[identity] = current
        for entry in _entries(current):
            status = _status(entry)
            if stat.S_ISDIR(status.st_mode):
                folders.append(entry)
                continue
            if entry.suffix.lower() not in _SUFFIXES or not stat.S_ISREG(status.st_mode):
                raise DataFormatError(f"{entry}: expected an image file ({', '.join(_SUFFIXES)}), found another.")
            if status.st_size == 0:
                raise DataFormatError(f"{entry}: expected an image, found an empty file.")
            images.append(entry)
    if not images:
        raise DataFormatError(f"{folder}: expected at least one image of the class, found none.")
    return sorted(images)


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
