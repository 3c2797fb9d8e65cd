"""Image files as a lazy array. Images are decoded in threads when rows are read, so they need not fit into memory.

Train on a folder of photographs in three lines::

    X, y = ImageFiles.from_folder("photos", size=(96, 96), cache="photos-96")
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y)  # does not read any image
    KerasNetClassifier("backbone", backbone="mobilenet_v2").fit(X_train, y_train)
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np
import PIL
from joblib import Parallel, delayed, effective_n_jobs

from kerasnet._files import atomic_file
from kerasnet._lazy_array import LazyArray
from kerasnet.datasets import load_image_folder
from kerasnet.errors import ImageDecodeError
from kerasnet.features._images import check_pair
from kerasnet.features.image import check_image_sequence, check_options, prepare_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt


_CHUNK_BYTES = 2**26  # images are decoded and written to the cache in chunks of this size


class ImageFiles(LazyArray):
    """Lazy array of image files, resized to a common size and decoded when rows are read.

    Indexing with a slice, an array of row indices or a mask returns another `ImageFiles` and reads nothing. Indexing
    with an int decodes one image, and :func:`numpy.asarray` decodes all images.

    kerasnet's estimators accept `ImageFiles` as X. They decode the images of the next training steps in the
    background, so the images need not fit into memory. :func:`~sklearn.model_selection.train_test_split`,
    :class:`~sklearn.model_selection.GridSearchCV` and most meta-estimators of scikit-learn only select rows.
    Meta-estimators that require two-dimensional data, such as :class:`~sklearn.ensemble.BaggingClassifier`, do not
    support images.

    The pixels are equal to those of :func:`kerasnet.features.prepare_images` with the same options and
    ``dtype="uint8"``.

    Parameters
    ----------
    paths : iterable of str or path-like
        Image files of any size: BMP, GIF, JPEG, PNG, PPM, TIFF or WebP. Files are opened when they are decoded.
    size : tuple of int (height, width)
        Size of the images in the array.
    channels : {3, 1}, default=3
        Number of channels: 3 for RGB, 1 for grayscale.
    interpolation : {"area", "nearest", "bilinear", "bicubic", "lanczos4"}, default="area"
        Interpolation method of OpenCV for resizing. "area" averages pixels when an image is shrunk.
    pad_to_aspect_ratio : bool, default=True
        If True, keep the aspect ratio and pad with `fill_value` on both sides. If False, stretch the image.
    fill_value : float in [0, 1], default=0
        Value of the padding: 0 is black, 1 is white.
    deskew : bool, default=False
        If True, shear each image so that its bright content becomes upright. See
        :func:`kerasnet.features.prepare_images`.
    max_pixels : int, default=64_000_000
        Maximum number of pixels of a file. Larger images and files of more than 256 MiB are not decoded.
    n_jobs : int, default=-1
        Number of threads for decoding. -1 means using all processors, None means 1.
    cache : str or path-like, default=None
        Folder for the decoded images. Use it when images are read more than once, such as in several epochs.

        The constructor decodes all images and writes them to one memory-mapped file of
        ``n * height * width * channels`` bytes. The file is reused when options, paths, file sizes and modification
        times are the same. Choose a folder on a disk, not in a memory-based file system (such as ``/tmp`` on some
        systems). Files of earlier options are not removed: delete the folder when it is no longer needed.

    Attributes
    ----------
    paths : list of str
        Absolute paths of the selected images.
    shape : tuple of int (n_images, height, width, channels)
        Shape of the array.
    dtype : numpy.dtype
        Data type of the array, always uint8.
    ndim : int
        Number of dimensions, always 4.

    Raises
    ------
    ImageDecodeError
        If a file is missing, truncated, not an image or too large. It is raised when rows are read, or by the
        constructor if there is a `cache`. The message contains the path.
    TypeError
        If `paths` contains objects other than paths.
    ValueError
        If another parameter is invalid.

    See Also
    --------
    kerasnet.features.prepare_images : Load images into memory.
    kerasnet.datasets.load_image_folder : Find the images in a folder and check that they can be decoded.

    Notes
    -----
    Pickles contain the paths of the selected images, or a reference to the cache file, but no pixels. Workers of
    joblib and Dask read the files themselves.

    The cache file is written atomically. If the process is killed, it leaves a temporary file, which the next process
    removes. If two processes start at the same time, both decode the images and write identical files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from kerasnet.features import ImageFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, f"{index}.png") for index in range(3)]
    ...     for path in paths:
    ...         Image.new("RGB", (40, 30), "white").save(path)
    ...     X = ImageFiles(paths, size=(24, 32))
    ...     subset = X[[2, 0]]
    ...     print(subset, np.asarray(subset).mean())
    ImageFiles of shape (2, 24, 32, 3), uint8 255.0
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        size: tuple[int, int],
        channels: int = 3,
        *,
        interpolation: str = "area",
        pad_to_aspect_ratio: bool = True,
        fill_value: float = 0,
        deskew: bool = False,
        max_pixels: int = 64_000_000,
        n_jobs: int | None = -1,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        check_image_sequence(paths)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 3 (RGB) or 1 (grayscale). Received: {channels!r}.")
        color_mode = "rgb" if channels == 3 else "grayscale"
        check_options(color_mode, interpolation, fill_value, "uint8", max_pixels)
        options = (color_mode, interpolation, bool(pad_to_aspect_ratio), fill_value, bool(deskew), "uint8", max_pixels)
        effective_n_jobs(n_jobs)  # raises an error if n_jobs is invalid
        absolute_paths = [_absolute_path(path, index) for index, path in enumerate(paths)]
        files = _Files(absolute_paths, check_pair(size, "size"), options, n_jobs)
        self._paths = files.paths
        super().__init__(files if cache is None or not files.paths else _open_cache(files, Path(cache)))

    @classmethod
    def from_folder(
        cls,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        channels: int = 3,
        *,
        on_error: str = "raise",
        max_pixels: int = 64_000_000,
        n_jobs: int | None = -1,
        **options: Any,
    ) -> tuple[Self, npt.NDArray[np.str_]]:
        """Create an `ImageFiles` and labels from a folder with one subfolder per class.

        All images are decoded once, to find files that cannot be read before training starts. See
        :func:`kerasnet.datasets.load_image_folder`.

        Parameters
        ----------
        path : str or path-like
            Folder that contains the class folders.
        size : tuple of int (height, width)
            Size of the images in the array.
        channels : {3, 1}, default=3
            Number of channels: 3 for RGB, 1 for grayscale.
        on_error : {"raise", "skip"}, default="raise"
            If "raise", a file that cannot be read raises an error. If "skip", it is skipped with a warning.
        max_pixels, n_jobs, **options
            See :class:`ImageFiles`.

        Returns
        -------
        X : ImageFiles of shape (n_images, height, width, channels)
            Images, sorted by class and then by path.
        y : ndarray of shape (n_images,), dtype str
            Class labels: the names of the class folders.

        Raises
        ------
        DataFormatError
            If the folder does not have the expected structure, or if a file cannot be read and `on_error` is "raise".
        """
        images: Any = load_image_folder(path, on_error=on_error, max_pixels=max_pixels, n_jobs=n_jobs)
        X = cls(images.data, size, channels, max_pixels=max_pixels, n_jobs=n_jobs, **options)
        return X, images.target_names[images.target]

    @property
    def paths(self) -> list[str]:
        """Absolute paths of the selected images."""
        return [self._paths[row] for row in self._rows]

    def fingerprint(self) -> Any:
        """Return a value that depends on the path, size and modification time of each selected file."""
        if isinstance(self._source, _Files):
            return self._source.select(self._rows).digest(), self._conversions
        return super().fingerprint()

    def __getstate__(self):
        """Return a state with the paths of the selected images only."""
        if isinstance(self._source, _Files):
            files = self._source.select(self._rows)
            rows = range(len(self))
            return {**vars(self), "_origin": files, "_paths": files.paths, "_rows": rows, "_known": files.digest()}
        return {**super().__getstate__(), "_paths": {row: self._paths[row] for row in self._rows}}


