"""Image files as a lazy array, compared with prepare_images."""

import os
import pickle
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _fresh import FreshProcess
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score, train_test_split

from kerasnet.datasets import LazyArray
from kerasnet.errors import DataFormatError, ImageDecodeError
from kerasnet.features import ImageFiles, prepare_images

N_IMAGES = 45
SIZE = (24, 32)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Image files of different formats, modes, sizes and EXIF orientations."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    kinds = [("jpg", "RGB"), ("jpg", "L"), ("png", "RGBA"), ("png", "L"), ("png", "P"), ("jpg", "CMYK"), ("bmp", "RGB")]
    kinds += [("tif", "RGB"), ("webp", "RGB"), ("png", "I;16"), ("gif", "P")]
    found = []
    for number in range(N_IMAGES):
        suffix, mode = kinds[number % len(kinds)]
        height, width = rng.integers(10, 60, 2)
        pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        image = Image.fromarray(pixels if mode == "RGBA" else pixels[..., :3])
        image = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        found.append(folder / f"image {number}.{suffix}")
        image.save(found[-1], **({"exif": exif} if suffix == "jpg" and number % 2 else {}))
    return found


@pytest.fixture
def copies(paths, tmp_path):
    """Copies of the first files, which a test may modify."""
    (tmp_path / "copies").mkdir()
    return [Path(shutil.copy(path, tmp_path / "copies")) for path in paths[:12]]


def expected_pixels(paths, channels=3, **options):
    mode = "rgb" if channels == 3 else "grayscale"
    return prepare_images(paths, SIZE, color_mode=mode, dtype="uint8", **options).reshape(-1, *SIZE, channels)


OPTIONS = [
    {},
    {"interpolation": "nearest", "pad_to_aspect_ratio": False},
    {"interpolation": "bicubic", "fill_value": 0.5},
    {"deskew": True, "fill_value": 1},
]


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_equal_prepare_images(paths, channels, n_jobs):
    for options in OPTIONS:
        X = ImageFiles(paths, SIZE, channels, n_jobs=n_jobs, **options)
        assert (X.shape, X.dtype, X.ndim, len(X)) == ((N_IMAGES, *SIZE, channels), np.uint8, 4, N_IMAGES)
        np.testing.assert_array_equal(np.asarray(X), expected_pixels(paths, channels, **options))


@pytest.mark.parametrize("cached", [False, True])
def test_indexing_is_lazy_and_reading_decodes(paths, tmp_path, monkeypatch, cached):
    X, expected = ImageFiles(paths, SIZE, cache=tmp_path / "cache" if cached else None), expected_pixels(paths)
    with monkeypatch.context() as patched:
        patched.setattr("kerasnet.features.image_files.prepare_image", None)  # decoding would raise a TypeError
        selected = [X[5:30], X[[7, 7, -1]], X[np.arange(N_IMAGES) % 2 == 0], X[::-3], X[20:][[2, 0]]]
    for subset, key in zip(
        selected, ([*range(5, 30)], [7, 7, 44], [*range(0, 45, 2)], [*range(44, -1, -3)], [22, 20]), strict=True
    ):
        assert isinstance(subset, ImageFiles)
        assert subset.paths == [str(paths[number]) for number in key]
        np.testing.assert_array_equal(np.asarray(subset), expected[key])
    np.testing.assert_array_equal(X[-2], expected[-2])
    np.testing.assert_array_equal(np.concatenate(list(X.chunks(10_000))), expected)
    assert X[:0].shape == np.asarray(X[:0]).shape == (0, *SIZE, 3)
    halves = X.map_rows(lambda images: images[:, ::2] / np.float32(2))
    np.testing.assert_array_equal(np.asarray(halves[3:5]), expected[3:5, ::2] / np.float32(2))


def test_only_selected_files_are_opened(copies):
    X = ImageFiles(copies, SIZE)
    for path in copies[3:]:
        path.unlink()
    np.testing.assert_array_equal(np.asarray(X[[2, 0]]), expected_pixels([copies[2], copies[0]]))


