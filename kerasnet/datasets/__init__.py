"""Load datasets as arrays, tables and paths, without importing TensorFlow."""

from kerasnet._lazy_array import LazyArray
from kerasnet.datasets._csv import load_csv
from kerasnet.datasets._fashion_mnist import load_fashion_mnist
from kerasnet.datasets._idx import read_idx
from kerasnet.datasets._idx_folder import load_idx_folder
from kerasnet.datasets._image_folder import load_image_folder
from kerasnet.datasets._mnist import load_mnist
from kerasnet.datasets._ucr import load_ucr

__all__ = [
    "LazyArray",
    "load_csv",
    "load_fashion_mnist",
    "load_idx_folder",
    "load_image_folder",
    "load_mnist",
    "load_ucr",
    "read_idx",
]
