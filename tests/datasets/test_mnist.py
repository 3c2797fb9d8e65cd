"""Tests of the included MNIST dataset and of subsets of it."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from kerasnet import datasets
from kerasnet.datasets import load_mnist
from kerasnet.errors import CorruptFileError

MNIST_FILE = Path(datasets.__file__).parent / "data" / "mnist.npz"


def test_hash_of_the_included_file():
    digest = hashlib.sha256(MNIST_FILE.read_bytes()).hexdigest()
    assert digest == "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"


@pytest.mark.parametrize(
    ("subset", "counts"),
    [  # class counts of the original dataset
        ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_counts_and_dtypes_equal_those_of_the_original_dataset(subset, counts):
    digits = load_mnist(subset)
    assert digits.data.shape == (sum(counts), 28, 28)
    assert digits.data.dtype == np.uint8
    assert digits.target.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(digits.target), counts)
    assert digits.target_names.tolist() == list("0123456789")
    assert "LeCun" in digits.DESCR


def test_subset_all_is_train_followed_by_test():
    X, y = load_mnist("all", return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    assert X.shape == (70_000, 28, 28)
    np.testing.assert_array_equal(X[60_000:], X_test)
    np.testing.assert_array_equal(y[60_000:], y_test)


def test_n_samples_is_stratified_reproducible_and_in_order():
    X, y = load_mnist(n_samples=1000, random_state=3, return_X_y=True)
    again, _ = load_mnist(n_samples=1000, random_state=3, return_X_y=True)
    other, _ = load_mnist(n_samples=1000, random_state=4, return_X_y=True)
    np.testing.assert_array_equal(X, again)
    assert (other != X).any()
    X_all, y_all = load_mnist(return_X_y=True)
    np.testing.assert_allclose(np.bincount(y) / 1000, np.bincount(y_all) / 60_000, atol=0.001)
    rows = {image.tobytes(): row for row, image in enumerate(X_all)}
    positions = [rows[image.tobytes()] for image in X]
    assert positions == sorted(positions)
    np.testing.assert_array_equal(y_all[positions], y)


def test_n_samples_of_the_full_size_returns_all_images():
    X, _ = load_mnist("test", n_samples=10_000, random_state=0, return_X_y=True)
    np.testing.assert_array_equal(X, load_mnist("test").data)


@pytest.mark.parametrize("n_samples", [0, -1, 10_001, 2.5, True, "10"])
def test_invalid_n_samples_raises(n_samples):
    with pytest.raises(ValueError, match="n_samples must be an int from 1 to 10000"):
        load_mnist("test", n_samples=n_samples)


@pytest.mark.parametrize("subset", ["valid", ["train"], None])
def test_invalid_subset_raises(subset):
    message = re.escape(f"subset must be one of ['train', 'test', 'all']. Received: {subset!r}")
    with pytest.raises(ValueError, match=message):
        load_mnist(subset)


def test_damaged_file_raises(tmp_path, monkeypatch):
    damaged = bytearray(MNIST_FILE.read_bytes())
    damaged[5_000_000] ^= 1
    (tmp_path / "mnist.npz").write_bytes(damaged)
    monkeypatch.setattr("kerasnet.datasets._mnist._FILE", tmp_path / "mnist.npz")
    with pytest.raises(CorruptFileError, match="expected sha256"):
        load_mnist("test")