def test_columns_and_relative_paths(copies, monkeypatch):
    monkeypatch.chdir(copies[0].parent)
    names = [path.name for path in copies]
    for given in (names, iter(names), pd.Series(names), np.array(names), copies):
        X = ImageFiles(given, SIZE)
        assert X.paths == [str(path) for path in copies]
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(np.asarray(X[:2]), expected_pixels(copies[:2]))
    assert np.asarray(ImageFiles([], SIZE, cache=copies[0].parent / "cache")).shape == (0, *SIZE, 3)


@pytest.mark.parametrize("defect", ["truncated", "empty", "missing", "text", "large"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_unreadable_image_raises(copies, defect, n_jobs):
    X = ImageFiles(copies, SIZE, n_jobs=n_jobs, max_pixels=60 * 60)
    content = copies[7].read_bytes()
    if defect == "missing":
        copies[7].unlink()
    elif defect == "large":
        Image.new("RGB", (61, 60)).save(copies[7])
    else:
        copies[7].write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"no image"}[defect])
    np.testing.assert_array_equal(np.asarray(X[:7]), expected_pixels(copies[:7]))
    for read in (lambda: np.asarray(X), lambda: X[7], lambda: np.asarray(X[::-1])):
        with pytest.raises(ImageDecodeError, match=f"^{re.escape(str(copies[7]))}: expected "):
            read()


def test_all_threads_stop_after_an_error(paths, monkeypatch):
    decoded = []

    def decode(path, *options):
        if path == str(paths[0]):
            raise ImageDecodeError("broken")
        time.sleep(0.005)
        decoded.append(path)
        return np.zeros((*SIZE, 3))

    monkeypatch.setattr("kerasnet.features.image_files.prepare_image", decode)
    with pytest.raises(ImageDecodeError, match="broken"):
        np.asarray(ImageFiles(paths * 20, SIZE, n_jobs=2))
    so_far = len(decoded)
    time.sleep(0.2)  # enough time to decode 40 more images
    assert len(decoded) <= so_far + 1 < len(paths) * 20


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a.png"], 96), ValueError, "size must be a tuple of two positive integers"),
        ((["a.png"], (0, 5)), ValueError, "size must be a tuple of two positive integers"),
        ((["a.png"], SIZE, 4), ValueError, "channels must be 3 .RGB. or 1 .grayscale.. Received: 4"),
        (("a.png", SIZE), ValueError, "Expected a sequence of images or paths. Received: a single str"),
        ((pd.DataFrame({"path": ["a.png"]}), SIZE), ValueError, "Pass the column of paths"),
        (([b"a.png"], SIZE), TypeError, r"paths\[0\]: expected a str or path-like object. Received: bytes"),
        ((["a.png", np.zeros((3, 3))], SIZE), TypeError, r"paths\[1\].*Received: ndarray"),
    ],
    ids=["size", "height", "channels", "one path", "frame", "bytes", "array"],
)
def test_invalid_arguments_raise(arguments, error, message):
    with pytest.raises(error, match=message):
        ImageFiles(*arguments)


@pytest.mark.parametrize("options", [{"interpolation": "cubic"}, {"fill_value": 2}, {"max_pixels": 0}], ids=str)
def test_invalid_options_raise(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ImageFiles([], SIZE, **options)


@pytest.mark.parametrize("cached", [False, True])
def test_pickles_contain_only_the_paths_of_selected_images(paths, tmp_path, cached):
    X = ImageFiles([*paths] * 20, SIZE, cache=tmp_path / "cache" if cached else None)
    assert len(pickle.dumps(X[[800, 3]])) < 2000
    assert len(pickle.dumps(X)) < 20 * N_IMAGES * 80
    for key in (slice(None), [800, 3, 3], slice(None, None, -7)):
        again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(X[key]))))
        assert isinstance(again, ImageFiles)
        assert again.paths == X[key].paths
        np.testing.assert_array_equal(np.asarray(again[-3:]), np.asarray(X[key][-3:]))
        assert again.fingerprint() == pickle.loads(pickle.dumps(X[key])).fingerprint()


