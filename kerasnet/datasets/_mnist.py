"""MNIST, as it ships in the package."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_npz
from kerasnet.datasets._subsets import check_subset, draw_stratified

_FILE = Path(__file__).parent / "data" / "mnist.npz"
_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
_MAX_BYTES = 60_000_000  # the arrays take 54,950,512 bytes

_DESCR = """MNIST: 70,000 handwritten digits.

60,000 for training and 10,000 for testing, as grey images of 28 x 28 pixels (uint8, 0 is the background and
255 the ink), written by employees of the United States Census Bureau and by high-school students.

By Yann LeCun, Corinna Cortes and Christopher J. C. Burges; licence CC BY-SA 3.0. Described in:
Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE, 86(11), 2278-2324, 1998.
"""


def load_mnist(subset="train", n_samples=None, random_state=None, return_X_y=False):
    """Load the MNIST handwritten digits from the copy that ships in the package.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or both in this order.
    n_samples : int, default=None
        Take only so many images, drawn without replacement and with the class proportions kept, in the order
        of the data set. All of them when None.
    random_state : int, RandomState instance or None, default=None
        Decides which images `n_samples` draws.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    digits : Bunch
        With the attributes

        data : ndarray of shape (n_samples, 28, 28), dtype uint8
            Grey images, 0 (background) to 255 (ink).
        target : ndarray of shape (n_samples,), dtype int64
            The digits, 0 to 9.
        target_names : ndarray of shape (10,), dtype str
            The names of the classes, "0" to "9".
        DESCR : str
            The description of the data set.
    (X, y) : tuple of ndarray, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    ValueError
        If `subset` is unknown or `n_samples` is not between 1 and the size of the subset.
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
