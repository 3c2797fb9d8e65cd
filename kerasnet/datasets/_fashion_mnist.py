"""Load Fashion-MNIST, from a cached download or from local files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_npz
from kerasnet.datasets._idx import read_idx
from kerasnet.datasets._subsets import check_subset, draw_stratified
from kerasnet.errors import CorruptFileError, DataFormatError

if TYPE_CHECKING:
    import numpy.typing as npt

_URL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_PREFIX = {"train": "train", "test": "t10k"}
_MAX_BYTES = 100_000_000  # the published arrays take 54,950,016 bytes
_TIMEOUT = 10  # seconds to wait for a response
NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_DESCR = """Fashion-MNIST: 70,000 images of clothes, shoes and bags in ten classes.

60,000 training and 10,000 test images, grayscale, 28 x 28 pixels (uint8, 0 is the background), made from the
product photographs of an online shop as a drop-in replacement for MNIST.

By Han Xiao, Kashif Rasul and Roland Vollgraf, Zalando Research; license MIT. Described in:
H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms", arXiv:1708.07747, 2017.
"""


def load_fashion_mnist(
    subset: str = "train",
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
    path: str | os.PathLike[str] | None = None,
) -> Bunch | tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Load the Fashion-MNIST dataset: ten classes of clothing, in the format of MNIST.

    If `path` is None, the files are downloaded on the first call, verified by their SHA-256 hashes, and stored in the
    subfolder ``fashion_mnist`` of the user's cache folder for kerasnet, or of the folder in the environment variable
    ``KERASNET_DATA``.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Select the 60,000 training images, the 10,000 test images, or both in this order.
    n_samples : int, default=None
        The number of images, drawn without replacement and stratified by class, in the order of the dataset.
        If None, all images are returned.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing `n_samples` images.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    path : str or path-like, default=None
        Local files to read instead of downloading: a folder with the four IDX files under their published names,
        compressed (``.gz``) or not, or an npz file with the arrays ``x_train``, ``y_train``, ``x_test`` and
        ``y_test``. They may contain any number of images.

    Returns
    -------
    clothes : Bunch
        Dictionary-like object with the following attributes.

        data : ndarray of shape (n_samples, 28, 28), dtype uint8
            Grayscale images, from 0 (background) to 255.
        target : ndarray of shape (n_samples,), dtype int64
            The class indices from 0 to 9.
        target_names : ndarray of shape (10,), dtype str
            The names of the classes, "T-shirt/top" to "Ankle boot".
        DESCR : str
            The description of the dataset.
    (X, y) : tuple of ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    ValueError
        If `subset` is invalid, or `n_samples` is not between 1 and the size of the subset.
    DataFormatError
        If a file in `path` is damaged, or does not contain uint8 images of 28 x 28 pixels and the same number of
        labels from 0 to 9, with at least two classes.
    UnsafeFileError
        If the arrays of a file are larger than 100 MB or contain Python objects.
    CorruptFileError
        If the SHA-256 hash of a downloaded file is wrong.
    OSError
        If a file is missing, or cannot be downloaded or stored.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv:1708.07747, 2017.

    Examples
    --------
    Use six random images instead of the download:

    >>> import tempfile
    >>> import numpy as np
    >>> from kerasnet.datasets import load_fashion_mnist
    >>> X = np.random.default_rng(0).integers(256, size=(6, 28, 28), dtype=np.uint8)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     np.savez(file.name, x_train=X, y_train=range(6), x_test=X, y_test=range(6))
    ...     clothes = load_fashion_mnist("test", path=file.name)
    >>> clothes.data.shape, clothes.data.dtype
    ((6, 28, 28), dtype('uint8'))
    >>> [str(name) for name in clothes.target_names[clothes.target[:2]]]
    ['T-shirt/top', 'Trouser']
    """
    pairs = [_read_part(part, path) for part in check_subset(subset)]
    X, y = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    X, y = draw_stratified(X, y, n_samples, random_state)
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, target_names=np.array(NAMES), DESCR=_DESCR)


def _read_part(part, path):
    """Return the validated images and labels of the training or test set."""
    if path is not None and not Path(path).is_dir():
        names = [f"x_{part}", f"y_{part}"]
        try:
            X, y = read_npz(path, names=names, max_bytes=_MAX_BYTES).values()
        except CorruptFileError as error:
            raise DataFormatError(str(error)) from error
        sources = [f"{path}: {name}" for name in names]
    else:
        names = [f"{_PREFIX[part]}-images-idx3-ubyte.gz", f"{_PREFIX[part]}-labels-idx1-ubyte.gz"]
        sources = [_download(name) if path is None else _find(Path(path), name) for name in names]
        X, y = (read_idx(source, max_bytes=_MAX_BYTES) for source in sources)
    _check(X, y, *sources)
    return X, y.astype(np.int64)


def _find(folder, name):
    """Return the path of an IDX file in a folder, compressed or not."""
    for candidate in (folder / name, folder / name.removesuffix(".gz")):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(
        f"{folder}: expected {name} or {name.removesuffix('.gz')}, found neither. Download the file from {_URL}{name}."
    )


def _download(name):
    """Return the path of an IDX file in the cache folder; download it if it is missing."""
    import pooch  # only needed for downloads

    files = pooch.create(
        path=Path(os.environ.get("KERASNET_DATA", pooch.os_cache("kerasnet")), "fashion_mnist"),
        base_url=_URL,
        registry={key: f"sha256:{digest}" for key, digest in _SHA256.items()},
    )
    expected = f"{_URL}{name} with sha256 {_SHA256[name]}"
    remedy = f"Put this file into {files.abspath}, or pass the folder that contains it as path."
    try:
        return files.fetch(name, downloader=pooch.HTTPDownloader(timeout=_TIMEOUT))
    except ValueError as error:  # raised by pooch for a wrong hash
        raise CorruptFileError(f"Expected {expected}, found a file with a different hash. {remedy}") from error
    except OSError as error:  # of the network, with a long message that is omitted, or of the cache folder
        raise OSError(f"Cannot download {expected} ({type(error).__name__}). {remedy}") from None


def _check(X, y, images, labels):
    """Check that the arrays have the format of Fashion-MNIST; `images` and `labels` are names for messages."""
    if X.dtype != np.uint8 or X.ndim != 3 or X.shape[1:] != (28, 28):
        raise DataFormatError(f"{images}: expected images as uint8[n, 28, 28], found {X.dtype}{list(X.shape)}.")
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise DataFormatError(f"{labels}: expected labels as integers[n], found {y.dtype}{list(y.shape)}.")
    if len(X) != len(y):
        raise DataFormatError(f"{labels}: expected {len(X)} labels, one for each image, found {len(y)}.")
    invalid = np.flatnonzero((y < 0) | (y >= len(NAMES)))
    if len(invalid):
        first = invalid[0]
        raise DataFormatError(f"{labels}: label {first}: expected a class from 0 to 9, found {y[first]}.")
    if len(np.unique(y)) < 2:
        raise DataFormatError(f"{labels}: expected at least two classes, found {np.unique(y).tolist()}.")