def test_fingerprint_depends_on_files_and_options(copies):
    X = ImageFiles(copies, SIZE)
    fingerprint = X.fingerprint()
    assert ImageFiles(copies, SIZE, n_jobs=1).fingerprint() == fingerprint
    others = [
        X[1:],
        X[::-1],
        ImageFiles(copies, (32, 24)),
        ImageFiles(copies, SIZE, 1),
        ImageFiles(copies, SIZE, fill_value=1),
    ]
    assert len({fingerprint, *(other.fingerprint() for other in others)}) == 6
    before = X[:3].fingerprint()
    status = copies[3].stat()
    os.utime(copies[3], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert X[:3].fingerprint() == before
    assert X.fingerprint() != fingerprint
    copies[3].unlink()
    with pytest.raises(ImageDecodeError, match=f"{re.escape(str(copies[3]))}: expected an image file"):
        X.fingerprint()


# Folders


@pytest.fixture
def folder(copies, tmp_path):
    for number, path in enumerate(copies):
        target = tmp_path / "classes" / ("dog", "cat", "cow")[number % 3] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return tmp_path / "classes"


def test_from_folder_returns_images_and_labels(folder):
    X, y = ImageFiles.from_folder(folder, SIZE, 1, fill_value=1)
    assert X.paths == sorted(map(str, folder.rglob("*.*")))
    np.testing.assert_array_equal(y, [Path(path).parent.name for path in X.paths])
    np.testing.assert_array_equal(np.asarray(X), expected_pixels(X.paths, 1, fill_value=1))
    classifier = DummyClassifier().fit(X, y)
    assert set(classifier.predict(X)) <= {"cat", "cow", "dog"}


def test_unreadable_images_of_a_folder_raise_or_are_skipped(folder):
    broken = folder / "cat" / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(DataFormatError, match="broken.png"):
        ImageFiles.from_folder(folder, SIZE)
    with pytest.warns(UserWarning, match="They are skipped"):
        X, y = ImageFiles.from_folder(folder, SIZE, on_error="skip")
    assert len(X) == len(y) == 12


def test_folder_with_too_large_images_raises(folder):
    with pytest.raises(DataFormatError, match="12 of 12 files cannot be read"):
        ImageFiles.from_folder(folder, SIZE, max_pixels=5)


# Cache


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_cached_images_are_decoded_once(copies, tmp_path, monkeypatch):
    cache = tmp_path / "new" / "cache"
    expected = expected_pixels(copies)
    first = ImageFiles(copies, SIZE, cache=cache)
    (name,) = files_in(cache)
    assert (cache / name).stat().st_size == 12 * 24 * 32 * 3
    with monkeypatch.context() as patched:
        patched.setattr("kerasnet.features.image_files.prepare_image", None)  # decoding would raise a TypeError
        again = ImageFiles(map(str, copies), SIZE, n_jobs=1, cache=cache)
        for X in (first, again, pickle.loads(pickle.dumps(again))):
            np.testing.assert_array_equal(np.asarray(X), expected)
            np.testing.assert_array_equal(np.asarray(X[[3, 1]]), expected[[3, 1]])
    for path in copies:
        path.unlink()
    np.testing.assert_array_equal(np.asarray(first), expected)
    assert files_in(cache) == [name]


def test_cache_depends_on_files_and_options(copies, tmp_path):
    cache = tmp_path / "cache"
    ImageFiles(copies, SIZE, cache=cache)
    for arguments, options in (
        ((copies[:5], SIZE), {}),
        ((copies[::-1], SIZE), {}),
        ((copies, SIZE, 1), {}),
        ((copies, SIZE), {"fill_value": 1}),
    ):
        X = ImageFiles(*arguments, cache=cache, **options)
        np.testing.assert_array_equal(np.asarray(X), expected_pixels(arguments[0], *arguments[2:], **options))
    assert len(files_in(cache)) == 5
    Image.new("RGB", (10, 10), "red").save(copies[2])
    np.testing.assert_array_equal(np.asarray(ImageFiles(copies, SIZE, cache=cache)), expected_pixels(copies))
    assert len(files_in(cache)) == 6


def test_large_cache_is_written_in_chunks(copies, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasnet.features.image_files._CHUNK_BYTES", 5 * 24 * 32 * 3)
    np.testing.assert_array_equal(
        np.asarray(ImageFiles(copies, SIZE, cache=tmp_path / "cache")), expected_pixels(copies)
    )


def test_unreadable_image_leaves_no_cache(copies, tmp_path):
    copies[9].write_bytes(b"no image")
    with pytest.raises(ImageDecodeError, match=re.escape(str(copies[9]))):
        ImageFiles(copies, SIZE, cache=tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_truncated_cache_is_rewritten_and_missing_cache_raises(copies, tmp_path):
    X = ImageFiles(copies, SIZE, cache=tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    os.truncate(path, 100)
    with pytest.raises(DataFormatError, match="expected at least 27648 bytes, found 100"):
        np.asarray(X)
    np.testing.assert_array_equal(
        np.asarray(ImageFiles(copies, SIZE, cache=tmp_path / "cache")), expected_pixels(copies)
    )
    path.unlink()
    with pytest.raises(DataFormatError, match="found none"):
        X[0]


WRITE_CACHE = """
import os, sys, time
import kerasnet.features.image_files as module
decode, calls = module.prepare_image, []
def counting_decode(*arguments):
    calls.append(1)
    if len(calls) == 8 and sys.argv[2] == "kill":
        os.kill(os.getpid(), 9)
    return decode(*arguments)
module.prepare_image = counting_decode
module._CHUNK_BYTES = 2 * 24 * 32 * 3
print('ready')
while not os.path.exists(sys.argv[1] + '.go'):
    time.sleep(0.01)
module.ImageFiles(sys.argv[3:], (24, 32), n_jobs=1, cache=sys.argv[1])
"""


def start_writer(cache, action, copies):
    """Start a process that writes a cache as soon as the file ``<cache>.go`` exists."""
    return FreshProcess("-c", WRITE_CACHE, cache, action, *copies)


def test_killed_and_concurrent_writers_leave_one_complete_file(copies, tmp_path):
    cache, go = tmp_path / "cache", tmp_path / "cache.go"
    killed = start_writer(cache, "kill", copies)
    go.touch()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    (leftover,) = files_in(cache)
    assert leftover.startswith(".")
    go.unlink()
    writers = [start_writer(cache, "write", copies) for _ in range(2)]
    for process in writers:
        assert process.first_line() == "ready\n"
    go.touch()
    for process in writers:
        _, error = process.communicate()
        assert process.returncode == 0, error
    (name,) = files_in(cache)
    np.testing.assert_array_equal(np.asarray(ImageFiles(copies, SIZE, cache=cache)), expected_pixels(copies))
    assert files_in(cache) == [name]


# In scikit-learn


class MeanOfImages(BaseEstimator):
    """Estimator that reads images in chunks."""

    def fit(self, X, y):
        assert isinstance(X, ImageFiles)
        assert len(X) == len(y)
        self.mean_ = np.mean([chunk.mean() for chunk in X.chunks(5000)])
        return self

    def score(self, X, y):
        assert isinstance(X, LazyArray)
        return self.mean_ + np.asarray(X).mean() + np.mean(y)


def test_train_test_split_and_cross_validation_are_lazy(paths):
    X, y = ImageFiles(paths, SIZE), np.arange(N_IMAGES) % 3
    parts = train_test_split(X, y, stratify=y, random_state=0)
    expected = train_test_split(expected_pixels(paths), y, stratify=y, random_state=0)
    assert all(isinstance(part, ImageFiles) for part in parts[:2])
    for part, values in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(part), values)
    assert np.isfinite(cross_val_score(clone(MeanOfImages()), X, y, cv=3)).all()
