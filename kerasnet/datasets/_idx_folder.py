"""Load EMNIST, KMNIST, MNIST and similar datasets from folders of IDX files."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.datasets._idx import read_idx
from kerasnet.datasets._subsets import check_subset, draw_stratified
from kerasnet.errors import DataFormatError

if TYPE_CHECKING:
    import numpy.typing as npt

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # other lowercase letters look like uppercase ones
_CLASSES = {  # label of the first class, names of all classes
    "emnist-balanced": (0, tuple(_MERGED)),
    "emnist-byclass": (0, tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "emnist-bymerge": (0, tuple(_MERGED)),
    "emnist-digits": (0, tuple(string.digits)),
    "emnist-letters": (1, tuple(string.ascii_lowercase)),
    "emnist-mnist": (0, tuple(string.digits)),
    "kmnist": (0, ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")),
    "mnist": (0, tuple(string.digits)),
    "idx": (0, tuple(string.digits)),
}
_MNIST_NAMED = ("kmnist", "mnist", "idx")  # datasets whose files are named like those of MNIST
_IMAGES = re.compile(r"(?:(emnist-[a-z]+)-train|train)-images-idx3-ubyte(?:\.gz)?")


def load_idx_folder(
    path: str | os.PathLike[str],
    subset: str = "train",
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
    *,
    dataset: str | None = None,
) -> Bunch | tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Load images of 28 x 28 pixels from a folder of IDX files, such as EMNIST, KMNIST or MNIST.

    The files of EMNIST have names such as ``emnist-letters-train-images-idx3-ubyte``, those of the other datasets
    ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``. The labels are in the files with ``labels-idx1`` in
    their names. All files may be compressed with gzip (``.gz``). EMNIST stores its images transposed; they are returned
    upright.

    Parameters
    ----------
    path : str or path-like
        The folder.
    subset : {"train", "test", "all"}, default="train"
        Select the training images, the test images, or both in this order.
    n_samples : int, default=None
        The number of images, drawn without replacement and stratified by class. If None, all images are returned.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing `n_samples` images.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    dataset : str, default=None
        "emnist-letters", "emnist-digits", "emnist-mnist", "emnist-balanced", "emnist-byclass", "emnist-bymerge",
        "kmnist", "mnist", or "idx" for other datasets of ten classes. If the folder contains only one dataset, None
        selects it, and "emnist" selects the only split of EMNIST. None means "idx" if the file names do not identify
        the dataset.

    Returns
    -------
    images : Bunch
        Dictionary-like object with the following attributes.

        data : ndarray of shape (n_samples, 28, 28), dtype uint8
            Grayscale images, from 0 (background) to 255.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, as an index into ``target_names``.
        target_names : ndarray of shape (n_classes,), dtype str
            The names of the classes: digits and letters, for KMNIST romanized hiragana. They are read from a file such
            as ``emnist-letters-mapping.txt`` if the folder contains one. Each line of it has a label and its ASCII
            codes; the last code is the name.
        dataset : str
            The name of the dataset.
        DESCR : str
            A description with the path of the folder.
    (X, y) : tuple of ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    ValueError
        If a parameter is invalid, or the folder contains several datasets and `dataset` does not select one.
    DataFormatError
        If a file is damaged, or does not contain uint8 images of 28 x 28 pixels and as many labels of the dataset.
    UnsafeFileError
        If an array is larger than 1 GB.
    OSError
        If a file is missing or cannot be read.

    References
    ----------
    G. Cohen, S. Afshar, J. Tapson and A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters",
    arXiv:1702.05373, 2017. T. Clanuwat et al., "Deep learning for classical Japanese literature", arXiv:1812.01718,
    2018.

    Examples
    --------
    >>> import struct, tempfile
    >>> from pathlib import Path
    >>> from kerasnet.datasets import load_idx_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     start = Path(folder, "emnist-letters-train")
    ...     content = struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28) + bytes(2 * 784)
    ...     _ = Path(f"{start}-images-idx3-ubyte").write_bytes(content)
    ...     _ = Path(f"{start}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes([1, 26]))
    ...     letters = load_idx_folder(folder)
    >>> letters.data.shape, letters.target.tolist(), letters.target_names[letters.target].tolist()
    ((2, 28, 28), [0, 25], ['a', 'z'])
    """
    parts, path = check_subset(subset), Path(path)
    dataset = find_dataset(path, dataset)
    labels, names = _classes(path, dataset)
    pairs = [_read_part(path, dataset, part, labels) for part in parts]
    X, y = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    X, y = draw_stratified(X, np.searchsorted(labels, y), n_samples, random_state)
    if return_X_y:
        return X, y
    descr = f"{len(X)} images of {dataset} from {path}."
    return Bunch(data=X, target=y, target_names=names, dataset=dataset, DESCR=descr)


