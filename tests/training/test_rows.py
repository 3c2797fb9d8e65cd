"""Data that is not in memory gives bit-identical weights and predictions to data in memory."""

import os
import threading
import time

import dask.array
import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import zarr
from distributed import Client
from joblib import parallel_config
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import kerasnet as kn
from kerasnet.datasets import LazyArray, load_mnist
from kerasnet.errors import DataFormatError, ImageDecodeError
from kerasnet.estimators import _inputs, _validation
from kerasnet.features import ImageFiles, prepare_images
from kerasnet.training import _rows


@pytest.fixture(autouse=True)
def small_windows(monkeypatch, request):
    """Read small data in many windows, like large data."""
    monkeypatch.setattr(_validation, "_READ_AT_ONCE", 0)
    monkeypatch.setattr(_rows, "WINDOW_BYTES", 2**20 if "10000" in request.node.name else 4000)


def stored(X, kind, folder):
    """Return an array in the format of another library."""
    if kind == "memmap":
        np.save(folder / "x.npy", X)
        return np.load(folder / "x.npy", mmap_mode="r")
    if kind == "view of memmap":
        return np.asarray(stored(np.concatenate([X, X]), "memmap", folder))[len(X) :]
    if kind == "hdf5":
        return h5py.File(folder / "x.h5", "w").create_dataset("X", data=X, chunks=(7, *X.shape[1:]))
    if kind == "zarr":
        return zarr.create_array(folder / "x.zarr", data=X, chunks=(7, *X.shape[1:]))
    if kind == "dask":
        return dask.array.from_array(X, chunks=(9, *X.shape[1:]))
    if kind == "lazy":
        return LazyArray(stored(X, "memmap", folder))
    return getattr(scipy.sparse, kind)(X)


DENSE = ("memmap", "view of memmap", "hdf5", "zarr", "dask", "lazy")
SPARSE = ("csr_matrix", "csr_array", "csc_array", "coo_array")


def weights_of(estimator):
    return [*estimator.model_.get_weights(), *(each.numpy() for each in estimator.model_.optimizer.variables)]


def assert_equal_fits(estimator, other):
    for ours, theirs in zip(weights_of(estimator), weights_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert estimator.history_ == other.history_


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return (X[:90] * 255).astype(np.uint8), y[:90]


@pytest.mark.parametrize("kind", DENSE)
def test_fits_and_predictions_equal_those_of_arrays_in_memory(kind, images, tmp_path):
    X, y = images
    weight = np.linspace(0.5, 2, len(y))
    estimator = kn.KerasNetClassifier(
        "mlp", epochs=2, batch_size=11, early_stopping=True, validation_fraction=0.2, random_state=0
    )
    in_memory = clone(estimator).fit(X, y, weight)
    stored_X = stored(X, kind, tmp_path)
    estimator.fit(stored_X, y, weight)
    assert_equal_fits(estimator, in_memory)
    np.testing.assert_array_equal(estimator.predict_proba(stored_X), in_memory.predict_proba(X))
    assert estimator.score(stored_X, y) == in_memory.score(X, y)
    for each, samples in ((estimator, stored_X), (in_memory, X)):
        each.set_params(early_stopping=False).partial_fit(samples, y)
    assert_equal_fits(estimator, in_memory)


def test_large_array_in_memory_is_not_copied(images, monkeypatch):
    X, y = images
    in_memory = kn.KerasNetClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    expected = in_memory.predict_proba(X)
    monkeypatch.setattr(_validation, "_CONVERTED_AT_ONCE", 1000)
    rows_read, read = [], LazyArray.__array__
    monkeypatch.setattr(LazyArray, "__array__", lambda self, *_, **__: rows_read.append(len(self)) or read(self))
    in_windows = kn.KerasNetClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    assert sum(rows_read) == 2 * len(X)
    assert max(rows_read) < len(X)
    assert_equal_fits(in_windows, in_memory)
    np.testing.assert_array_equal(in_windows.predict_proba(X), expected)


class FirstColumns(kn.KerasNetClassifier):
    """Its feature encoder selects columns, which requires an array in memory."""

    @property
    def feature_encoder(self):
        return FunctionTransformer(lambda X: X[:, :4])


def test_feature_encoder_receives_an_array(digits, tmp_path, monkeypatch):
    X, y = digits[0][:60].reshape(60, -1), digits[1][:60]
    monkeypatch.setattr(_validation, "_CONVERTED_AT_ONCE", 1000)
    for data in (X, stored(X, "memmap", tmp_path)):
        assert FirstColumns("mlp", epochs=1, random_state=0).fit(data, y).input_shape_ == (4,)


@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_matrices_equal_dense_ones(kind, digits, tmp_path):
    X, y = digits[0][:90].reshape(90, -1), digits[1][:90]
    dense = kn.KerasNetClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    sparse = kn.KerasNetClassifier("mlp", epochs=2, random_state=0).fit(stored(X, kind, tmp_path), y)
    assert_equal_fits(sparse, dense)
    np.testing.assert_array_equal(sparse.predict_proba(stored(X, kind, tmp_path)), dense.predict_proba(X))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, bool])