@dataclass(frozen=True)
class _Files:
    """Row source of `ImageFiles`. `options` are the arguments of `prepare_image` after the size."""

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
        """Decode the images selected by a slice or an array of row indices."""
        files = self.select(range(len(self.paths))[rows] if isinstance(rows, slice) else rows)
        images = np.empty(files.shape, self.dtype)
        pending = iter(range(len(images)))  # shared by all threads: less overhead than one joblib task per image
        n_threads = effective_n_jobs(self.n_jobs)
        try:
            Parallel(n_threads, backend="threading")(delayed(files.decode)(pending, images) for _ in range(n_threads))
        finally:
            for _ in pending:  # exhaust the iterator, so that the other threads stop after an error
                pass
        return images

    def select(self, rows):
        return replace(self, paths=[self.paths[row] for row in rows])

    def decode(self, indices, images):
        """Decode the files with the given indices and write them to `images`."""
        for index in indices:
            path, image = self.paths[index], images[index]
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


def _open_cache(files, folder):
    """Return the memory-mapped cache file of the decoded images. Write it first if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / f"images-{files.digest()}.uint8"
    if not path.exists() or path.stat().st_size != math.prod(files.shape):
        n_rows = max(1, _CHUNK_BYTES // math.prod(files.shape[1:]))
        with atomic_file(path) as file:
            for start in range(0, len(files.paths), n_rows):
                file.write(files[start : start + n_rows])
    return np.memmap(path, np.uint8, "r", shape=files.shape)


def _absolute_path(path, index):
    """Return an absolute path, which is also valid in workers with another working directory."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"paths[{index}]: expected a str or path-like object. Received: {type(path).__name__}.")
    return os.path.abspath(path)