def find_dataset(path, dataset=None):
    """Return the name of the dataset in a folder; see :func:`load_idx_folder`."""
    if dataset not in (None, "emnist", *_CLASSES):
        raise ValueError(f"dataset must be None, 'emnist' or one of {list(_CLASSES)}. Received: {dataset!r}.")
    matches = [_IMAGES.fullmatch(file.name) for file in sorted(path.iterdir())]
    found = sorted({match[1] or "idx" for match in matches if match})
    if unknown := [name for name in found if name not in _CLASSES]:
        raise ValueError(f"{path}: expected splits of EMNIST among {list(_CLASSES)[:6]}, found {unknown}.")
    if dataset in _CLASSES and ("idx" if dataset in _MNIST_NAMED else dataset) in found:
        return dataset
    selected = [name for name in found if dataset is None or (dataset == "emnist" and name != "idx")]
    if len(selected) == 1:
        return selected[0]
    if len(selected) > 1:
        raise ValueError(
            f"{path}: expected one dataset, found {', '.join(selected)}. Select one by name (dataset=, --dataset)."
        )
    expected = "emnist-SPLIT-train-images-idx3-ubyte or train-images-idx3-ubyte" if dataset is None else dataset
    raise FileNotFoundError(
        f"{path}: expected IDX files of {expected}, compressed (.gz) or not, found {', '.join(found) or 'none'}."
    )


def _classes(path, dataset):
    """Return the sorted labels of a dataset and their names."""
    first, names = _CLASSES[dataset]
    mapping = path / f"{dataset}-mapping.txt"
    if dataset in _MNIST_NAMED or not mapping.exists():
        return np.arange(first, first + len(names)), np.array(names)
    try:
        rows = [[int(value) for value in line.split()] for line in read_bytes(mapping, max_bytes=10_000).splitlines()]
        classes = {row[0]: chr(row[-1]) for row in rows if row}
        if not classes or any(len(row) == 1 for row in rows):
            raise ValueError("no ASCII codes")
    except (ValueError, OverflowError) as error:
        raise DataFormatError(f"{mapping}: expected lines of a label and its ASCII codes, found: {error}.") from error
    return np.array(sorted(classes)), np.array([classes[label] for label in sorted(classes)])


def _read_part(path, dataset, part, labels):
    is_mnist_named = dataset in _MNIST_NAMED
    prefix = ("t10k" if part == "test" else part) if is_mnist_named else f"{dataset}-{part}"
    images_path, labels_path = (_find(path, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    X, y = read_idx(images_path), read_idx(labels_path)
    if X.dtype != np.uint8 or X.ndim != 3 or X.shape[1:] != (28, 28):
        raise DataFormatError(f"{images_path}: expected images as uint8[n, 28, 28], found {X.dtype}{list(X.shape)}.")
    if y.dtype.kind not in "iu" or y.shape != (len(X),):
        raise DataFormatError(
            f"{labels_path}: expected {len(X)} integers, one for each image, found {y.dtype}{list(y.shape)}."
        )
    if len(invalid := np.flatnonzero(~np.isin(y, labels))):
        raise DataFormatError(
            f"{labels_path}: label {invalid[0]}: expected {labels[0]} to {labels[-1]} in {dataset}, "
            f"found {y[invalid[0]]}."
        )
    return (X if is_mnist_named else X.transpose(0, 2, 1)), y


def _find(folder, name):
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{folder}: expected {name}.gz or {name}, found neither.")