def test_rows_are_converted_like_arrays(dtype, digits, tmp_path):
    X, y = (digits[0][:60] * 16).round().astype(dtype), digits[1][:60]
    in_memory = kn.KerasNetRegressor("mlp", epochs=2, random_state=0).fit(X, y)
    assert_equal_fits(
        kn.KerasNetRegressor("mlp", epochs=2, random_state=0).fit(stored(X, "memmap", tmp_path), y), in_memory
    )


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("simple_rnn", (240, 16)),
        ("cnn", (60, 64)),
        *(pytest.param(model, (60, 8, 8), marks=pytest.mark.exhaustive) for model in ("conv1d", "lstm")),
    ],
)
def test_shapes_are_completed_like_those_of_arrays(model, shape, digits, tmp_path):
    X, y = digits[0][:60].reshape(shape)[:60], digits[1][:60]
    image_shape = (8, 8, 1) if model == "cnn" else None
    make = lambda: kn.KerasNetClassifier(model, epochs=1, random_state=0, image_shape=image_shape)  # noqa: E731
    assert_equal_fits(make().fit(stored(X, "memmap", tmp_path), y), make().fit(X, y))


def test_lazy_validation_data(images, tmp_path):
    X, y = images
    make = lambda: kn.KerasNetClassifier("mlp", epochs=2, random_state=0, validation_batch_size=7)  # noqa: E731
    in_memory = make().fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    stored_X = stored(X, "lazy", tmp_path)
    assert_equal_fits(make().fit(stored_X[:60], y[:60], X_val=stored_X[60:], y_val=y[60:]), in_memory)
    assert "val_loss" in in_memory.history_


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_autoencoders_and_outlier_detectors(dtype, digits, tmp_path):
    X = (digits[0][:60] * 255).astype(np.uint8) if dtype == np.uint8 else digits[0][:60]
    stored_X = stored(X, "memmap", tmp_path)
    in_memory = kn.Autoencoder(code_units=4, epochs=2, random_state=0).fit(X)
    autoencoder = kn.Autoencoder(code_units=4, epochs=2, random_state=0).fit(stored_X)
    assert_equal_fits(autoencoder, in_memory)
    for method in ("transform", "reconstruct", "reconstruction_errors"):
        np.testing.assert_array_equal(getattr(autoencoder, method)(stored_X), getattr(in_memory, method)(X))
    make = lambda: kn.AutoencoderOutlierDetector(code_units=4, epochs=2, random_state=0)  # noqa: E731
    assert make().fit(stored_X).offset_ == make().fit(X).offset_


def test_backbone_features(images, tmp_path):
    X, _ = images
    make = lambda: kn.BackboneFeatures(weights=None, layer="block_1_expand_relu", random_state=0)  # noqa: E731
    X = np.repeat(np.repeat(X[:9], 4, axis=1), 4, axis=2)
    stored_X = stored(X, "memmap", tmp_path)
    np.testing.assert_array_equal(make().fit(stored_X).transform(stored_X), make().fit(X).transform(X))


