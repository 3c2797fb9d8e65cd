"""Load MNIST, which is included in the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_npz
from kerasnet.datasets._subsets import check_subset, draw_stratified

if TYPE_CHECKING:
    import numpy.typing as npt

_FILE = Path(__file__).parent / "data" / "mnist.npz"
_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
_MAX_BYTES = 60_000_000  # the arrays take 54,950,512 bytes

_DESCR = """MNIST: 70,000 handwritten digits.

60,000 training and 10,000 test images, grayscale, 28 x 28 pixels (uint8, 0 is the background and
255 the ink), written by employees of the United States Census Bureau and by high-school students.

By Yann LeCun, Corinna Cortes and Christopher J. C. Burges; license CC BY-SA 3.0. Described in:
Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE, 86(11), 2278-2324, 1998.
"""


def load_mnist(
    subset: str = "train",
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Load the MNIST dataset of handwritten digits, which is included in the package.

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

    Returns
    -------
    digits : Bunch
        Dictionary-like object with the following attributes.

        data : ndarray of shape (n_samples, 28, 28), dtype uint8
            Grayscale images, from 0 (background) to 255 (ink).
        target : ndarray of shape (n_samples,), dtype int64
            The digits from 0 to 9.
        target_names : ndarray of shape (10,), dtype str
            The names of the classes, "0" to "9".
        DESCR : str
            The description of the dataset.
    (X, y) : tuple of ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    ValueError
        If `subset` is invalid, or `n_samples` is not between 1 and the size of the subset.
    CorruptFileError
        If the installed file is damaged.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE, 86(11), 2278-2324, 1998.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> X, y = load_mnist(n_samples=500, random_state=0, return_X_y=True)
    >>> X.shape, X.dtype, y.shape
    ((500, 28, 28), dtype('uint8'), (500,))
    """
    parts = check_subset(subset)
    arrays = read_npz(
        _FILE,
        names=[f"{axis}_{part}" for part in parts for axis in "xy"],
        max_bytes=_MAX_BYTES,
        sha256=_SHA256,
    )
    X = np.concatenate([arrays[f"x_{part}"] for part in parts])
    y = np.concatenate([arrays[f"y_{part}"] for part in parts]).astype(np.int64)
    X, y = draw_stratified(X, y, n_samples, random_state)
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, target_names=np.arange(10).astype(str), DESCR=_DESCR)
