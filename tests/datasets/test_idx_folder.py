"""Tests of loading EMNIST and KMNIST from folders of IDX files with their published names."""

import gzip
import struct

import numpy as np
import pytest

from kerasnet.datasets import load_idx_folder
from kerasnet.errors import DataFormatError

RNG = np.random.default_rng(0)
N_CLASSES = {"balanced": 47, "byclass": 62, "bymerge": 47, "digits": 10, "letters": 26, "mnist": 10}


def idx_of(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write(folder, prefix, images, labels, compressed=False):
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx_of(np.asarray(array))
        name = f"{prefix}-{kind}-ubyte"
        (folder / (f"{name}.gz" if compressed else name)).write_bytes(gzip.compress(content) if compressed else content)


def write_emnist(folder, split, compressed=False):
    """Write two training images and one test image per class; return the upright training images."""
    first = int(split == "letters")
    labels = np.arange(first, first + N_CLASSES[split])
    images = RNG.integers(256, size=(2 * len(labels), 28, 28), dtype=np.uint8)
    stored = np.array([image.T for image in images])  # EMNIST stores them transposed
    write(folder, f"emnist-{split}-train", stored, np.tile(labels, 2), compressed)
    write(folder, f"emnist-{split}-test", stored[: len(labels)], labels, compressed)
    return images


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("split", N_CLASSES)
def test_all_splits_of_emnist(tmp_path, split, compressed):
    images = write_emnist(tmp_path, split, compressed)
    for dataset in (None, "emnist", f"emnist-{split}"):
        loaded = load_idx_folder(tmp_path, "all", dataset=dataset)
        assert loaded.dataset == f"emnist-{split}"
        n = N_CLASSES[split]
        np.testing.assert_array_equal(loaded.data, np.concatenate([images, images[:n]]), strict=True)
        np.testing.assert_array_equal(loaded.target, np.tile(np.arange(n), 3), strict=True)
        assert len(set(loaded.target_names)) == n
    first_and_last = {"letters": "az", "byclass": "0z", "balanced": "0t", "bymerge": "0t"}.get(split, "09")
    assert loaded.target_names[0] + loaded.target_names[-1] == first_and_last


def test_folder_with_several_splits_requires_dataset(tmp_path):
    for split in ("letters", "digits"):
        write_emnist(tmp_path, split)
    for dataset in (None, "emnist"):
        with pytest.raises(ValueError, match="found emnist-digits, emnist-letters. Select one by name"):
            load_idx_folder(tmp_path, dataset=dataset)
    assert len(load_idx_folder(tmp_path, dataset="emnist-letters").target_names) == 26
    with pytest.raises(FileNotFoundError, match="files of emnist-byclass.*found emnist-digits, emnist-letters"):
        load_idx_folder(tmp_path, dataset="emnist-byclass")
    with pytest.raises(ValueError, match="Received: 'letters'"):
        load_idx_folder(tmp_path, dataset="letters")


def test_mapping_file_determines_class_names(tmp_path):
    write_emnist(tmp_path, "letters")
    mapping = tmp_path / "emnist-letters-mapping.txt"
    mapping.write_text("".join(f"{label} {96 + label} {64 + label}\n" for label in range(1, 27)))
    assert "".join(load_idx_folder(tmp_path).target_names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for invalid in ("1 x\n", "1\n", "", "1 -5\n"):
        mapping.write_text(invalid)
        with pytest.raises(DataFormatError, match="mapping.txt: expected lines of a label"):
            load_idx_folder(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_kmnist_images_are_not_transposed_and_classes_are_named(tmp_path, compressed):
    images = RNG.integers(256, size=(20, 28, 28), dtype=np.uint8)
    write(tmp_path, "train", images, np.arange(20) % 10, compressed)
    write(tmp_path, "t10k", images[:10], range(10), compressed)
    characters = load_idx_folder(tmp_path, dataset="kmnist")
    np.testing.assert_array_equal(characters.data, images)
    assert characters.target_names.tolist() == ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    assert load_idx_folder(tmp_path).target_names.tolist() == list("0123456789")
    X, y = load_idx_folder(tmp_path, "test", 5, 0, True)
    assert X.shape == (5, 28, 28)
    assert len(set(y)) == 5


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 8, 8)), [1, 2], r"expected images as uint8\[n, 28, 28\], found uint8\[2, 8, 8\]"),
        (np.zeros((2, 28, 28)), [1], "expected 2 integers"),
        (np.zeros((2, 28, 28)), [1, 0], "label 1: expected 1 to 26 in emnist-letters, found 0"),
        (np.zeros((2, 28, 28)), [27, 1], "label 0: expected 1 to 26"),
    ],
)
def test_invalid_images_or_labels_raise(tmp_path, images, labels, message):
    write(tmp_path, "emnist-letters-train", images, labels)
    with pytest.raises(DataFormatError, match=message):
        load_idx_folder(tmp_path)


def test_missing_files_raise_with_their_names(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected IDX files.*found none"):
        load_idx_folder(tmp_path)
    write(tmp_path, "train", np.zeros((2, 28, 28)), [0, 1])
    with pytest.raises(FileNotFoundError, match=r"expected t10k-images-idx3-ubyte.gz or"):
        load_idx_folder(tmp_path, "test")