class Batches(keras.callbacks.Callback):
    """Records batches, and stops training in the middle of an epoch."""

    def __init__(self, at=None):
        super().__init__()
        self.at, self.seen = at, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, logs["loss"]))
        self.model.stop_training = len(self.seen) == self.at


def test_batch_callbacks_receive_batch_numbers_of_the_epoch(images, tmp_path):
    X, y = images
    seen = []
    for data in (X, stored(X, "memmap", tmp_path)):
        callback = Batches(at=13)
        estimator = kn.KerasNetClassifier("mlp", epochs=3, batch_size=10, random_state=0, callbacks=[callback])
        estimator.fit(data, y)
        seen.append(estimator.callbacks_[0].seen)
    assert seen[0] == seen[1]
    assert [batch for batch, _ in seen[0]] == [*range(9), *range(4)]


@pytest.mark.parametrize("batch_size", [-1, 1, 30, 1000])
def test_batch_sizes_and_learning_rate_schedule(batch_size, images, tmp_path):
    X, y = images
    settings = {"epochs": 2, "batch_size": batch_size, "learning_rate_schedule": "one_cycle", "random_state": 0}
    in_memory = kn.KerasNetClassifier("mlp", **settings).fit(X[:40], y[:40])
    assert_equal_fits(
        kn.KerasNetClassifier("mlp", **settings).fit(stored(X[:40], "memmap", tmp_path), y[:40]), in_memory
    )


def test_checkpoints_are_shared_with_data_in_memory(images, tmp_path):
    X, y = images
    make = lambda epochs: kn.KerasNetClassifier("mlp", epochs=epochs, random_state=0, memory=tmp_path / "m")  # noqa: E731
    make(2).fit(X, y)
    stored_X = stored(X, "memmap", tmp_path)
    estimator = make(3).fit(stored_X, y)
    assert estimator.n_iter_from_memory_ == 2
    assert_equal_fits(estimator, kn.KerasNetClassifier("mlp", epochs=3, random_state=0).fit(X, y))
    changed = X.copy()
    changed[3, 0, 0] ^= 1
    np.save(tmp_path / "x.npy", changed)
    assert make(3).fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y).n_iter_from_memory_ == 0


def test_search_selects_rows_without_reading_them(images, tmp_path):
    X, y = images
    network = kn.KerasNetClassifier("mlp", epochs=1, random_state=0)
    kinds = []
    pipeline = make_pipeline(FunctionTransformer(lambda X: kinds.append(type(X)) or X), network)
    grid = {"kerasnetclassifier__learning_rate": [0.01, 0.001]}
    lazily = GridSearchCV(pipeline, grid, cv=3).fit(stored(X, "lazy", tmp_path), y)
    assert set(kinds) == {LazyArray}
    in_memory = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    np.testing.assert_array_equal(lazily.cv_results_["mean_test_score"], in_memory.cv_results_["mean_test_score"])


@pytest.mark.exhaustive  # see test_pickles.py
def test_workers_read_the_file(images, tmp_path):
    X, y = images
    network = kn.KerasNetClassifier("mlp", epochs=1, random_state=0)
    lazily = cross_val_predict(network, stored(X, "lazy", tmp_path), y, cv=2, n_jobs=2)
    np.testing.assert_array_equal(lazily, cross_val_predict(network, X, y, cv=2))


def test_no_thread_is_left_running(images, tmp_path):
    X, y = images
    stored_X, before = stored(X, "memmap", tmp_path), threading.active_count()
    kn.KerasNetClassifier("mlp", epochs=1, callbacks=[Batches(at=2)]).fit(stored_X, y).predict(stored_X)
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kerasnet-rows")]


class Shrink(keras.callbacks.Callback):
    """Truncates or removes a file after an epoch."""

    def __init__(self, path, size):
        super().__init__()
        self.path, self.size = path, size

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            os.remove(self.path) if self.size is None else os.truncate(self.path, self.size)


