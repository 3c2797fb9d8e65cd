"""Images in files as an array: decoded when its rows are read, in threads, so that a folder need not fit into memory.

Training on a folder of photographs takes three lines::

    X, y = ImageFiles.from_folder("photos", size=(96, 96), cache="photos-96")
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y)  # reads no image
    KerasNetClassifier("backbone", backbone="mobilenet_v2").fit(X_train, y_train)
"""

import hashlib
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import PIL
from joblib import Parallel, delayed, effective_n_jobs

from kerasnet._files import atomic_file
from kerasnet._lazy_array import LazyArray
from kerasnet.datasets import load_image_folder
from kerasnet.errors import ImageDecodeError
from kerasnet.features._images import pair
from kerasnet.features.image import check_options, check_several, prepare_image

_CHUNK_BYTES = 2**26  # what is decoded in memory before it is written to the cache


class ImageFiles(LazyArray):
    """Image files as an array of equally sized images, which are decoded when rows are read.

    Selecting rows, by a slice, row numbers or a mask, gives another `ImageFiles` and reads nothing; an int decodes one
    image, :func:`numpy.asarray` all. Estimators of kerasnet take `ImageFiles` as X and decode the images of the next
    training steps while the last ones are computed, so the images need not fit into memory.
    :func:`~sklearn.model_selection.train_test_split`, :class:`~sklearn.model_selection.GridSearchCV` and most
    meta-estimators of scikit-learn select rows only; those that want two axes, such as
    :class:`~sklearn.ensemble.BaggingClassifier`, refuse images.

    The pixels are those of :func:`kerasnet.features.prepare_images` with the same options and ``dtype="uint8"``.

    Parameters
    ----------
    paths : iterable of str or path-like
        The image files: BMP, GIF, JPEG, PNG, PPM, TIFF or WebP, of any size. They are opened when they are decoded.
    size : tuple (height, width) of int
        The size of all images in the array.
    channels : {3, 1}, default=3
        3 for RGB, 1 for grayscale.
    interpolation : {"area", "nearest", "bilinear", "bicubic", "lanczos4"}, default="area"
        How images are resized, by OpenCV's methods; "area" averages the pixels that become one.
    pad_to_aspect_ratio : bool, default=True
        Keep the aspect ratio and pad evenly with `fill_value`; when False, stretch.
    fill_value : float in [0, 1], default=0
        The value of the padding: 0 is black, 1 white.
    deskew : bool, default=False
        Shear what is bright until it stands upright, as :func:`kerasnet.features.prepare_images` does.
    max_pixels : int, default=64_000_000
        The largest number of pixels of a file that is decoded. Files above 256 MiB are not read.
    n_jobs : int, default=-1
        The number of threads that decode; -1 is all processors, None is 1.
    cache : str or path-like, default=None
        A folder for the decoded images, for when they are read more than once, as in several epochs. All images are
        decoded by the constructor, into one file of ``n * height * width * channels`` bytes, which is memory-mapped.
        The next time, with the same options and with files of the same paths, sizes and modification times, that
        file is used again. Use a disk that is not itself memory (not ``/tmp`` on some systems), and remove the folder
        when it is no longer needed: files of earlier options stay in it.

    Attributes
    ----------
    paths : list of str
        The absolute paths of the selected images.
    shape : tuple (n_images, height, width, channels) of int
        The shape of the array.
    dtype : numpy.dtype
        uint8.
    ndim : int
        4.

    Raises
    ------
    ImageDecodeError
        When rows are read, or by the constructor with a `cache`: if a file is missing, truncated, no image or too
        large. It names the file.
    TypeError
        If `paths` holds something else than paths.
    ValueError
        If another parameter is not as described.

    See Also
    --------
    kerasnet.features.prepare_images : The same images in memory.
    kerasnet.datasets.load_image_folder : Find the images of a folder, and check that all can be decoded.

    Notes
    -----
    Pickles hold the paths of the selected images, not the pixels, or with a `cache` a reference to its file: workers
    of joblib and Dask read the files themselves.

    The file of the cache appears whole or not at all. A process that is killed leaves a temporary file, which the
    next one removes; two processes that start at once both decode, and leave the same file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from kerasnet.features import ImageFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, f"{number}.png") for number in range(3)]
    ...     for path in paths:
    ...         Image.new("RGB", (40, 30), "white").save(path)
    ...     X = ImageFiles(paths, size=(24, 32))
    ...     some = X[[2, 0]]
    ...     print(some, np.asarray(some).mean())
    ImageFiles of shape (2, 24, 32, 3), uint8 255.0
    """

    def __init__(
        self,
        paths,
        size,
        channels=3,
        *,
        interpolation="area",
        pad_to_aspect_ratio=True,
        fill_value=0,
        deskew=False,
        max_pixels=64_000_000,
        n_jobs=-1,
        cache=None,
    ):
        check_several(paths)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 3, for RGB, or 1, for grayscale. Received: {channels!r}.")
        color_mode = "rgb" if channels == 3 else "grayscale"
        check_options(color_mode, interpolation, fill_value, "uint8", max_pixels)
        options = (color_mode, interpolation, bool(pad_to_aspect_ratio), fill_value, bool(deskew), "uint8", max_pixels)
        effective_n_jobs(n_jobs)  # refuses what is no number of threads
        files = _Files([_path(number, path) for number, path in enumerate(paths)], pair(size, "size"), options, n_jobs)
        self._paths = files.paths
        super().__init__(files if cache is None or not files.paths else _cached(files, Path(cache)))

    @classmethod
    def from_folder(cls, path, size, channels=3, *, on_error="raise", max_pixels=64_000_000, n_jobs=-1, **options):
        """Find the images in one folder for each class, as :func:`kerasnet.datasets.load_image_folder` does.

        Every image is decoded once, to find broken files before a training starts.

        Parameters
        ----------
        path : str or path-like
            The folder with the class folders.
        size : tuple (height, width) of int
            The size of all images in the array.
        channels : {3, 1}, default=3
            3 for RGB, 1 for grayscale.
        on_error : {"raise", "skip"}, default="raise"
            Whether broken files are an error, or are left out with a warning.
        max_pixels, n_jobs, **options
            As for :class:`ImageFiles`.

        Returns
        -------
        X : ImageFiles of shape (n_images, height, width, channels)
            The images, sorted by class and then by path.
        y : ndarray of shape (n_images,), dtype str
            The name of the class folder of each image: classifiers of kerasnet and scikit-learn take names, and
            predict them.

        Raises
        ------
        DataFormatError
            If the folder is not as described, or an image is broken and `on_error` is "raise".
        """
        images = load_image_folder(path, on_error=on_error, max_pixels=max_pixels, n_jobs=n_jobs)
        X = cls(images.data, size, channels, max_pixels=max_pixels, n_jobs=n_jobs, **options)
        return X, images.target_names[images.target]

    @property
    def paths(self):
        """The absolute paths of the selected images."""
        return [self._paths[row] for row in self._rows]

    def fingerprint(self):
        """Return what changes when the path, size or modification time of a selected file does."""
        if isinstance(self._source, _Files):
            return self._source.select(self._rows).digest(), self._conversions
        return super().fingerprint()

    def __getstate__(self):
        """Keep the paths of the selected images only."""
        if isinstance(self._source, _Files):
            files = self._source.select(self._rows)
            rows = range(len(self))
            return {**vars(self), "_origin": files, "_paths": files.paths, "_rows": rows, "_known": files.digest()}
        return {**super().__getstate__(), "_paths": {row: self._paths[row] for row in self._rows}}


