"""Tests of loading image paths and labels from class folders."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_files

from kerasnet.datasets import load_image_folder
from kerasnet.errors import DataFormatError


def add_image(path, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


@pytest.fixture
def folder(tmp_path):
    for name in ("dog/b.PNG", "dog/a.jpg", "cat/10.png", "cat/0/young.bmp", "cat/9.png"):
        add_image(tmp_path / "images" / name)
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


def test_files_and_labels_equal_those_of_load_files(folder):
    (folder / "cat" / "0" / "young.bmp").rename(folder / "cat" / "young.bmp")
    (folder / "cat" / "0").rmdir()  # load_files does not search subfolders
    images, files = load_image_folder(folder), load_files(folder, load_content=False)
    assert dict(zip(images.data, images.target, strict=True)) == dict(zip(files.filenames, files.target, strict=True))
    assert images.target_names.tolist() == files.target_names


def test_hidden_files_and_other_files_next_to_class_folders_are_skipped(folder):
    expected = load_image_folder(folder).data
    (folder / "LICENSE.txt").write_text("free")
    (folder / "dog" / ".DS_Store").write_text("hidden")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.png").write_bytes(b"hidden")
    assert load_image_folder(folder).data == expected


def test_symbolic_links_are_followed(folder, tmp_path):
    add_image(tmp_path / "birds" / "1.png")
    (folder / "bird").symlink_to(tmp_path / "birds")
    (folder / "cat" / "again.png").symlink_to(folder / "dog" / "a.jpg")
    images = load_image_folder(folder)
    assert images.target_names.tolist() == ["bird", "cat", "dog"]
    assert images.data[0] == str(folder / "bird" / "1.png")
    assert str(folder / "cat" / "again.png") in images.data


@pytest.mark.parametrize(("name", "error"), [("nowhere", FileNotFoundError), ("dog/a.jpg", NotADirectoryError)])
def test_missing_folder_or_file_raises_os_error(folder, name, error):
    with pytest.raises(error, match=name):
        load_image_folder(folder / name)


def add_invalid_files(folder):
    """Add invalid files of all kinds; return their relative paths."""
    (folder / "cat" / "truncated.jpg").write_bytes((folder / "dog" / "a.jpg").read_bytes()[:-300])
    (folder / "cat" / "0" / "empty.png").touch()
    (folder / "dog" / "notes.txt").write_text("no image")
    (folder / "dog" / "text.png").write_text("no image")
    (folder / "dog" / "gone.png").symlink_to("nowhere.png")
    add_image(folder / "dog" / "large.png", (100, 200))
    return ["cat/0/empty.png", "cat/truncated.jpg", "dog/gone.png", "dog/large.png", "dog/notes.txt", "dog/text.png"]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_all_invalid_files_are_listed_or_skipped(folder, n_jobs):
    expected = load_image_folder(folder)
    assert expected.skipped == []
    invalid = add_invalid_files(folder)
    options = {"max_pixels": 10_000, "n_jobs": n_jobs}
    with pytest.raises(DataFormatError, match="6 of 11 files cannot be read as images.*on_error='skip'") as caught:
        load_image_folder(folder, **options)
    with pytest.warns(UserWarning, match="6 of 11 files cannot be read as images.*They are skipped") as warned:
        images = load_image_folder(folder, on_error="skip", **options)
    for message in (str(caught.value), str(warned[0].message)):
        assert all(f"{folder / name}: expected" in message for name in invalid)
    assert [path for path, _ in images.skipped] == [str(folder / name) for name in invalid]
    assert "20000" in images.skipped[3][1] or "100 x 200" in images.skipped[3][1]
    assert images.data == expected.data
    np.testing.assert_array_equal(images.target, expected.target)


def test_message_lists_at_most_20_invalid_files(folder):
    for number in range(500):
        (folder / "dog" / f"{number:03}.png").write_bytes(b"no image")
    with pytest.raises(DataFormatError, match="500 of 505 files.*; and 480 more") as caught:
        load_image_folder(folder)
    assert str(caught.value).count(str(folder)) == 21


def test_class_without_valid_images_raises_even_with_skip(folder):
    (folder / "eel").mkdir()
    (folder / "eel" / "1.png").write_bytes(b"no image")
    with (
        pytest.warns(UserWarning, match="1 of 6 files"),
        pytest.raises(DataFormatError, match="eel: expected at least one image of the class, found none that can be"),
    ):
        load_image_folder(folder, on_error="skip")


@pytest.mark.parametrize("suffix", [".jfif", ".JFIF", ".jpe", ".pnm", ".apng"])
def test_less_common_suffixes_are_images(folder, suffix):
    image_format = {"p": "PPM", "a": "PNG"}.get(suffix[1], "JPEG")
    Image.new("RGB", (8, 8)).save(folder / "dog" / f"c{suffix}", image_format)
    assert str(folder / "dog" / f"c{suffix}") in load_image_folder(folder).data


@pytest.mark.parametrize("option", [{"on_error": "ignore"}, {"max_pixels": 0}])
def test_invalid_options_raise(folder, option):
    with pytest.raises(ValueError, match=next(iter(option))):
        load_image_folder(folder, **option)