@pytest.mark.parametrize(("size", "found"), [(2000, "found 2000"), (None, "found none")])
def test_truncated_or_removed_file_raises_and_keeps_the_fitted_model(size, found, images, tmp_path):
    X, y = images
    stored_X = stored(X, "memmap", tmp_path)
    estimator = kn.KerasNetClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    before = estimator.predict_proba(X)
    estimator.set_params(epochs=4, callbacks=[Shrink(tmp_path / "x.npy", size)])
    with pytest.raises(DataFormatError, match=found):
        estimator.fit(stored_X, y)
    np.testing.assert_array_equal(estimator.predict_proba(X), before)
    assert estimator.n_iter_ == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_value_in_the_last_chunk_raises(value, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(_inputs, "_CHUNK", 4000)
    X, y = digits[0][:90].copy(), digits[1][:90]
    estimator = kn.KerasNetClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    before = estimator.predict_proba(X)
    X[-1, -1, -1] = value
    with pytest.raises(ValueError, match="Input X contains"):
        estimator.fit(stored(X, "memmap", tmp_path), y)
    with pytest.raises(ValueError, match="Input X contains"):
        estimator.predict(stored(X, "memmap", tmp_path))
    X[-1, -1, -1] = 0
    np.testing.assert_array_equal(estimator.predict_proba(X[:80]), before[:80])


@pytest.mark.parametrize("dtype", ["S4", "M8[s]", [("a", float)], complex])
def test_unsupported_dtypes_raise(dtype, tmp_path):
    X = np.zeros((30, 8), dtype)
    with pytest.raises(ValueError, match=r"must contain numbers|[Cc]omplex"):
        kn.KerasNetClassifier("mlp").fit(stored(X, "memmap", tmp_path), np.arange(30) % 2)


def test_inconsistent_lengths_and_shapes_raise(images, tmp_path):
    X, y = images
    stored_X = stored(X, "memmap", tmp_path)
    estimator = kn.KerasNetClassifier("mlp", epochs=1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator.fit(stored_X, y[:-1])
    with pytest.raises(ValueError, match="n_features|features"):
        estimator.fit(X, y).predict(stored_X[:, :5])


def test_cache_key_of_a_writable_file_depends_on_its_content(images, tmp_path):
    X, y = images
    np.save(tmp_path / "x.npy", X)
    writable = np.load(tmp_path / "x.npy", mmap_mode="r+")
    file = h5py.File(tmp_path / "x.h5", "w")
    file["x"] = X
    make = lambda: kn.KerasNetClassifier("mlp", epochs=1, random_state=0, memory=tmp_path / "m")  # noqa: E731
    changed = X.copy()
    changed[0] ^= 1
    for source in (writable, file["x"]):
        make().fit(source, y)
        source[...] = changed  # the modification time may not change
        fitted = make().fit(source, y)
        np.testing.assert_array_equal(
            fitted.predict_proba(X), make().set_params(memory=None).fit(changed, y).predict_proba(X)
        )
        source[...] = X


class MapStyle:
    """A map-style dataset like those of PyTorch: it never raises an IndexError."""

    def __len__(self):
        return 8

    def __getitem__(self, number):
        return np.zeros(4)


@pytest.mark.parametrize("samples", [MapStyle(), (row for row in np.zeros((8, 4)))], ids=["map", "generator"])
def test_map_style_datasets_raise(samples):
    with pytest.raises(TypeError, match="open_memmap"):
        kn.KerasNetClassifier("mlp").fit(samples, np.arange(8) % 2)


@pytest.mark.parametrize("given", [3, (number for number in [1]), (1, 2, 3, 4)])
def test_invalid_validation_data_raises(given, images):
    X, y = images
    with pytest.raises(ValueError, match=r"must be a tuple \(X, y\).*Received: (int|generator|tuple of length 4)"):
        kn.KerasNetClassifier("mlp").fit(X, y, validation_data=given)


def test_data_frames_with_sparse_columns(digits):
    X, y = digits[0][:60].reshape(60, -1), digits[1][:60]
    frame = pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csr_matrix(X)).rename(columns="column {}".format)
    estimator = kn.KerasNetClassifier("mlp", epochs=1, random_state=0).fit(frame, y)
    np.testing.assert_array_equal(estimator.predict_proba(frame), estimator.predict_proba(frame.sparse.to_dense()))
    assert estimator.feature_names_in_[1] == "column 1"


def numbers():
    yield np.zeros((8, 4)), np.zeros(8)


class Dataset(keras.utils.PyDataset):
    """One batch."""

    def __len__(self):
        return 1

    def __getitem__(self, number):
        return np.zeros((8, 4)), np.zeros(8)


@pytest.mark.parametrize("make", [numbers, Dataset, lambda: _rows.tf.data.Dataset.from_tensors(np.zeros((8, 4)))])
def test_batched_datasets_raise_with_the_remedy(make):
    with pytest.raises(TypeError, match="open_memmap"):
        kn.KerasNetClassifier("mlp").fit(make(), np.arange(8) % 2)


@pytest.mark.exhaustive
def test_dask_workers_read_the_file_and_predict_in_chunks(images, tmp_path, cluster):
    X, y = images
    estimator = kn.KerasNetClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    chunks = dask.array.from_array(X, chunks=(20, 8, 8))
    n_classes = len(estimator.classes_)
    probabilities = chunks.map_blocks(
        estimator.predict_proba, dtype=np.float32, drop_axis=2, chunks=(chunks.chunks[0], (n_classes,))
    )
    lazily = stored(X, "lazy", tmp_path)
    with Client(cluster.address), parallel_config("dask"):
        scores = cross_val_score(estimator, lazily, y, cv=2)
        probabilities = probabilities.compute()
    np.testing.assert_array_equal(scores, cross_val_score(estimator, X, y, cv=2, n_jobs=2))
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), rtol=0, atol=1e-6)