@dataclass(frozen=True)
class _Files:
    """What the rows of `ImageFiles` are read from; `options` are those of `prepare_image` after the size."""

    paths: list
    size: tuple
    options: tuple
    n_jobs: int | None

    @property
    def shape(self):
        return (len(self.paths), *self.size, 3 if self.options[0] == "rgb" else 1)

    @property
    def dtype(self):
        return np.dtype(np.uint8)

    def __getitem__(self, rows):
        """Decode images, given by a slice or an array of row numbers."""
        files = self.select(range(len(self.paths))[rows] if isinstance(rows, slice) else rows)
        images = np.empty(files.shape, self.dtype)
        pending = iter(range(len(images)))  # each thread takes the next one: this costs them less than many small tasks
        n_threads = effective_n_jobs(self.n_jobs)
        try:
            Parallel(n_threads, backend="threading")(delayed(files.decode)(pending, images) for _ in range(n_threads))
        finally:
            for _ in pending:  # after an error, the other threads stop
                pass
        return images

    def select(self, rows):
        return replace(self, paths=[self.paths[row] for row in rows])

    def decode(self, numbers, images):
        """Decode the images with some numbers into an array."""
        for number in numbers:
            path, image = self.paths[number], images[number]
            try:
                image[...] = prepare_image(path, self.size, *self.options).reshape(image.shape)
            except ImageDecodeError as error:
                raise ImageDecodeError(f"{path}: {error}") from error

    def digest(self):
        """Return a hash of the options and of the path, size and modification time of each file."""
        digest = hashlib.sha256(repr((self.size, self.options, cv2.__version__, PIL.__version__)).encode())
        for path in self.paths:
            try:
                status = os.stat(path)
            except OSError as error:
                raise ImageDecodeError(f"{path}: expected an image file, found: {error}.") from error
            digest.update(repr((path, status.st_size, status.st_mtime_ns)).encode(errors="surrogateescape"))
        return digest.hexdigest()


def _cached(files, folder):
    """Return the decoded images as a memory-mapped file in a folder; write it unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / f"images-{files.digest()}.uint8"
    if not path.exists() or path.stat().st_size != math.prod(files.shape):
        n_rows = max(1, _CHUNK_BYTES // math.prod(files.shape[1:]))
        with atomic_file(path) as file:
            for start in range(0, len(files.paths), n_rows):
                file.write(files[start : start + n_rows])
    return np.memmap(path, np.uint8, "r", shape=files.shape)


def _path(number, path):
    """Return an absolute path, which is the same for workers in other folders."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"paths[{number}]: expected a str or path-like object. Received: {type(path).__name__}.")
    return os.path.abspath(path)
