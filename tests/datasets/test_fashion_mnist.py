"""Tests of the Fashion-MNIST loader with local files and a local server, without network access."""

import functools
import gzip
import hashlib
import http.server
import struct
import threading
import time

import numpy as np
import pytest

from kerasnet.datasets import _fashion_mnist, load_fashion_mnist
from kerasnet.errors import CorruptFileError

NAMES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


@pytest.fixture(scope="module")
def arrays():
    """40 training and 20 test images, and their labels."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 40), ("test", 20)):
        arrays[f"x_{part}"] = generator.integers(256, size=(n, 28, 28), dtype=np.uint8)
        arrays[f"y_{part}"] = generator.permutation(np.arange(n) % 10)
    return arrays


def idx_of(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def idx_files(arrays):
    return {
        f"{prefix}-{kind}-ubyte": idx_of(arrays[f"{axis}_{part}"])
        for prefix, part in (("train", "train"), ("t10k", "test"))
        for kind, axis in (("images-idx3", "x"), ("labels-idx1", "y"))
    }


def write_compressed(idx_files, folder):
    for name, content in idx_files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


def write_uncompressed(idx_files, folder):
    for name, content in idx_files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("write", [write_compressed, write_uncompressed])
@pytest.mark.parametrize("subset", ["train", "test", "all"])
def test_folder_of_idx_files_is_read(tmp_path, arrays, idx_files, write, subset):
    clothes = load_fashion_mnist(subset, path=write(idx_files, tmp_path))
    parts = ["train", "test"] if subset == "all" else [subset]
    np.testing.assert_array_equal(clothes.data, np.concatenate([arrays[f"x_{part}"] for part in parts]), strict=True)
    labels = np.concatenate([arrays[f"y_{part}"] for part in parts]).astype(np.int64)
    np.testing.assert_array_equal(clothes.target, labels, strict=True)
    assert clothes.target_names.tolist() == NAMES
    assert "Xiao" in clothes.DESCR


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64"])
def test_npz_file_is_read(tmp_path, arrays, dtype):
    labels = {name: array.astype(dtype) for name, array in arrays.items() if name.startswith("y")}
    np.savez_compressed(tmp_path / "fashion.npz", **{**arrays, **labels})
    X, y = load_fashion_mnist("test", path=str(tmp_path / "fashion.npz"), return_X_y=True)
    np.testing.assert_array_equal(X, arrays["x_test"], strict=True)
    np.testing.assert_array_equal(y, arrays["y_test"].astype(np.int64), strict=True)


def test_n_samples_is_stratified_reproducible_and_in_order(tmp_path, arrays):
    np.savez(tmp_path / "fashion.npz", **arrays)
    load = functools.partial(load_fashion_mnist, n_samples=20, return_X_y=True, path=tmp_path / "fashion.npz")
    X, y = load(random_state=0)
    assert np.bincount(y).tolist() == [2] * 10
    np.testing.assert_array_equal(X, load(random_state=0)[0])
    assert (load(random_state=1)[0] != X).any()
    rows = {image.tobytes(): row for row, image in enumerate(arrays["x_train"])}
    positions = [rows[image.tobytes()] for image in X]
    assert positions == sorted(positions)
    with pytest.raises(ValueError, match="n_samples must be an int from 1 to 40"):
        load(n_samples=41)


def test_invalid_subset_raises(tmp_path):
    with pytest.raises(ValueError, match=r"subset must be one of \['train', 'test', 'all'\]. Received: 'valid'"):
        load_fashion_mnist("valid", path=tmp_path)


def test_missing_files_raise_with_their_names_and_url(tmp_path):
    expected = r"expected t10k-images-idx3-ubyte.gz or t10k-images-idx3-ubyte, found neither.*https://"
    with pytest.raises(FileNotFoundError, match=expected) as caught:
        load_fashion_mnist("test", path=tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.fixture
def server(tmp_path, monkeypatch, idx_files):
    """A local server of the four files; its URL and their hashes replace the real ones."""
    (tmp_path / "served").mkdir()
    write_compressed(idx_files, tmp_path / "served")

    class QuietHandler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(QuietHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(_fashion_mnist, "_URL", f"http://127.0.0.1:{server.server_port}/")
        hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "served").iterdir()}
        monkeypatch.setattr(_fashion_mnist, "_SHA256", hashes)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("KERASNET_DATA", str(tmp_path / "cache"))
        yield server
        server.shutdown()


def test_files_are_downloaded_once_and_cached(tmp_path, arrays, server):
    np.testing.assert_array_equal(load_fashion_mnist("test").data, arrays["x_test"])
    cached = sorted(file.name for file in (tmp_path / "cache" / "fashion_mnist").iterdir())
    assert cached == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"], "only the requested files"
    server.shutdown()
    server.server_close()
    np.testing.assert_array_equal(load_fashion_mnist("test").data, arrays["x_test"])
    with pytest.raises(OSError, match="Cannot download"):
        load_fashion_mnist("train")


def test_download_with_wrong_hash_raises_and_is_not_cached(tmp_path, server):
    damaged = tmp_path / "served" / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes() + b"\0")
    expected = "train-labels-idx1-ubyte.gz with sha256 [0-9a-f]{64}, found a file with a different hash. Put this"
    with pytest.raises(CorruptFileError, match=expected):
        load_fashion_mnist()
    assert [file.name for file in (tmp_path / "cache" / "fashion_mnist").iterdir()] == ["train-images-idx3-ubyte.gz"]


def test_failed_download_raises_without_retries_and_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(_fashion_mnist, "_URL", "http://127.0.0.1:9/")  # no server listens on this port
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("KERASNET_DATA", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(OSError, match="Cannot download") as caught:
        load_fashion_mnist()
    message = str(caught.value)
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz with sha256 3aede38d61863908ad78" in message
    assert f"Put this file into {tmp_path / 'fashion_mnist'}, or pass the folder that contains it as path." in message
    assert "\n" not in message
    assert "urllib" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert time.monotonic() - started < 20, "one attempt, without retries"


def test_hashes_and_url_are_pinned():
    assert len(_fashion_mnist._SHA256) == 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in _fashion_mnist._SHA256.values())
    assert _fashion_mnist._URL.startswith("https://")