@pytest.fixture
def photographs(images, tmp_path):
    """Return the paths and class labels of color images that are larger than the model input."""
    X, y = images
    paths = [tmp_path / f"{number}.png" for number in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        Image.fromarray(np.dstack([image, image.T, image[::-1]])).resize((20, 24)).save(path)
    return paths, y


def test_image_files_are_decoded_during_training(photographs):
    paths, y = photographs
    X = prepare_images(paths, (10, 10), color_mode="rgb", dtype="uint8")
    settings = {"epochs": 2, "early_stopping": True, "validation_fraction": 0.3, "random_state": 0}
    make = lambda: kn.KerasNetClassifier("mlp", **settings)  # noqa: E731
    in_memory, estimator = make().fit(X, y), make().fit(ImageFiles(paths, (10, 10)), y)
    assert_equal_fits(estimator, in_memory)
    np.testing.assert_array_equal(estimator.predict(ImageFiles(paths, (10, 10))), in_memory.predict(X))


@pytest.mark.exhaustive
def test_workers_read_image_files(photographs):
    paths, y = photographs
    X = prepare_images(paths, (10, 10), color_mode="rgb", dtype="uint8")
    network = kn.CNNClassifier(filters=(4,), epochs=2, random_state=0)
    scores = cross_val_score(network, ImageFiles(paths, (10, 10)), y, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(network, X, y, cv=2, n_jobs=2))


def test_corrupted_image_is_named_and_keeps_the_fitted_model(photographs):
    paths, y = photographs
    X = ImageFiles(paths, (8, 8))
    estimator = kn.KerasNetClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    before = estimator.predict_proba(X)
    content = paths[40].read_bytes()
    paths[40].write_bytes(content[:90])
    with pytest.raises(ImageDecodeError, match=r"/40.png: expected a valid"):
        estimator.fit(X, y)
    with pytest.raises(ImageDecodeError, match=r"/40.png"):
        estimator.predict(X)
    paths[40].write_bytes(content)
    np.testing.assert_array_equal(estimator.predict_proba(X), before)


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", ["mlp", "cnn", "simple_rnn"])
def test_10000_images_give_the_same_weights_from_all_sources(model, tmp_path):
    X, y = load_mnist(n_samples=10_000, random_state=0, return_X_y=True)
    in_memory = kn.KerasNetClassifier(model, epochs=1, random_state=0).fit(X, y)
    for kind in DENSE:
        folder = tmp_path / kind
        folder.mkdir()
        assert_equal_fits(
            kn.KerasNetClassifier(model, epochs=1, random_state=0).fit(stored(X, kind, folder), y), in_memory
        )
