"""Folders of images give paths and labels, in one order on every machine."""

import numpy as np
import pytest
from sklearn.datasets import load_files

from kerasnet.datasets import load_image_folder


@pytest.fixture
def folder(tmp_path):
    for name in ("dog/b.PNG", "dog/a.jpg", "cat/10.png", "cat/0/young.bmp", "cat/9.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"an image")
    return tmp_path / "images"


def test_paths_and_labels_are_sorted(folder):
    images = load_image_folder(folder)
    names = ["cat/0/young.bmp", "cat/10.png", "cat/9.png", "dog/a.jpg", "dog/b.PNG"]
    assert images.data == images.filenames == [str(folder / name) for name in names]
    np.testing.assert_array_equal(images.target, np.array([0, 0, 0, 1, 1], dtype=np.int64), strict=True)
    assert images.target_names.tolist() == ["cat", "dog"]
    assert "5 images of 2 classes" in images.DESCR
    X, y = load_image_folder(str(folder), return_X_y=True)
    assert images.data == X
    np.testing.assert_array_equal(y, images.target)


def test_files_and_labels_are_those_that_scikit_learn_finds(folder):
    (folder / "cat" / "0" / "young.bmp").rename(folder / "cat" / "young.bmp")
    (folder / "cat" / "0").rmdir()  # load_files does not look deeper
    images, theirs = load_image_folder(folder), load_files(folder, load_content=False)
    assert dict(zip(images.data, images.target, strict=True)) == dict(zip(theirs.filenames, theirs.target, strict=True))
    assert images.target_names.tolist() == theirs.target_names


def test_hidden_files_and_notes_beside_the_classes_are_skipped(folder):
    expected = load_image_folder(folder).data
    (folder / "LICENCE.txt").write_text("free")
    (folder / "dog" / ".DS_Store").write_text("hidden")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.png").write_bytes(b"hidden")
    assert load_image_folder(folder).data == expected


def test_links_are_followed(folder, tmp_path):
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "1.png").write_bytes(b"an image")
    (folder / "bird").symlink_to(tmp_path / "birds")
    (folder / "cat" / "again.png").symlink_to(folder / "dog" / "a.jpg")
    images = load_image_folder(folder)
    assert images.target_names.tolist() == ["bird", "cat", "dog"]
    assert images.data[0] == str(folder / "bird" / "1.png")
    assert str(folder / "cat" / "again.png") in images.data


@pytest.mark.parametrize(("name", "error"), [("nowhere", FileNotFoundError), ("dog/a.jpg", NotADirectoryError)])
def test_what_is_no_folder_is_the_systems_error(folder, name, error):
    with pytest.raises(error, match=name):
        load_image_folder(folder / name)
